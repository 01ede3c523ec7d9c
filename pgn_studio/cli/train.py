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
from pgn_studio.cli.resolve import check_classifier, find_run, refuse_inside_dataset
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.threads import prepare
from pgn_studio.core.config import TrainingSettings, check_discriminator, is_black_box, names_file
from pgn_studio.core.errors import Canceled, ConfigError, RunError

if TYPE_CHECKING:
    from pgn_studio.cli.opening import ExternalClassifier
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset
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
            help="Architecture of a weights file that does not name it.", rich_help_panel="Foreign classifier"
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
        foreign_given = any(part is not None for part in parts)
        _refuse_with_resume(given, out=out, dry_run=dry_run, foreign=foreign_given)
        find_run(resume)  # a typo shows before torch is imported
        settings = None
    else:
        settings = _checked(given)
        access.check(settings.classifier)
    prepare()
    from pgn_studio.cli.opening import ExternalClassifier

    with Interruption() as stop:
        foreign = ExternalClassifier.given(classifier_arch, access)
        if settings is not None and dry_run:
            terminal.result(_resolved_json(settings, out, foreign, stop))
            return
        if settings is None:
            session = _resumed(str(resume), given, foreign, stop)
        else:
            session = _new(settings, out, foreign, stop)
        finished = run_session(session, stop)
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
    check_classifier(settings.classifier)
    if is_black_box(settings.classifier):
        check_discriminator(settings)
    return settings


def _refuse_with_resume(given: dict[str, Any], *, out: str | None, dry_run: bool, foreign: bool) -> None:
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
    refused += ["--classifier-arch, -mean, -std or -channels, or --classes"] if foreign else []
    if refused:
        raise ConfigError(
            f"--resume continues with the run's own settings: {', '.join(refused)} cannot be given along.",
            hint="Leave out all but --epochs and --device, or start a new run.",
        )


class Session:
    """Everything a Trainer is made of."""

    def __init__(
        self,
        settings: TrainingSettings,
        *,
        classifier: Classifier,
        dataset: ImageDataset,
        run: RunFolder,
        resume: bool = False,
    ) -> None:
        self.settings = settings
        self.classifier = classifier
        self.dataset = dataset
        self.run = run
        self.resume = resume


def _new(
    settings: TrainingSettings, out: str | None, foreign: ExternalClassifier, stop: Interruption
) -> Session:
    from pgn_studio.cli.opening import open_both
    from pgn_studio.core.data.dataset import settings_as_loaded

    folder = _unused(settings, out)
    classifier, dataset = open_both(settings, foreign, stop)
    kept = settings_as_loaded(absolute_settings(settings), dataset)
    return start_run(kept, classifier, dataset, folder, foreign)


def _unused(settings: TrainingSettings, out: str | None) -> Path | None:
    """The folder of a new run; what cannot be trained, or not there, shows before the images are read."""
    from pgn_studio.core.device import training_machine
    from pgn_studio.core.encoders import check_encoder
    from pgn_studio.core.runs import check_unused

    training_machine(settings.device, settings.precision)
    check_encoder(settings)
    folder = None if out is None else Path(out).expanduser().absolute()
    if folder is not None:
        refuse_inside_dataset(folder, settings.dataset)
        check_unused(folder)  # as RunFolder.create does
    return folder


def _resolved_json(
    settings: TrainingSettings, out: str | None, foreign: ExternalClassifier, stop: Interruption
) -> str:
    """The settings of the run that would be made, as its run.json holds them, with the defaults."""
    from pgn_studio.cli.opening import note_mirroring, open_both
    from pgn_studio.core.data.dataset import settings_as_loaded
    from pgn_studio.core.training.resolving import resolved

    _unused(settings, out)
    classifier, dataset = open_both(settings, foreign, stop)
    whole = resolved(settings_as_loaded(absolute_settings(settings), dataset), classifier, dataset)
    note_mirroring(settings, dataset)
    if whole.input_mixup is None:
        terminal.note("note: input_mixup is measured on the classifier's answers when the training begins.")
    return json.dumps(whole.model_dump(mode="json"), indent=2, allow_nan=False, ensure_ascii=False)


def absolute_settings(settings: TrainingSettings) -> TrainingSettings:
    """`settings` with absolute paths, so that a run is found again from another folder."""
    from pgn_studio.cli.opening import absolute_dataset

    source = settings.classifier
    if names_file(source):
        source = str(Path(source).expanduser().absolute())
    data = absolute_dataset(settings.model_dump(include={"dataset", "data_root"}, exclude_none=True))
    return settings.updated(**data, classifier=source)


