"""Who has seen which images: what a figure is worth depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.splitting import Division
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.learned_images import unpacked
from pgn_studio.core.perturbation.pgn import Pgn, PgnInfo, read_pgn_info
from pgn_studio.core.runs import RunFolder


@dataclass(frozen=True)
class Learned:
    """How many of the `images` that are measured a network learned from.

    `count` is None where its file does not say. `same_data`: the data set is the one it was trained
    on, by its fingerprint and by the pictures that were recorded; exact copies between its own splits
    are all that `count` can hold then.
    """

    who: str  # "classifier" or "PGN"
    count: int | None
    images: int
    same_data: bool

    def sentence(self, split_name: str) -> str:
        """What changed data means for figures on the split; empty where the data set is the same."""
        if self.same_data:
            return ""
        told = f"The data set is not the one that the {self.who} was trained on, or has changed since"
        if self.count is None:
            return (
                f"{told}, and its file does not say which images it learned from: some of the"
                f" {self.images:,} {split_name} images may be among them."
            )
        spoiled = f": figures on {split_name} are no test of it" if self.count else ""
        return f"{told}: it learned from {self.count:,} of the {self.images:,} {split_name} images{spoiled}."

    def title(self, split_name: str) -> str:
        """The split's name, and where it holds images that were learned from, that it is no test."""
        if split_name == "train" or self.same_data or not self.count:
            return split_name
        learned = f"the {self.who} learned from {self.count:,} of its {self.images:,} images"
        return f"{split_name} (no test: {learned})"


@dataclass(frozen=True)
class Leakage:
    """`rows` say what learned from or was chosen on which images; `warnings` what that spoils."""

    learned: tuple[Learned, ...]
    rows: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]

    def title(self, split_name: str) -> str:
        """As `Learned.title`, of the network that learned from the most."""
        return max(self.learned, key=lambda item: 0 if item.same_data else item.count or 0).title(split_name)

    def sentences(self, split_name: str) -> list[str]:
        """Of each network that meets other data than it was trained on."""
        return _sentences(self.learned, split_name)

    def to_json(self) -> dict[str, Any]:
        """For each network the number of measured images that it learned from; null is not known."""
        return {item.who.lower(): item.count for item in self.learned}


def classifier_learned(classifier: Classifier, dataset: ImageDataset, split_name: str) -> Learned | None:
    """None where nothing is known of its training: it is another program's."""
    training = classifier.info.training
    if not training:
        return None
    same = training.get("dataset_fingerprint") == dataset.fingerprint
    return _learned("classifier", training.get("learned_from"), dataset, split_name, same_data=same)


def pgn_learned(info: PgnInfo, dataset: ImageDataset, split_name: str) -> Learned:
    same = info.fingerprint == dataset.fingerprint
    return _learned("PGN", info.learned_from, dataset, split_name, same_data=same)


def told_of_other_images(run: RunFolder, dataset: ImageDataset) -> str:
    """What it means for a run to go on with images that are not its own; empty where they are."""
    if run.fingerprint in ("", dataset.fingerprint):
        return ""
    if not run.last_pgn_path.is_file():
        return "The data set is not the same as when this run was started."
    return pgn_learned(read_pgn_info(run.last_pgn_path), dataset, "val").sentence("val")


def divided_as_learned(dataset: ImageDataset, classifier: Classifier) -> ImageDataset:
    """The data set divided as for the classifier's training, where that keeps more of it out of test.

    Only where the folder has no splits and nobody chose how to divide it. A classifier that was saved
    before its images were recorded is followed where that gives back its very data set.
    """
    training = classifier.info.training
    settings = training.get("settings")
    if not isinstance(settings, Mapping) or dataset.division != Division():
        return dataset
    now = classifier_learned(classifier, dataset, "test")
    if now is None or now.same_data or now.count == 0:
        return dataset
    try:
        other = dataset.divided(Division.recorded(settings))
    except PgnStudioError:  # its settings are damaged, or its shares leave a class without images
        return dataset
    then = classifier_learned(classifier, other, "test")
    if then is None or not (then.same_data or (then.count or 0) < (now.count or 0)):
        return dataset
    told = "The images are divided into train, val and test as when the classifier was trained."
    return replace(other, notices=(*other.notices, told))


