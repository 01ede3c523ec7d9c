"""Opening what commands work on: data set, classifier, PGN and run. Imports torch: use it in commands."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pgn_studio.cli import terminal
from pgn_studio.cli.blackbox import GivenAccess
from pgn_studio.cli.gamma_options import at_gamma
from pgn_studio.cli.resolve import WhichPgn, find_pgn
from pgn_studio.cli.signals import Interruption
from pgn_studio.core.classifiers import (
    Classifier,
    Normalization,
    check_suits,
    load_classifier,
    recorded_data_range,
)
from pgn_studio.core.classifiers.blackbox.access import Access
from pgn_studio.core.classifiers.loading import is_saved_by_us, own_image_size, suitable_image_size
from pgn_studio.core.classifiers.normalization import recorded_order
from pgn_studio.core.config import (
    HTTP_SCHEMES,
    ChannelOrder,
    ClassifierSettings,
    DataSettings,
    TrainingSettings,
    data_part,
    is_black_box,
    names_file,
)
from pgn_studio.core.data import DATASETS
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.mirroring import UNKNOWN
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.errors import ClassifierError, PgnStudioError
from pgn_studio.core.evaluation.leakage import classifier_learned, divided_as_learned, find_leakage
from pgn_studio.core.files import sha256_of_file
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.perturbation.pgn import Pgn, PgnInfo, find_classifier, load_pgn
from pgn_studio.core.pretrained import Triple
from pgn_studio.core.runs import RunFolder

log = logging.getLogger(__name__)

_SKIPPED_SHOWN = 5
_CLASSES_SHOWN = 12
_OTHER_SIZE = "The PGN makes images of this size: give a classifier that takes them."


@dataclass(frozen=True)
class ExternalClassifier:
    """What a classifier of another program does not say itself; empty for our own files."""

    arch: str | None = None
    mean: Triple | None = None
    std: Triple | None = None
    channels: ChannelOrder | None = None
    access: Access = Access()

    @classmethod
    def given(cls, arch: str | None, access: GivenAccess) -> ExternalClassifier:
        mean, std = access.normalization
        return cls(arch, mean, std, access.classifier_channels, access.access())

    @property
    def is_given(self) -> bool:
        return any(part is not None for part in (self.arch, self.mean, self.std, self.channels))

    def to_json(self) -> dict[str, Any]:
        value = {"arch": self.arch, "mean": self.mean, "std": self.std, "channels": self.channels}
        return value if self.access == Access() else {**value, "access": self.access.to_json()}

    @classmethod
    def recorded(cls, value: Any) -> ExternalClassifier:
        """As `train` wrote it: `external_classifier` of run.json or of a PGN's file."""
        if not isinstance(value, Mapping):
            return cls()
        mean, std = (tuple(value[name]) if value.get(name) else None for name in ("mean", "std"))
        access = Access.recorded(value.get("access"))
        return cls(value.get("arch"), mean, std, recorded_order(value.get("channels")), access)

    def over(self, recorded: ExternalClassifier) -> ExternalClassifier:
        """What is given here, and for the rest what was recorded."""
        return ExternalClassifier(
            arch=self.arch or recorded.arch,
            mean=self.mean or recorded.mean,
            std=self.std or recorded.std,
            channels=self.channels or recorded.channels,
            access=self.access.over(recorded.access),
        )


def open_dataset(settings: DataSettings, stop: Interruption) -> ImageDataset:
    """Load the data set and say what it holds, on stderr."""
    with terminal.progress("Reading images", stop) as report:
        dataset = load_dataset(data_part(settings), progress=report)
    sizes = ", ".join(f"{len(dataset.split(name))} {name}" for name in dataset.splits)
    terminal.note(
        f"Data: {dataset.name}, {len(dataset.classes)} classes at {dataset.image_size} px: {sizes} images."
    )
    terminal.note(_classes_line(dataset))
    _note_each(dataset.notices)
    if dataset.skipped:
        terminal.note(f"{len(dataset.skipped)} files cannot be read and were left out:")
    for number, item in enumerate(dataset.skipped):
        log.warning("left out %s: %s", item.path, item.reason)
        if number < _SKIPPED_SHOWN:
            terminal.note(f"  {item.path}: {item.reason}")
    if len(dataset.skipped) > _SKIPPED_SHOWN:
        terminal.note(f"  and {len(dataset.skipped) - _SKIPPED_SHOWN} more, all in the log")
    return dataset


