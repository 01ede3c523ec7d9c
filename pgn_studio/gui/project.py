"""What is loaded: data set, classifier, and PGNs measured with them. Loads in the background."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from pgn_studio.core.config import DataSettings, TrainingSettings, data_part, is_black_box, names_file
from pgn_studio.core.errors import PgnStudioError, RunError
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.gui.task_queue import TaskQueue
from pgn_studio.gui.training.shown_run import Subject
from pgn_studio.gui.wording import error_text

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.core.evaluation.classifier_accuracy import ClassifiedSplit
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.locks import Holder
    from pgn_studio.core.perturbation.pgn import Pgn
    from pgn_studio.core.project.opening import Opener
    from pgn_studio.core.protocols import Progress

DEMO_PGN = "digits-enhance.safetensors"
OTHER_DATA = "These are other images than those of the training."
HEADLINE_SPLIT = "test"  # neither the classifier nor the PGN was trained on it


@dataclass(frozen=True)
class MeasuredPgn:
    """A PGN on a split, with all that was needed to measure it."""

    pgn: Pgn
    classifier: Classifier
    dataset: ImageDataset
    split_name: str
    evaluation: Evaluation
    data_settings: DataSettings
    source: ClassifierSource
    history: tuple[dict[str, Any], ...] = ()  # metrics.jsonl of its run
    run_folder: str = ""
    path: str = ""  # the file or folder that it was opened from
    holder: Holder | None = None  # who trains its run: it is open to be read only
    status: str = ""  # of its run, as the RunFolder has it
    settings: Mapping[str, Any] = field(default_factory=dict)  # of its run; else the PGN has its own


@dataclass(frozen=True)
class ReopenedRun:
    """A run from disk with its images and its classifier, ready to go on; it may have no PGN yet."""

    folder: str
    settings: TrainingSettings
    data_settings: DataSettings
    dataset: ImageDataset
    source: ClassifierSource
    classifier: Classifier
    history: tuple[dict[str, Any], ...]  # metrics.jsonl
    status: str  # as its RunFolder has it
    warning: str  # where its images are others now


class Project(TaskQueue):
    """Loads one thing after another; every signal comes on the GUI thread."""

    dataset_changed = Signal(object)  # ImageDataset
    classifier_changed = Signal(object)  # Classifier
    accuracy_measured = Signal(float, str)  # clean accuracy 0…1, split
    split_classified = Signal(object)  # ClassifiedSplit of what is loaded
    pgn_opened = Signal(object)  # MeasuredPgn, from a file or a run folder
    run_reopened = Signal(object)  # ReopenedRun, which is to go on
    run_measured = Signal(object)  # MeasuredPgn, of the run that has just ended
    warned = Signal(str, str)  # what the figures are not worth: in a few words, and in whole

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.dataset: ImageDataset | None = None
        self.classifier: Classifier | None = None
        self.source = ClassifierSource("")
        self.known: Callable[[], Mapping[str, ClassifierSource]] = dict  # of files that were opened before
        self.data_settings = DataSettings()
        self.reduced_from: int | None = None  # the images' own size, where it is larger
        self.device = "auto"

    # ------------------------------------------------------------------ state

    def chosen_device(self) -> str:
        """As the set-up says it."""
        return self.device

    def problem(self) -> str:
        """Why a run cannot start now; empty when it can."""
        if self.dataset is None:
            return "Load a data set first."
        if self.classifier is None:
            return "Load or train a classifier first."
        from pgn_studio.core.classifiers import check_classes

        try:
            check_classes(self.classifier, self.dataset.classes)
        except PgnStudioError as error:
            return error_text(error)
        return ""

    @property
    def subject(self) -> Subject | None:
        """What is loaded, as a run remembers with what it was trained."""
        if self.dataset is None or self.classifier is None:
            return None
        return (self.dataset.fingerprint, self.dataset.image_size, self.classifier.info)

    # ------------------------------------------------------------------ requests

    def load_dataset(self, settings: DataSettings, *, chosen: bool = True) -> None:
        """Without an image size, at the classifier's if there is one. `chosen`: somebody wants that size."""
        size = self.classifier.info.image_size if self.classifier else None
        size = settings.image_size or size
        work = partial(_load_whole, settings)
        if size is not None and not (chosen and settings.image_size):
            work = partial(_load_reduced, settings.updated(image_size=size))
        self._enqueue(f"Loading {Path(settings.dataset).name}", work, partial(self._set_loaded, settings))

    @Slot(int)
    def read_at(self, size: int) -> None:
        """The images that are loaded, anew."""
        self.load_dataset(self.data_settings.updated(image_size=size))

    def load_classifier(self, source: ClassifierSource) -> None:
        work, done = partial(_load_classifier, source, self._classes), partial(self.use_classifier, source)
        self._enqueue(f"Loading {Path(source.path).name}", work, done)

    def _classes(self) -> tuple[str, ...] | None:
        """Of the data set that is there when they are asked for: it may have been waiting to be loaded."""
        return self.dataset.classes if self.dataset else None

    def open_run(self, path: Path) -> None:
        """A run's PGN, measured; a run that has none yet with its curves, so that it can go on."""
        from pgn_studio.core.runs import PGN

        (self.open_pgn if (path / PGN).is_file() else self.reopen_run)(path)

    def open_pgn(self, path: Path) -> None:
        """Load a PGN (file or run folder) with its data set and classifier, and measure it on test."""
        loaded = None if self.classifier is None else (self.source, self.classifier)
        work = partial(_open_and_measure, path, self.device, self.dataset, loaded, self.known())
        self._enqueue(f"Opening {path.name}", work, self._set_opened)

    def reopen_run(self, path: Path) -> None:
        """Load a run's data set and classifier, so that it can go on; it may have no PGN yet."""
        loaded = None if self.classifier is None else (self.source, self.classifier)
        work = partial(_reopen, path, self.dataset, loaded)
        self._enqueue(f"Opening {path.name}", work, self._set_reopened)

    def open_demo(self) -> None:
        """The bundled digits with the weak classifier and a PGN that mends it."""
        self._enqueue("Opening the demo", partial(_open_demo, self.device), self._set_opened)

    def measure_run(self, pgn_path: str, run_folder: str) -> None:
        """Measure the PGN that a run has kept, on the test split."""
        if self.dataset is None or self.classifier is None:
            return
        loaded = _Loaded(self.classifier, self.source, self.dataset, self.data_settings)
        work = partial(_measure_kept, Path(pgn_path), run_folder, loaded, self.device)
        self._enqueue("Measuring the PGN on test", work, self.run_measured.emit, loads=False)

    # ------------------------------------------------------------------ results

    def _set_loaded(self, settings: DataSettings, loaded: tuple[ImageDataset, int | None]) -> None:
        dataset, own = loaded
        self._set_dataset(settings, dataset, reduced_from=own)

    def _set_dataset(
        self, settings: DataSettings, dataset: ImageDataset, *, reduced_from: int | None = None
    ) -> None:
        self.data_settings = settings
        self.reduced_from = reduced_from
        self.dataset = self._divided(dataset)
        self.dataset_changed.emit(self.dataset)
        self._measure_accuracy()

    def _divided(self, dataset: ImageDataset) -> ImageDataset:
        """As for the training of the classifier that is loaded, where that is better."""
        if self.classifier is None or tuple(dataset.classes) != tuple(self.classifier.info.classes):
            return dataset
        from pgn_studio.core.evaluation.leakage import divided_as_learned

        return divided_as_learned(dataset, self.classifier)

    def use_classifier(self, source: ClassifierSource, classifier: Classifier) -> None:
        """Take a classifier that is loaded; reads the images anew if they have another size."""
        self.classifier = classifier
        self.source = source.as_loaded(classifier)
        if self.dataset is not None and (divided := self._divided(self.dataset)) is not self.dataset:
            self.dataset = divided
            self.dataset_changed.emit(divided)
        self.classifier_changed.emit(classifier)
        fits = self.dataset is None or self.dataset.image_size == classifier.info.image_size
        if not fits and self.data_settings.image_size is None:
            self.load_dataset(self.data_settings)  # measures accuracy when it is there
        else:
            self._measure_accuracy()

    def _measure_accuracy(self) -> None:
        """On test; a black box, whose answers cost queries, is asked by the Classifier page's button."""
        if self.dataset is None or self.classifier is None or self.problem():
            return
        if self.classifier.queries is None:
            work = partial(_classify, self.classifier, self.dataset, self.device)
            self._enqueue("Measuring clean accuracy", work, self._tell_split, loads=False)

    def _tell_split(self, found: ClassifiedSplit) -> None:
        self.accuracy_measured.emit(found.accuracy.value, found.title)
        self.split_classified.emit(found)
        if found.learned is not None and (told := found.learned.sentence(found.split_name)):
            self.warned.emit(OTHER_DATA, told)

    def _set_reopened(self, run: ReopenedRun) -> None:
        self._take(run)
        self.run_reopened.emit(run)
        if run.warning:
            self.warned.emit(OTHER_DATA, run.warning)

    def _take(self, opened: MeasuredPgn | ReopenedRun) -> None:
        """The data set and the classifier."""
        self.data_settings = opened.data_settings
        self.reduced_from = None
        if opened.dataset is not self.dataset:
            self.dataset = opened.dataset
            self.dataset_changed.emit(opened.dataset)
        self.classifier = opened.classifier
        self.source = opened.source.as_loaded(opened.classifier)
        self.classifier_changed.emit(opened.classifier)

    def _set_opened(self, opened: MeasuredPgn) -> None:
        self._take(opened)
        self._tell_split(opened.evaluation.clean)
        self.pgn_opened.emit(opened)
        leakage = opened.evaluation.leakage
        if leakage is not None and (told := leakage.sentences(opened.split_name)):
            self.warned.emit(OTHER_DATA, " ".join(told))


