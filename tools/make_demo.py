"""Make the demo's files anew: `python -m tools.make_demo [--out FOLDER]`, or `make demo-models`.

A deliberately weak classifier of handwritten digits, a PGN that helps it and one that fools it,
and a README with what they measure.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgn_studio.cli import terminal
from pgn_studio.cli.demo import ENHANCE
from pgn_studio.cli.evaluate import measure
from pgn_studio.cli.options import written
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.threads import prepare
from pgn_studio.core.amounts import percent
from pgn_studio.core.config import ClassifierSettings, TrainingSettings
from pgn_studio.core.errors import Canceled, PgnFileError, PgnStudioError
from pgn_studio.core.paths import DEMO_ADVERSARIAL, DEMO_CLASSIFIER, DEMO_ENHANCE, DEMO_FILES, trained_folder

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.evaluate import Evaluation

# About 60 digits leave the classifier near 91 %: room for a PGN to help.
CLASSIFIER: dict[str, Any] = {
    "dataset": "digits",
    "arch": "small",
    "max_train_images": 60,
    "epochs": 60,
    "batch_size": 16,
    "seed": 0,
    "device": "cpu",
    "precision": "fp32",
}
ADVERSARIAL: dict[str, Any] = {**ENHANCE, "problem": "adversarial", "epochs": 10}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.make_demo", description=make_demo.__doc__)
    parser.add_argument(
        "--out", type=Path, default=trained_folder(), help="default: trained/ of this checkout"
    )
    try:
        make_demo(parser.parse_args(argv).out.expanduser().absolute())
    except PgnStudioError as error:
        terminal.note(str(error))
        return 2
    return 0


def make_demo(folder: Path) -> None:
    """Train the demo's classifier and PGNs, measure them on the test split, write a README."""
    folder.mkdir(parents=True, exist_ok=True)
    prepare()
    with Interruption() as stop, tempfile.TemporaryDirectory() as work, _working_in(Path(work)):
        sections = [_make_classifier(stop)]
        for name, given in ((DEMO_ENHANCE, ENHANCE), (DEMO_ADVERSARIAL, ADVERSARIAL)):
            sections.append(_make_pgn(name, given, stop))
        for name in DEMO_FILES:
            refuse_paths_of_this_machine(Path(name))
            shutil.copyfile(name, folder / name)
    (folder / "README.md").write_text(_HEADER + "\n".join(sections), encoding="utf-8")
    terminal.result(f"Made {', '.join(DEMO_FILES)} and README.md in {folder}")


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """Work in `folder`: files are named there without a path."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _make_classifier(stop: Interruption) -> str:
    from pgn_studio.cli.opening import open_dataset
    from pgn_studio.cli.train_classifier import ClassifierReport
    from pgn_studio.core.classifiers import measure_accuracy, train_classifier
    from pgn_studio.core.device import pick_device

    settings = ClassifierSettings.make(**CLASSIFIER)
    dataset = open_dataset(settings, stop)
    with ClassifierReport(settings.epochs) as report:
        classifier = train_classifier(
            dataset.split("train"),
            dataset.split("val"),
            dataset.classes,
            settings,
            out=Path(DEMO_CLASSIFIER),
            fingerprint=dataset.fingerprint,
            mirrorable=dataset.mirrorable,
            on_progress=report,
            stop=lambda: stop.asked,
        )
    if stop.asked:
        raise Canceled
    lines = [f"## {DEMO_CLASSIFIER}", "", "Accuracy of the classifier alone:", ""]
    for name in ("train", "val", "test"):
        split = dataset.split(name)
        accuracy = measure_accuracy(classifier, split, device=pick_device(settings.device))
        lines.append(f"- {name}: {percent(accuracy)} of {len(split)} images")
    return "\n".join([*lines, "", *_command_lines("train-classifier", CLASSIFIER, DEMO_CLASSIFIER), ""])


def _make_pgn(name: str, given: Mapping[str, Any], stop: Interruption) -> str:
    from pgn_studio.cli.opening import opener
    from pgn_studio.cli.train import begin_run, train_run
    from pgn_studio.core.perturbation.pgn import load_pgn, save_pgn
    from pgn_studio.core.project.opening import Subject

    settings = TrainingSettings.make(**given, classifier=DEMO_CLASSIFIER)
    classifier, dataset = opener(stop).open_both(settings)
    run_folder = Path(name).stem
    finished = train_run(begin_run(settings, classifier, dataset, Path(run_folder)), stop)
    stop.on_ask = None
    if stop.asked:
        raise Canceled
    pgn = load_pgn(Path(finished.pgn_path))
    given_by_name = {**pgn.info.settings, "classifier": DEMO_CLASSIFIER}
    info = replace(pgn.info, name=run_folder, classifier_path=DEMO_CLASSIFIER, settings=given_by_name)
    save_pgn(Path(name), pgn.generator, info)
    subject = Subject(load_pgn(Path(name)), classifier, dataset)
    evaluation = measure(subject, "test", device=settings.device, batch_size=256, stop=stop)
    options = {**given, "classifier": DEMO_CLASSIFIER}
    command = _command_lines("train", options, run_folder)
    return "\n".join([f"## {name}", "", *_figures(evaluation), "", *command, ""])


def _figures(evaluation: Evaluation) -> list[str]:
    metrics = evaluation.metrics
    return [
        f"On the test split ({metrics.n} images), seed {evaluation.facts['seed']}:",
        "",
        f"- accuracy {percent(metrics.clean_accuracy)} -> {percent(metrics.perturbed_accuracy)}, "
        f"after 8-bit rounding {percent(metrics.perturbed_accuracy_8bit)}",
        f"- fixed {metrics.fixed}, broken {metrics.broken} (McNemar's p {metrics.mcnemar_p:.2g}); "
        f"after 8-bit rounding fixed {metrics.fixed_8bit}, broken {metrics.broken_8bit}",
        f"- mean L2 norm {metrics.l2_mean:.3g}, RMS per value {metrics.rms_mean:.3g}, "
        f"largest change {metrics.linf_max:.3g}",
    ]


def _command_lines(command: str, given: Mapping[str, Any], out: str) -> list[str]:
    """The same training as a command that anyone can run."""
    return ["```", shlex.join(["pgn-studio", command, *written(given), "--out", out]), "```"]


def refuse_paths_of_this_machine(path: Path) -> None:
    """The files go into the repository: their metadata may name no folder of this machine."""
    with path.open("rb") as stream:
        header = stream.read(int.from_bytes(stream.read(8), "little")).decode()
    for folder in (Path.home(), Path.cwd(), Path(tempfile.gettempdir())):
        if f"{folder}{os.sep}" in header:
            raise PgnFileError(
                f"{path.name} names the folder {folder} in its metadata.",
                hint="Record names without folders.",
            )


_HEADER = f"""# The demo's trained files

scikit-learn's handwritten digits at 16 px, a deliberately weak classifier, a PGN that helps it and
one that fools it. Made, with these figures, by

```
python -m tools.make_demo
```

The classifier was chosen by nothing but its seed; the PGNs never saw the test split. The commands
below train the same files one by one; `pgn.safetensors` in the run folder is the PGN
({DEMO_ENHANCE}, {DEMO_ADVERSARIAL}).

"""

if __name__ == "__main__":
    sys.exit(main())
