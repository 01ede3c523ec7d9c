"""`pgn-studio train-classifier`: a vanilla classifier, from scratch or from pretrained weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgn_studio.cli import terminal
from pgn_studio.cli.options import refuse_folder, with_settings
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.threads import prepare
from pgn_studio.core.amounts import percent
from pgn_studio.core.config import ClassifierSettings
from pgn_studio.core.errors import ClassifierError, ConfigError

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier, ClassifierProgress
    from pgn_studio.core.data.dataset import ImageDataset

EXAMPLE = (
    "Example: pgn-studio train-classifier --dataset photos --arch small --image-size 96 --epochs 30 "
    "--out photos-classifier.safetensors"
)


@with_settings(ClassifierSettings)
def train_classifier(
    given: dict[str, Any],
    out: Annotated[Path, typer.Option("--out", help="The file to write (.safetensors).", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace the file when it exists.")] = False,
) -> None:
    """Train a vanilla classifier: the network that a PGN then leaves frozen.

    From scratch, or from pretrained weights (--weights pretrained). Ends with its accuracy on the
    training, validation and test images. Ctrl+C keeps what there is.
    """
    settings = ClassifierSettings.make(**given)
    out = _checked_file(out, force)
    prepare()
    from pgn_studio.cli.opening import opener
    from pgn_studio.core.data.dataset import settings_as_loaded
    from pgn_studio.core.device import pick_device
    from pgn_studio.core.project.source import ClassifierSource

    pick_device(settings.device)  # a wrong name is an error before the images are read
    with Interruption() as stop:
        dataset = opener(stop).read_at_a_size(settings, ClassifierSource(f"arch:{settings.arch}"))
        settings = settings_as_loaded(settings, dataset)
        classifier = trained_with_report(dataset, settings, out, stop)
        if stop.asked:
            terminal.result(f"Stopped; the classifier as it is: {out}")
            raise typer.Exit(stop.exit_code)
        _print_accuracies(classifier, dataset, settings, stop)
    terminal.result(f"Classifier: {out}")


def trained_with_report(
    dataset: ImageDataset, settings: ClassifierSettings, out: Path, stop: Interruption
) -> Classifier:
    """Train with progress on stderr; asked to stop, it ends early and `out` holds what there is."""
    from pgn_studio.cli.opening import note_mirroring
    from pgn_studio.core.classifiers import train_classifier as train

    note_mirroring(settings, dataset)
    with ClassifierReport(settings.epochs) as report:
        return train(
            dataset.split("train"),
            dataset.split("val"),
            dataset.classes,
            settings,
            out=out,
            fingerprint=dataset.fingerprint,
            mirrorable=dataset.mirrorable,
            on_progress=report,
            stop=lambda: stop.asked,
        )


def _checked_file(out: Path, force: bool) -> Path:
    out = out.expanduser()
    if out.suffix != ".safetensors":
        raise ConfigError(f"--out: expected a name that ends in .safetensors, got {str(out)!r}.")
    refuse_folder(out, "--out")
    if out.exists() and not force:
        raise ClassifierError(f"{out} exists already.", hint="Give --force to replace it, or another --out.")
    out.parent.mkdir(parents=True, exist_ok=True)  # an unwritable place shows before the training
    return out


def _print_accuracies(
    classifier: Classifier, dataset: ImageDataset, settings: ClassifierSettings, stop: Interruption
) -> None:
    from pgn_studio.core.classifiers import measure_accuracy
    from pgn_studio.core.device import pick_device

    device = pick_device(settings.device)
    terminal.result(f"{classifier.info.arch}: {classifier.info.parameters:,} parameters")
    for name in ("train", "val", "test"):
        split = dataset.split(name)
        with terminal.progress(f"Measuring on {name}", stop) as report:
            accuracy = measure_accuracy(classifier, split, device=device, progress=report)
        terminal.result(f"{name:<5} accuracy {percent(accuracy):>7} ({len(split)} images)")


class ClassifierReport:
    """A bar or plain lines from ClassifierProgress."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._line = terminal.LiveLine()

    def __enter__(self) -> ClassifierReport:
        self._line.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._line.__exit__(*error)

    def __call__(self, progress: ClassifierProgress) -> None:
        val = progress.val_accuracy
        measured = "" if val is None else f"  validation {percent(val)}"
        self._line.show(
            progress.step,
            progress.total_steps,
            f"epoch {progress.epoch}/{self._epochs}",
            f"loss {progress.loss:.4f}  training {percent(progress.train_accuracy)}{measured}"
            f"  {progress.images_per_second:.0f} images/s",
        )