# ---------------------------------------------------------------------- what runs in the background


def _measured(
    pgn: Pgn, classifier: Classifier, dataset: ImageDataset, device: str, progress: Progress
) -> Evaluation:
    from pgn_studio.core.project.opening import measure

    return measure(pgn, classifier, dataset, HEADLINE_SPLIT, device=device, progress=progress)[0]


def _load_dataset(settings: DataSettings, progress: Progress) -> ImageDataset:
    from pgn_studio.core.data.sources import load_dataset

    return load_dataset(settings, progress=progress)


def _load_whole(settings: DataSettings, progress: Progress) -> tuple[ImageDataset, int | None]:
    return _load_dataset(settings, progress), None


def _load_reduced(settings: DataSettings, progress: Progress) -> tuple[ImageDataset, int | None]:
    """At a size that nobody chose; with the images' own where that is larger."""
    from pgn_studio.core.data.folder import own_size

    dataset = _load_dataset(settings, progress)
    own = own_size(dataset)
    return dataset, own if own is not None and own > dataset.image_size else None


def _load_classifier(
    source: ClassifierSource, classes: Callable[[], tuple[str, ...] | None], _progress: Progress
) -> Classifier:
    return source.load(classes())


def _classify(
    classifier: Classifier, dataset: ImageDataset, device: str, progress: Progress
) -> ClassifiedSplit:
    from pgn_studio.core.classifiers import check_suits
    from pgn_studio.core.device import pick_device
    from pgn_studio.core.evaluation.classifier_accuracy import classify_split
    from pgn_studio.core.evaluation.leakage import classifier_learned

    check_suits(classifier, dataset.classes, dataset.image_size)
    found = classify_split(
        classifier,
        dataset.split(HEADLINE_SPLIT),
        split_name=HEADLINE_SPLIT,
        device=pick_device(device),
        progress=progress,
    )
    return replace(found, learned=classifier_learned(classifier, dataset, HEADLINE_SPLIT))