def _note_each(notices: Iterable[str]) -> None:
    for notice in notices:
        terminal.note(f"note: {notice}")


def _classes_line(dataset: ImageDataset) -> str:
    """Every class with its images in each split; of many the first, the smallest and the largest."""
    counts = dataset.class_counts()
    lines = [
        f"{name if name.isprintable() else ascii(name)} {'/'.join(map(str, row))}"
        for name, row in zip(dataset.classes, counts.tolist(), strict=True)
    ]
    head = f"Data: images of each class ({'/'.join(dataset.splits)}): "
    if len(lines) <= _CLASSES_SHOWN:
        return f"{head}{', '.join(lines)}."
    shown = ", ".join(lines[: _CLASSES_SHOWN // 2])
    total = counts.sum(axis=1)
    smallest, largest = lines[int(total.argmin())], lines[int(total.argmax())]
    more = len(lines) - _CLASSES_SHOWN // 2
    return f"{head}{shown} and {more:,} more; smallest {smallest}, largest {largest}."


def note_mirroring(settings: ClassifierSettings | TrainingSettings, dataset: ImageDataset) -> None:
    """Say what --augment auto does where the user may know better."""
    if settings.augment == "auto" and dataset.mirrorable is None:
        terminal.note(f"note: {UNKNOWN} If not: --augment none.")


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


def open_both(
    settings: TrainingSettings, foreign: ExternalClassifier, stop: Interruption
) -> tuple[Classifier, ImageDataset]:
    """The classifier and the data set of a run, at the classifier's size unless the settings say another."""
    source = settings.classifier
    if says_everything(source, foreign) or is_saved_by_us(source):
        classifier = load_classifier(
            source, mean=foreign.mean, std=foreign.std, channels=foreign.channels, access=foreign.access
        )
        size = settings.image_size or classifier.info.image_size
        white = settings.data_range or recorded_data_range(classifier)
        dataset = open_dataset(settings.updated(image_size=size, data_range=white), stop)
    else:
        dataset = open_at_a_size(settings, source, foreign.arch, stop)
        classifier = load_foreign(source, foreign, classes=dataset.classes, image_size=dataset.image_size)
    check_suits(classifier, dataset.classes, dataset.image_size)
    return classifier, as_learned(dataset, classifier)


def as_learned(dataset: ImageDataset, classifier: Classifier) -> ImageDataset:
    """Divided as for the classifier's training where that is better, and what it learned from is told."""
    divided = divided_as_learned(dataset, classifier)
    _note_each(divided.notices[len(dataset.notices) :] if divided is not dataset else ())
    learned = classifier_learned(classifier, divided, "test")
    if learned is not None and (told := learned.sentence("test")):
        terminal.note(f"note: {told}")
    return divided


def open_at_a_size(settings: DataSettings, source: str, arch: str | None, stop: Interruption) -> ImageDataset:
    """At the size that is asked for, else the only one that the classifier takes, else the data set's own.

    Where the classifier's network cannot take that one, at the size that it was made for.
    """
    if settings.image_size is not None:
        return open_dataset(settings, stop)
    dataset = open_dataset(settings.updated(image_size=own_image_size(source, arch)), stop)
    size = suitable_image_size(source, arch, dataset.image_size)
    if size == dataset.image_size:
        return dataset
    terminal.note(
        f"note: the classifier cannot take images of {dataset.image_size} px; they are resized to {size} px."
    )
    return open_dataset(settings.updated(image_size=size), stop)


def says_everything(source: str, foreign: ExternalClassifier) -> bool:
    """Whether the classifier is a file whose metadata says classes, size and normalization."""
    return names_file(source) and not foreign.is_given and source.endswith(".safetensors")


def load_foreign(
    source: str, foreign: ExternalClassifier, *, classes: tuple[str, ...], image_size: int
) -> Classifier:
    classifier = load_classifier(
        source,
        classes=classes,
        arch=foreign.arch,
        image_size=image_size,
        mean=foreign.mean,
        std=foreign.std,
        channels=foreign.channels,
        access=foreign.access,
    )
    for notice in classifier.info.notices:
        terminal.note(f"note: {notice}")
    return classifier


@dataclass(frozen=True)
class Subject:
    """A PGN with everything that it takes to use it."""

    pgn: Pgn
    classifier: Classifier
    dataset: ImageDataset
    run: RunFolder | None


def open_subject(
    target: str,
    given: Mapping[str, Any],
    *,
    classifier: str | None,
    foreign: ExternalClassifier,
    stop: Interruption,
    which: WhichPgn = "kept",
    split: str = "test",
    gammas: Sequence[float] = (),
) -> Subject:
    """The PGN of a run folder or file, its classifier (or the one given) and its data (or that given).

    It is used at the first of `gammas`, and serves all of them, else ConfigError. One that is told what
    the classifier says asks this one. Says which images of `split` were learned from where the data set is
    not that of the training.
    """
    path, run = find_pgn(target, which)
    pgn = load_pgn(path)
    pgn = [pgn.at(gamma) for gamma in gammas][0] if gammas else pgn
    network = _classifier_of(pgn.info, path, run, classifier, foreign)
    dataset = open_dataset(settings_of(pgn.info, given), stop)
    check_suits(network, dataset.classes, dataset.image_size, hint=_OTHER_SIZE)
    _note_each(find_leakage(pgn, network, dataset, split).sentences(split))
    return Subject(pgn.asking(network), network, dataset, run)


def open_networks(
    target: str, given: str | None, foreign: ExternalClassifier, *, gamma: float | None = None
) -> tuple[Pgn, Classifier]:
    """The PGN of a run folder or file and its classifier (or the one given), without any data."""
    path, run = find_pgn(target)
    pgn = at_gamma(load_pgn(path), gamma)
    network = _classifier_of(pgn.info, path, run, given, foreign)
    check_suits(network, pgn.info.classes, pgn.info.image_size, hint=_OTHER_SIZE)
    return pgn.asking(network), network


def _classifier_of(
    info: PgnInfo, path: Path, run: RunFolder | None, given: str | None, foreign: ExternalClassifier
) -> Classifier:
    same = given is None or _is_recorded(given, info)
    if same:
        budget = foreign.access.budget  # the run's own was for training
        facts = info.external_classifier if run is None else run.run_json.get("external_classifier")
        foreign = foreign.over(ExternalClassifier.recorded(facts))
        foreign = replace(foreign, access=replace(foreign.access, budget=budget))
    source = _recorded_source(info, path, run) if given is None else given
    if says_everything(source, foreign):
        network = load_classifier(source, access=foreign.access)
    else:
        network = load_foreign(source, foreign, classes=info.classes, image_size=info.image_size)
    if same and not (foreign.mean or foreign.std or foreign.channels or is_black_box(source)):
        trained = Normalization(info.mean, info.std, info.channels)
        if network.normalization != trained:  # a lone PGN, of a run that was given another
            how = replace(foreign, mean=trained.mean, std=trained.std, channels=trained.channels)
            network = load_foreign(source, how, classes=info.classes, image_size=info.image_size)
    return network


def _is_recorded(given: str, info: PgnInfo) -> bool:
    """Whether it is the very classifier that the PGN was trained against, wherever its file is now."""
    if not names_file(given):
        return given == info.classifier_path
    path = Path(given).expanduser()
    return path.is_file() and sha256_of_file(path) == info.classifier_sha256


def _recorded_source(info: PgnInfo, path: Path, run: RunFolder | None) -> str:
    if names_file(info.classifier_path):
        return str(find_classifier(info, beside=path.parent, trained=_trained_folder()))
    _refuse_stranger(info.classifier_path, run)
    return info.classifier_path


def _refuse_stranger(address: str, run: RunFolder | None) -> None:
    """Images go to an address that a run of ours records, never to one that a lone file names."""
    if run is None and address.startswith(HTTP_SCHEMES):
        raise ClassifierError(
            f"This PGN was trained against {address}, which would be sent the images.",
            hint="Give it as --classifier if that is what you want.",
        )


def _trained_folder() -> Path | None:
    try:
        return trained_folder()
    except PgnStudioError:
        return None


def settings_of(info: PgnInfo, given: Mapping[str, Any]) -> DataSettings:
    """The data a PGN was trained on, with what the user gave in its place.

    Seeds and shares of the split stay the run's own, so that its training images never get into
    another split.
    """
    own = {name: info.settings[name] for name in DataSettings.model_fields if name in info.settings}
    changes = absolute_dataset(given)
    if changes.get("dataset", own.get("dataset")) != own.get("dataset"):
        own.pop("data_root", None)
    return DataSettings.make(**{**own, **changes, "image_size": info.image_size})
