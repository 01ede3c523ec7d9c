"""Opening what is worked on: a run's data set and classifier, a PGN with both, a run that is to go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pgn_studio.core.classifiers import Classifier, check_suits, recorded_data_range
from pgn_studio.core.classifiers.loading import own_image_size, suitable_image_size
from pgn_studio.core.config import DataSettings, TrainingSettings, data_part
from pgn_studio.core.data import DATASETS
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.device import pick_device
from pgn_studio.core.evaluation.along import evaluate_along
from pgn_studio.core.evaluation.evaluate import Evaluation, evaluate
from pgn_studio.core.evaluation.leakage import (
    classifier_learned,
    divided_as_learned,
    find_leakage,
    told_of_other_images,
)
from pgn_studio.core.perturbation.pgn import Pgn, PgnInfo, load_pgn
from pgn_studio.core.project.resolve import WhichPgn, find_pgn
from pgn_studio.core.project.source import ClassifierSource, classifier_of_pgn, source_of_run
from pgn_studio.core.protocols import Progress
from pgn_studio.core.runs import RunFolder

RECORDED = ClassifierSource()  # nothing is said of the classifier: it is the recorded one
_OTHER_SIZE = "The PGN makes images of this size: give a classifier that takes them."


@dataclass(frozen=True)
class Subject:
    """A PGN with everything that it takes to use it."""

    pgn: Pgn
    classifier: Classifier
    dataset: ImageDataset
    run: RunFolder | None = None
    source: ClassifierSource = RECORDED


@dataclass(frozen=True)
class OpenedRun:
    """A run from disk with its images and its classifier; it may have no PGN yet."""

    run: RunFolder
    settings: TrainingSettings
    dataset: ImageDataset
    classifier: Classifier
    source: ClassifierSource
    warning: str  # where its images are others now


@dataclass(frozen=True)
class Opener:
    """`read` loads a data set, and `note` is told in sentences what was decided: each face shows both."""

    read: Callable[[DataSettings], ImageDataset] = load_dataset
    note: Callable[[str], None] = lambda text: None

    def open_both(
        self,
        settings: TrainingSettings,
        source: ClassifierSource = RECORDED,
        *,
        loaded: tuple[Classifier | None, ImageDataset | None] = (None, None),
    ) -> tuple[Classifier, ImageDataset]:
        """A run's classifier and data set, at the classifier's size unless the settings say another.

        `source` says of `settings.classifier` what that does not say itself. What is `loaded` stays as it is.
        """
        source = replace(source, path=settings.classifier)
        classifier, dataset = loaded
        if classifier is None and dataset is None and source.stands_alone:
            classifier = source.load()
        if dataset is None and classifier is not None:
            dataset = self.read(data_part(at_size_of(settings, classifier)))
        elif dataset is None:
            dataset = self.read_at_a_size(settings, source)
        if classifier is None:
            classifier = source.load(dataset.classes, dataset.image_size)
        self._note_each(classifier.info.notices)
        check_suits(classifier, dataset.classes, dataset.image_size)
        return classifier, dataset if loaded[1] else self.as_learned(dataset, classifier)

    def as_learned(self, dataset: ImageDataset, classifier: Classifier) -> ImageDataset:
        """Divided as for the classifier's training where that is better; what it learned from is told."""
        divided = divided_as_learned(dataset, classifier)
        self._note_each(divided.notices[len(dataset.notices) :] if divided is not dataset else ())
        learned = classifier_learned(classifier, divided, "test")
        if learned is not None:
            self._note_each([learned.sentence("test")])
        return divided

    def read_at_a_size(self, settings: DataSettings, source: ClassifierSource) -> ImageDataset:
        """At the size asked for, else the only one that the classifier takes, else the data set's own.

        Where the classifier's network cannot take that one, at the size that it was made for.
        """
        wanted = data_part(settings)
        if wanted.image_size is not None:
            return self.read(wanted)
        dataset = self.read(wanted.updated(image_size=own_image_size(source.path, source.arch)))
        size = suitable_image_size(source.path, source.arch, dataset.image_size)
        if size == dataset.image_size:
            return dataset
        own = dataset.image_size
        self.note(f"the classifier cannot take images of {own} px; they are resized to {size} px.")
        return self.read(wanted.updated(image_size=size))

    def open_pgn(
        self,
        target: str | Path,
        source: ClassifierSource = RECORDED,
        *,
        data: Mapping[str, Any] | None = None,
        which: WhichPgn = "kept",
        split: str = "test",
        gammas: Sequence[float] = (),
        known: Mapping[str, ClassifierSource] | None = None,
        loaded: tuple[Classifier | None, ImageDataset | None] = (None, None),
    ) -> Subject:
        """The PGN of a run folder or file, its classifier (or that of `source`) and its data (or `data`).

        It is used at the first of `gammas`, and serves all of them, else ConfigError. One that is told what
        the classifier says asks this one. Notes which images of `split` were learned from where the data set
        is not that of the training. `known` are sources by their files. Of what is `loaded`, the classifier
        is taken as it is, and the data set where it is the PGN's own.
        """
        path, run = find_pgn(str(target), which)
        pgn = load_pgn(path)
        pgn = [pgn.at(gamma) for gamma in gammas][0] if gammas else pgn
        classifier, dataset = loaded
        if classifier is None:
            source, classifier = classifier_of_pgn(pgn.info, path, run, source, known or {})
            self._note_each(classifier.info.notices)
        same = (pgn.info.fingerprint, pgn.info.image_size)
        if dataset is None or data or (dataset.fingerprint, dataset.image_size) != same:
            dataset = self.read(data_of(pgn.info, data or {}))
        check_suits(classifier, dataset.classes, dataset.image_size, hint=_OTHER_SIZE)
        self._note_each(find_leakage(pgn, classifier, dataset, split).sentences(split))
        return Subject(pgn.asking(classifier), classifier, dataset, run, source)

    def open_networks(
        self, target: str, source: ClassifierSource = RECORDED, *, gamma: float | None = None
    ) -> tuple[Pgn, Classifier]:
        """The PGN of a run folder or file and its classifier (or that of `source`), without any data."""
        path, run = find_pgn(target)
        pgn = load_pgn(path)
        pgn = pgn if gamma is None else pgn.at(gamma)
        _, classifier = classifier_of_pgn(pgn.info, path, run, source, {})
        self._note_each(classifier.info.notices)
        check_suits(classifier, pgn.info.classes, pgn.info.image_size, hint=_OTHER_SIZE)
        return pgn.asking(classifier), classifier

    def open_run(
        self,
        run: RunFolder,
        source: ClassifierSource = RECORDED,
        *,
        settings: TrainingSettings | None = None,
        loaded: tuple[Classifier | None, ImageDataset | None] = (None, None),
    ) -> OpenedRun:
        """What a run was begun with, where it is now; `settings` are those to go on with.

        `source` says how to ask its classifier. Of what is `loaded`, the classifier is taken as it is, and
        the data set where it is the run's own. Raises ClassifierError where its classifier is another now.
        """
        settings = settings or run.settings
        classifier, dataset = loaded
        if classifier is None:
            source = source.over(source_of_run(run, settings.classifier))
        if dataset is not None and not _is_runs_own(dataset, run, settings):
            dataset = None
        there = settings.updated(classifier=source.path or settings.classifier)
        classifier, dataset = self.open_both(there, source, loaded=(classifier, dataset))
        run.check_classifier(classifier.info.sha256)
        return OpenedRun(run, settings, dataset, classifier, source, told_of_other_images(run, dataset))

    def _note_each(self, texts: Sequence[str]) -> None:
        for text in filter(None, texts):
            self.note(text)