@dataclass(frozen=True)
class _Loaded:
    classifier: Classifier
    source: ClassifierSource
    dataset: ImageDataset
    data_settings: DataSettings


def _measure_kept(
    path: Path, run_folder: str, loaded: _Loaded, device: str, progress: Progress
) -> MeasuredPgn:
    from pgn_studio.core.perturbation.pgn import load_pgn

    pgn = load_pgn(path)
    evaluation = _measured(pgn, loaded.classifier, loaded.dataset, device, progress)
    return MeasuredPgn(
        pgn,
        loaded.classifier,
        loaded.dataset,
        HEADLINE_SPLIT,
        evaluation,
        loaded.data_settings,
        loaded.source,
        run_folder=run_folder,
    )


def _open_demo(device: str, progress: Progress) -> MeasuredPgn:
    from pgn_studio.core.paths import trained_folder

    path = trained_folder() / DEMO_PGN
    if not path.is_file():
        raise PgnStudioError(
            f"The demo's PGN is missing: expected {path}.",
            hint="Install PGN Studio again, or make the demo's files anew: `make demo-models`.",
        )
    return _open_and_measure(path, device, None, None, {}, progress)


def _open_and_measure(
    path: Path,
    device: str,
    current: ImageDataset | None,
    loaded: tuple[ClassifierSource, Classifier] | None,
    known: Mapping[str, ClassifierSource],
    progress: Progress,
) -> MeasuredPgn:
    """A PGN file or run folder with its classifier and data set, measured on test.

    `current` is used instead of the recorded data set where it is the same by its fingerprint, and
    `loaded` where the recorded classifier is an address or code, which a file alone must not start.
    """
    from pgn_studio.core.perturbation.pgn import read_pgn_info
    from pgn_studio.core.project.opening import data_of
    from pgn_studio.core.project.resolve import find_pgn

    recorded = read_pgn_info(find_pgn(str(path))[0]).classifier_path
    if names_file(recorded):
        loaded = None
    elif loaded is None or loaded[1].info.path != recorded:
        raise PgnStudioError(
            f"This PGN was trained against {recorded}.", hint="Open that black box first, then the PGN."
        )
    source, classifier = loaded or (None, None)
    subject = _opener(progress).open_pgn(path, known=known, loaded=(classifier, current))
    pgn, dataset = subject.pgn, subject.dataset
    opened = MeasuredPgn(
        pgn,
        subject.classifier,
        dataset,
        HEADLINE_SPLIT,
        _measured(pgn, subject.classifier, dataset, device, progress),
        data_of(pgn.info, {}),
        source or subject.source,
        path=str(path),
    )
    if subject.run is None or path.is_file():
        return opened
    return replace(
        opened,
        history=tuple(subject.run.read_metrics()),
        run_folder=str(subject.run.path),
        holder=subject.run.holder,
        status=subject.run.status,
        settings=subject.run.settings.model_dump(mode="json"),
    )