def start_run(
    settings: TrainingSettings,
    classifier: Classifier,
    dataset: ImageDataset,
    folder: Path | None,
    foreign: ExternalClassifier,
) -> Session:
    """Make the run folder; run.json records the data set, the classifier and its hash."""
    from pgn_studio.cli.opening import ExternalClassifier, note_mirroring
    from pgn_studio.core.runs import RunFolder

    extra: dict[str, Any] = {
        "dataset": {"name": dataset.name, "root": dataset.root, "fingerprint": dataset.fingerprint},
        "classifier": {"path": classifier.info.path, "sha256": classifier.info.sha256},
    }
    if foreign.to_json() != ExternalClassifier().to_json():
        extra["external_classifier"] = foreign.to_json()
    run = RunFolder.create(folder, settings, extra=extra)
    terminal.note(f"Run: {run.path}")
    note_mirroring(settings, dataset)
    return Session(settings, classifier=classifier, dataset=dataset, run=run)


def _resumed(target: str, given: dict[str, Any], asked: ExternalClassifier, stop: Interruption) -> Session:
    from pgn_studio.cli.opening import ExternalClassifier, open_both

    run = find_run(target)
    settings = run.settings
    if "epochs" in given and given["epochs"] < (settings.epochs or 0):
        raise ConfigError(
            f"--epochs {given['epochs']}: the run was set to {settings.epochs} epochs already.",
            hint="Give a larger number to train longer, or leave it out.",
        )
    settings = settings.updated(**given)
    run.check_unfinished(settings.epochs)
    foreign = asked.over(ExternalClassifier.recorded(run.run_json.get("external_classifier")))
    run.take()  # before the images are read: another process may be training it
    try:
        opened = open_both(_with_found_classifier(settings, run), foreign, stop)
        return resumed_session(run, settings, *opened, foreign)
    except BaseException:
        run.release()
        raise


def resumed_session(
    run: RunFolder,
    settings: TrainingSettings,
    classifier: Classifier,
    dataset: ImageDataset,
    foreign: ExternalClassifier,
) -> Session:
    """Go on with `run` under `settings`: from its checkpoint, or from the beginning where it has none."""
    from pgn_studio.core.evaluation.leakage import told_of_other_images

    run.check_classifier(classifier.info.sha256)
    run.take()
    recorded = run.run_json.get("dataset")
    if isinstance(recorded, dict) and recorded.get("fingerprint") != dataset.fingerprint:
        terminal.note(f"note: {told_of_other_images(run, dataset)}")
    run.update(settings=settings.model_dump(mode="json"))
    if classifier.queries is not None:
        classifier.queries.add_earlier(int(run.run_json.get("queries") or 0))
        run.update(external_classifier=foreign.to_json())
    terminal.note(f"Run: {run.path}")
    resume = run.rewind()
    if not resume:
        terminal.note("note: the run ended before its first checkpoint: it starts from its beginning.")
    return Session(settings, classifier=classifier, dataset=dataset, run=run, resume=resume)


def _with_found_classifier(settings: TrainingSettings, run: RunFolder) -> TrainingSettings:
    """Settings whose classifier is where its file is now. Raises ClassifierError as `evaluate` does."""
    from pgn_studio.core.paths import trained_folder
    from pgn_studio.core.perturbation.pgn import find_classifier_file

    if not names_file(settings.classifier):
        return settings
    found = find_classifier_file(
        settings.classifier,
        run.classifier_sha256,
        beside=run.path,
        trained=trained_folder(),
        hint="Restore the file, or put it beside the run; another classifier needs a new run.",
    )
    return settings.updated(classifier=str(found))


def run_session(session: Session, stop: Interruption) -> RunFinished:
    """Train in this thread with a report on stderr. Raises RunError when the run fails."""
    from pgn_studio.core.training.control import TrainingControl
    from pgn_studio.core.training.events import RunFailed
    from pgn_studio.core.training.trainer import Trainer

    session.run.take()
    try:
        if stop.asked:
            raise Canceled
        control = TrainingControl(gamma=session.settings.first_gamma, gammas=session.settings.gammas)
        stop.on_ask = control.stop
        terminal.note("Preparing the networks and measuring the classifier …")
        with TrainingReport() as report:
            ending = Trainer(
                session.settings,
                dataset=session.dataset,
                classifier=session.classifier,
                run=session.run,
                control=control,
                sink=report,
                resume=session.resume,
            ).run()
    except KeyboardInterrupt:
        session.run.update(status="stopped")  # the last checkpoint is there to go on from
        raise
    finally:
        session.run.release()
    if isinstance(ending, RunFailed):
        raise RunError(ending.message, hint=ending.hint, details=ending.details)
    return ending


def print_result(finished: RunFinished) -> None:
    """The validation figures of the PGN that the run keeps, on stdout."""
    word = "Completed" if finished.reason == "completed" else "Stopped"
    terminal.result(
        f"{word} after {finished.epoch} epochs ({finished.step} steps) "
        f"in {terminal.duration(finished.seconds)}."
    )
    terminal.result(
        f"Validation accuracy {terminal.percent(finished.clean_accuracy)} -> "
        f"{terminal.percent(finished.perturbed_accuracy)}, "
        f"after 8 bits {terminal.percent(finished.perturbed_accuracy_8bit)}"
    )
    if finished.kept is not None:
        terminal.result(f"Kept: {finished.describe_kept()}")
    terminal.result(f"PGN: {finished.pgn_path}")
    terminal.result(f"Run: {finished.run_folder}")