def measure(
    pgn: Pgn,
    classifier: Classifier,
    dataset: ImageDataset,
    split: str,
    *,
    gammas: Sequence[float] = (),
    device: str = "auto",
    batch_size: int = 64,
    progress: Progress | None = None,
) -> list[Evaluation]:
    """The PGN on a split, at each of `gammas` or at its own, with which of the images were learned from."""
    images, leakage = dataset.split(split), find_leakage(pgn, classifier, dataset, split)
    how: dict[str, Any] = {
        "split_name": split, "dataset_name": dataset.name, "batch_size": batch_size,
        "device": pick_device(device), "progress": progress,
    }  # fmt: skip
    if gammas:
        found = evaluate_along(pgn, gammas, classifier, images, **how)
    else:
        found = [evaluate(pgn, classifier, images, **how)]
    return [replace(evaluation, leakage=leakage) for evaluation in found]


def _is_runs_own(dataset: ImageDataset, run: RunFolder, settings: TrainingSettings) -> bool:
    return dataset.fingerprint == run.fingerprint and dataset.image_size == settings.image_size


def at_size_of(settings: TrainingSettings, classifier: Classifier) -> TrainingSettings:
    """With the classifier's image size and value of white, where the settings say none."""
    return settings.updated(
        image_size=settings.image_size or classifier.info.image_size,
        data_range=settings.data_range or recorded_data_range(classifier),
    )


def data_of(info: PgnInfo, given: Mapping[str, Any]) -> DataSettings:
    """The data a PGN was trained on, with what was given in its place.

    Seeds and shares of the split stay the run's own, so that its training images never get into
    another split.
    """
    own = {name: info.settings[name] for name in DataSettings.model_fields if name in info.settings}
    changes = absolute_dataset(given)
    if changes.get("dataset", own.get("dataset")) != own.get("dataset"):
        own.pop("data_root", None)
    return DataSettings.make(**{**own, **changes, "image_size": info.image_size})


def absolute_dataset(given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` with folders made absolute, so that a run is found again from another folder."""
    found = dict(given)
    if "dataset" in found and found["dataset"] not in DATASETS:
        folder = Path(found["dataset"]).expanduser()
        if folder.is_dir():  # otherwise it may be a name spelled in another way
            found["dataset"] = str(folder.absolute())
    if "data_root" in found:
        found["data_root"] = str(Path(found["data_root"]).expanduser().absolute())
    return found