def _reopen(
    path: Path,
    current: ImageDataset | None,
    loaded: tuple[ClassifierSource, Classifier] | None,
    progress: Progress,
) -> ReopenedRun:
    """`current` is taken where it is the run's data set, `loaded` for its black box.

    Raises RunError where somebody else trains the run, or its black box is not open: a folder alone
    must not start code or ask addresses. Raises ClassifierError where its file is another one now.
    """
    from pgn_studio.core.runs import RunFolder

    run = RunFolder.open(path)
    run.check_free()
    settings = run.settings
    if not is_black_box(settings.classifier):
        loaded = None
    elif loaded is None or loaded[1].info.path != settings.classifier:
        raise RunError(
            f"This run asks the black box {settings.classifier}.",
            hint="Open that black box first, then the run.",
        )
    source, classifier = loaded or (None, None)
    opened = _opener(progress).open_run(run, loaded=(classifier, current))
    return ReopenedRun(
        str(run.path),
        settings,
        data_part(settings),
        opened.dataset,
        source or opened.source,
        opened.classifier,
        tuple(run.read_metrics()),
        run.status,
        opened.warning,
    )


def _opener(progress: Progress) -> Opener:
    from pgn_studio.core.data.sources import load_dataset
    from pgn_studio.core.project.opening import Opener

    return Opener(read=partial(load_dataset, progress=progress))
