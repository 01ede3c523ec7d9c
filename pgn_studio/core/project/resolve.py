"""From what somebody types to a run folder, a PGN or a classifier. Without torch: a typo shows at once."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pgn_studio.core.advice import Advice, Argument, Command
from pgn_studio.core.config import names_file
from pgn_studio.core.data import DATASETS
from pgn_studio.core.errors import ClassifierError, ConfigError, PgnFileError, RunError
from pgn_studio.core.paths import DEMO_SCHEME, demo_classifier, runs_folder
from pgn_studio.core.runs import RunFolder

WhichPgn = Literal["kept", "best", "last"]


def find_pgn(target: str, which: WhichPgn = "kept") -> tuple[Path, RunFolder | None]:
    """The PGN's file, and the run that it belongs to where it is in one.

    `target` is a .safetensors file, a run folder, or the name of a run among the runs. `which` of
    a run's PGNs: the one that it keeps as its result, the best epoch's, or the last. Raises PgnFileError
    or RunError.
    """
    path = Path(target).expanduser()
    if path.is_file():
        if which != "kept":
            raise ConfigError(
                f"{target} is a file; the {which} of its PGNs is asked of a run's folder.",
                hint=f"Name the folder, {path.parent}, or take the file as it is.",
            )
        return path.absolute(), _run_around(path)
    run = find_run(target)
    for candidate in _candidates(run, which):
        if candidate.is_file():
            return candidate.absolute(), run
    if which != "kept" and run.pgn_path.is_file():
        raise PgnFileError(
            f"The run {run.path} has no {which} PGN beside the one that it keeps.",
            hint="Use the one that it keeps.",
        )
    run.check_free()  # its first PGN comes with its first epoch
    stopped_early = "It was stopped before its first checkpoint: train it anew."
    resume = Advice("Train on with {}.", Command("train", (Argument("resume", str(run.path)),)))
    raise PgnFileError(
        f"The run {run.path} has no PGN yet.",
        hint=resume if run.checkpoint_path.is_file() else stopped_early,
    )


def _candidates(run: RunFolder, which: WhichPgn) -> tuple[Path, ...]:
    if which == "kept":
        return run.pgn_path, run.last_pgn_path
    return (run.best_pgn_path,) if which == "best" else (run.last_pgn_path,)


def find_run(target: str) -> RunFolder:
    """A run by its folder, or by its name among the runs. Raises RunError."""
    path = Path(target).expanduser()
    if not path.exists() and len(path.parts) == 1 and (runs_folder() / path).is_dir():
        path = runs_folder() / path
    if not path.exists():
        raise RunError(
            f"There is no run and no PGN {target!r}.",
            hint=Advice("The runs are listed by {}.", Command("runs")),
        )
    return RunFolder.open(path.absolute())


def _run_around(file: Path) -> RunFolder | None:
    try:
        return RunFolder.open(file.absolute().parent)
    except RunError:
        return None


def resolve_classifier(given: str) -> str:
    """`given`, or the bundled file that demo:NAME stands for.

    Raises ClassifierError unless it is a file, names an architecture, or is an address.
    """
    if given.startswith(DEMO_SCHEME):
        return str(demo_classifier(given.removeprefix(DEMO_SCHEME)))
    path = Path(given).expanduser()
    if not names_file(given) or path.is_file():
        return given
    if path.is_dir():
        raise ClassifierError(
            f"{given} is a folder; expected a classifier's file.", hint="Name the file in it."
        )
    raise ClassifierError(
        f"There is no classifier file {given}.",
        hint=Advice("One is made by {}.", Command("train-classifier")),
    )


def refuse_inside_dataset(out: Path, dataset: str) -> None:
    """Raises ConfigError where `out` lies in the data set's folder, whose images it would be taken for."""
    folder, place = Path(dataset).expanduser(), out.expanduser().resolve()
    if not dataset or not folder.is_dir() or dataset in DATASETS:
        return
    if place.is_relative_to(folder.resolve()):
        raise ConfigError(
            f"{out} lies inside the data set {folder}, of which it would become a part.",
            hint="Give a folder outside of it.",
        )
