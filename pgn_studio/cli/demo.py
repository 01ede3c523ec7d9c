"""The bundled demo without a window: a table and figures within seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgn_studio.cli import terminal
from pgn_studio.cli.evaluate import evaluation_table, measure
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.threads import prepare
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import PgnFileError, RunError
from pgn_studio.core.paths import DEMO_ADVERSARIAL, DEMO_CLASSIFIER, DEMO_ENHANCE, DEMO_FILES, trained_folder

if TYPE_CHECKING:
    from pgn_studio.core.project.opening import Subject

DEFAULT_OUT: Path = Path("pgn-studio-demo")
_ROWS = 5
# How the enhancing PGN was trained, and how --train trains it.
ENHANCE: dict[str, Any] = {
    "dataset": "digits",
    "problem": "enhance",
    "encoder": "small",
    "logit_temperature": 1.0,  # digits are easy, and p stays smaller
    "epochs": 30,
    "seed": 0,
    "device": "cpu",
}


def run_headless(out: Path, *, anew: bool) -> None:
    """Measure the bundled PGNs on the digits' test split; write figures and tables to `out`.

    `anew` trains the enhancing PGN first, in `out`/run, and uses that one.
    """
    out.mkdir(parents=True, exist_ok=True)
    trained = trained_folder()
    for name in DEMO_FILES:
        if not (trained / name).is_file():
            raise PgnFileError(
                f"The demo's file {name} is missing in {trained}.",
                hint="The installation is incomplete: install PGN Studio again.",
            )
    prepare()
    with Interruption() as stop:
        enhance = _trained_anew(out / "run", trained, stop) if anew else str(trained / DEMO_ENHANCE)
        _show(enhance, trained, out, "fixed", stop)
        _show(str(trained / DEMO_ADVERSARIAL), trained, out, "broken", stop)
    terminal.result(f"Figures and tables: {out}")


def _show(target: str, trained: Path, out: Path, outcome: str, stop: Interruption) -> None:
    from pgn_studio.core.export.figure import export_figure
    from pgn_studio.core.export.table import export_table
    from pgn_studio.core.export.triptych import pick_indices, triptych_rows

    subject = _subject(target, trained, stop)
    evaluation = measure(subject, "test", device="auto", batch_size=256, stop=stop)
    problem = subject.pgn.info.problem
    terminal.result_table(evaluation_table(evaluation, f"Digits, {problem}"))
    if (evaluation.per_image.outcome == outcome).any():
        split = subject.dataset.split("test")
        rows = triptych_rows(subject.pgn, subject.classifier, split, pick_indices(evaluation, outcome, _ROWS))
        title = f"{subject.dataset.name}, {evaluation.split_title}: {outcome} images"
        export_figure(out / f"digits-{problem}-{outcome}.png", rows, title=title)
    export_table(out / f"digits-{problem}.csv", evaluation)


def _subject(target: str, trained: Path, stop: Interruption) -> Subject:
    from pgn_studio.cli.opening import opener
    from pgn_studio.core.project.source import ClassifierSource

    return opener(stop).open_pgn(target, ClassifierSource(str(trained / DEMO_CLASSIFIER)))


def _trained_anew(folder: Path, trained: Path, stop: Interruption) -> str:
    from pgn_studio.cli.opening import opener
    from pgn_studio.cli.train import begin_run, print_result, train_run

    if (folder / "run.json").exists():
        raise RunError(f"{folder} already holds a run.", hint="Choose another --out.")
    settings = TrainingSettings.make(**ENHANCE, classifier=str(trained / DEMO_CLASSIFIER))
    finished = train_run(begin_run(settings, *opener(stop).open_both(settings), folder), stop)
    print_result(finished)
    stop.on_ask = None
    return finished.pgn_path