def find_leakage(pgn: Pgn, classifier: Classifier, dataset: ImageDataset, split_name: str) -> Leakage:
    """From what the files of the PGN and the classifier say about their training."""
    same = pgn.info.fingerprint == dataset.fingerprint
    of_pgn = pgn_learned(pgn.info, dataset, split_name)
    of_classifier = classifier_learned(classifier, dataset, split_name)
    learned = (of_pgn,) if of_classifier is None else (of_classifier, of_pgn)
    select = pgn.info.settings.get("select")
    chosen = {
        "best": "val: the latest epoch within one standard error of the best accuracy after 8-bit rounding",
        "last": "no images: the last epoch was kept",
    }.get(str(select), "not recorded")
    elsewhere = "" if same else f" of {pgn.info.dataset}, which is not this data set as it is now"
    rows = (
        ("Classifier learned from", _learned_from(classifier.info.training, dataset)),
        ("PGN learned from", f"train{elsewhere}"),
        ("PGN was chosen on", f"{chosen}{elsewhere if select == 'best' else ''}"),
        (
            "This report measures",
            f"{split_name}: {len(dataset.split(split_name)):,} images of {dataset.name}",
        ),
        *((f"Of these the {item.who} learned from", _count(item)) for item in learned),
    )
    return Leakage(learned, rows, tuple(_warnings(pgn, classifier, learned, split_name)))


def _learned(who: str, record: object, dataset: ImageDataset, split_name: str, *, same_data: bool) -> Learned:
    split = dataset.split(split_name)
    hashes = unpacked(record)
    count = None
    if hashes is not None:
        count = int(np.isin(split.pixel_hashes, hashes).sum())
        # Names and sizes may stay while the pictures behind them change.
        same_data = same_data and bool(np.isin(hashes, dataset.split("train").pixel_hashes).all())
    if count is None and same_data:  # its file is from before images were recorded
        count = len(split) if split_name == "train" else 0
    return Learned(who, count, len(split), same_data)


def _sentences(learned: tuple[Learned, ...], split_name: str) -> list[str]:
    return [told for item in learned if (told := item.sentence(split_name))]


def _count(item: Learned) -> str:
    return "not recorded" if item.count is None else f"{item.count:,} of {item.images:,}"


def _learned_from(training: Mapping[str, Any], dataset: ImageDataset) -> str:
    if not training:
        return "not recorded in its file"
    count = training.get("train_images")
    images = f"train, {count:,} images" if isinstance(count, int) else "train"
    if training.get("dataset_fingerprint") == dataset.fingerprint:
        return images
    settings = training.get("settings")
    name = settings.get("dataset") if isinstance(settings, Mapping) else None
    return f"{images} of {name or 'another data set'}, which is not this data set as it is now"


def _warnings(pgn: Pgn, classifier: Classifier, learned: tuple[Learned, ...], split_name: str) -> list[str]:
    found = []
    if split_name == "train":
        found.append(
            "These images trained the PGN, and as a rule the classifier: the figures are better than on "
            "images that neither has seen. Use the test split for claims."
        )
    elif split_name == "val":
        found.append(
            "The validation split chooses which PGN is kept, or is watched meanwhile: its figures are a "
            "little too good. Use the test split for claims."
        )
    found += _sentences(learned, split_name)
    if not classifier.info.training:
        found.append(
            "The classifier's file does not say what it was trained on: it may have seen these images."
        )
    if classifier.info.sha256 != pgn.info.classifier_sha256:
        found.append("This is not the classifier that the PGN was trained against.")
    return found
