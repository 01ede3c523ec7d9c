"""`pgn-studio train`: a PGN against a frozen classifier, or the continuation of a run."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgn_studio.cli import terminal
from pgn_studio.cli.blackbox import GivenAccess, with_access
from pgn_studio.cli.options import option_name, with_settings
from pgn_studio.cli.progress import TrainingReport
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.threads import prepare
from pgn_studio.core.amounts import duration, percent, plural
from pgn_studio.core.config import TrainingSettings, check_discriminator, is_black_box
from pgn_studio.core.errors import Canceled, ConfigError, RunError
from pgn_studio.core.project.resolve import find_run, resolve_classifier

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.core.project.opening import Opener
    from pgn_studio.core.project.source import ClassifierSource
    from pgn_studio.core.project.training_run import TrainingRun
    from pgn_studio.core.runs import RunFolder
    from pgn_studio.core.training.events import RunFinished

log = logging.getLogger(__name__)

EXAMPLE = (
    "Example: pgn-studio train --dataset photos --classifier photos-classifier.safetensors "
    "--problem enhance --epochs 15 --out photos-enhance"
)
ALONG_WITH_RESUME = ("epochs", "device")


@with_settings(TrainingSettings)
@with_access
def train(
    given: dict[str, Any],
    access: GivenAccess,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", metavar="RUN", help="The run folder to make; default: a dated one among the runs."
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Continue this run with its own settings; only --epochs (to train longer), "
            "--device and how to ask a black box may be given along.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print the settings as JSON, with every default filled in, and train nothing."
        ),
    ] = False,
    classifier_arch: Annotated[
        str | None,
        typer.Option(
            help="Architecture of a weights file that does not name it.",
            rich_help_panel="External classifier",
        ),
    ] = None,
) -> None:
    """Train a PGN against a frozen classifier.

    One PGN serves a range of γ, chosen when it is used; --gamma 3 trains one for that γ alone.
    Shows losses, L2, fixed and broken images and accuracy while it trains, and measures every epoch
    on the validation images, at the middle and the ends of the range. Ctrl+C stops and keeps the run;
    --resume goes on with it.
    """
    if resume is not None:
        parts = (classifier_arch, access.classes, *access.normalization, access.classifier_channels)
        external_given = any(part is not None for part in parts)
        _refuse_with_resume(given, out=out, dry_run=dry_run, external=external_given)
        find_run(resume)  # a typo shows before torch is imported
        settings = None
    else:
        settings = _checked(given)
        access.check(settings.classifier)
    prepare()
    from pgn_studio.cli.opening import opener

    source = access.source(None, classifier_arch)
    with Interruption() as stop:
        if settings is not None and dry_run:
            terminal.result(_resolved_json(settings, out, source, opener(stop)))
            return
        if settings is None:
            training_run = _resumed(str(resume), given, source, opener(stop))
        else:
            training_run = _new(settings, out, source, opener(stop))
        finished = train_run(training_run, stop)
    print_result(finished)
    if finished.reason == "stopped":
        if finished.step:  # before the first there is nothing to go on from
            terminal.note(f"Go on with: pgn-studio train --resume {finished.run_folder}")
        raise typer.Exit(stop.exit_code)


def _checked(given: dict[str, Any]) -> TrainingSettings:
    settings = TrainingSettings.make(**given)
    if not settings.classifier:
        raise ConfigError(
            "--classifier is needed: the frozen classifier's file.",
            hint="`pgn-studio train-classifier` makes one.",
        )
    resolve_classifier(settings.classifier)
    if is_black_box(settings.classifier):
        check_discriminator(settings)
    return settings


def _refuse_with_resume(given: dict[str, Any], *, out: str | None, dry_run: bool, external: bool) -> None:
    if dry_run:
        raise ConfigError(
            "--dry-run says what a new run would be; a run that is there has it in its run.json.",
            hint="Leave out --resume or --dry-run.",
        )
    refused = [
        f"--set {name}" if TrainingSettings.is_experimental(name) else option_name(name)
        for name in given
        if name not in ALONG_WITH_RESUME
    ]
    refused += ["--out"] if out is not None else []
    refused += ["--classifier-arch, -mean, -std or -channels, or --classes"] if external else []
    if refused:
        raise ConfigError(
            f"--resume continues with the run's own settings: {', '.join(refused)} cannot be given along.",
            hint="Leave out all but --epochs and --device, or start a new run.",
        )


def _new(
    settings: TrainingSettings, out: str | None, source: ClassifierSource, opener: Opener
) -> TrainingRun:
    from pgn_studio.core.project.training_run import check_new_run, recordable

    folder = check_new_run(settings, out)
    classifier, dataset = opener.open_both(settings, source)
    return begin_run(recordable(settings, dataset), classifier, dataset, folder)


def _resolved_json(
    settings: TrainingSettings, out: str | None, source: ClassifierSource, opener: Opener
) -> str:
    """The settings of the run that would be made, as its run.json holds them, with the defaults."""
    from pgn_studio.cli.opening import note, note_mirroring
    from pgn_studio.core.project.training_run import check_new_run, recordable
    from pgn_studio.core.training.resolving import resolved

    check_new_run(settings, out)
    classifier, dataset = opener.open_both(settings, source)
    whole = resolved(recordable(settings, dataset), classifier, dataset)
    note_mirroring(settings, dataset)
    if whole.input_mixup is None:
        note("input_mixup is measured on the classifier's answers when the training begins.")
    return json.dumps(whole.model_dump(mode="json"), indent=2, allow_nan=False, ensure_ascii=False)


def _resumed(target: str, given: dict[str, Any], source: ClassifierSource, opener: Opener) -> TrainingRun:
    run = find_run(target)
    settings = run.settings
    if "epochs" in given and given["epochs"] < (settings.epochs or 0):
        raise ConfigError(
            f"--epochs {given['epochs']}: the run was set to {settings.epochs} epochs already.",
            hint="Give a larger number to train longer, or leave it out.",
        )
    settings = settings.updated(**given)
    run.check_unfinished(settings.epochs)
    run.take()  # before the images are read: another process may be training it
    try:
        opened = opener.open_run(run, source, settings=settings)
        return continue_run(run, settings, opened.classifier, opened.dataset)
    except BaseException:
        run.release()
        raise


def begin_run(
    settings: TrainingSettings, classifier: Classifier, dataset: ImageDataset, folder: Path | None
) -> TrainingRun:
    """`start_run`, with notes on stderr."""
    from pgn_studio.cli.opening import note_mirroring
    from pgn_studio.core.project.training_run import start_run

    training_run = start_run(settings, classifier, dataset, folder)
    terminal.note(f"Run: {training_run.run.path}")
    note_mirroring(settings, dataset)
    return training_run


def continue_run(
    run: RunFolder, settings: TrainingSettings, classifier: Classifier, dataset: ImageDataset
) -> TrainingRun:
    """`resume_run`, with notes on stderr."""
    from pgn_studio.cli.opening import note
    from pgn_studio.core.evaluation.leakage import told_of_other_images
    from pgn_studio.core.project.training_run import resume_run

    told = told_of_other_images(run, dataset)
    training_run = resume_run(run, settings, classifier, dataset)
    if told:
        note(told)
    terminal.note(f"Run: {run.path}")
    if not training_run.resume:
        note("the run ended before its first checkpoint: it starts from its beginning.")
    return training_run


def train_run(training_run: TrainingRun, stop: Interruption) -> RunFinished:
    """Train in this thread with a report on stderr. Raises RunError when the run fails."""
    from pgn_studio.core.training.control import TrainingControl
    from pgn_studio.core.training.events import RunFailed

    if stop.asked:
        training_run.run.release()
        raise Canceled
    settings = training_run.settings
    control = TrainingControl(gamma=settings.first_gamma, gammas=settings.gammas)
    stop.on_ask = control.stop
    terminal.note("Preparing the networks and measuring the classifier …")
    with TrainingReport() as report:
        ending = training_run.train(control, report)
    if isinstance(ending, RunFailed):
        raise RunError(ending.message, hint=ending.hint, details=ending.details)
    return ending


def print_result(finished: RunFinished) -> None:
    """The validation figures of the PGN that the run keeps, on stdout."""
    word = "Completed" if finished.reason == "completed" else "Stopped"
    terminal.result(
        f"{word} after {plural(finished.epoch, 'epoch')} ({plural(finished.step, 'step')}) "
        f"in {duration(finished.seconds)}."
    )
    terminal.result(
        f"Validation accuracy {percent(finished.clean_accuracy)} -> "
        f"{percent(finished.perturbed_accuracy)}, "
        f"after 8-bit rounding {percent(finished.perturbed_accuracy_8bit)}"
    )
    if finished.kept is not None:
        terminal.result(f"Kept: {finished.describe_kept()}")
    terminal.result(f"PGN: {finished.pgn_path}")
    terminal.result(f"Run: {finished.run_folder}")
