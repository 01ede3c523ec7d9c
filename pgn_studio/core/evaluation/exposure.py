"""Who has seen which images: what a figure is worth depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.perturbation.pgn import Pgn


@dataclass(frozen=True)
class Exposure:
    """`rows` say what learnt from or was chosen on which images; `warnings` what that spoils."""

    rows: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


def find_exposure(pgn: Pgn, classifier: Classifier, dataset: ImageDataset, split_name: str) -> Exposure:
    """From what the files of the PGN and the classifier say about their training."""
    training = classifier.info.training
    same_pgn_data = pgn.info.fingerprint == dataset.fingerprint
    keep = pgn.info.settings.get("keep")
    chosen = {
        "best": "val: the latest epoch within one standard error of the best accuracy after 8 bits",
        "last": "no images: the last epoch was kept",
    }.get(str(keep), "not recorded")
    elsewhere = "" if same_pgn_data else f" of {pgn.info.dataset}, which is not this data set as it is now"
    rows = (
        ("Classifier learnt from", _learnt_from(training, dataset)),
        ("PGN learnt from", f"train{elsewhere}"),
        ("PGN was chosen on", f"{chosen}{elsewhere if keep == 'best' else ''}"),
        (
            "This report measures",
            f"{split_name}: {len(dataset.split(split_name)):,} images of {dataset.name}",
        ),
    )
    return Exposure(rows, tuple(_warnings(pgn, classifier, dataset, split_name)))


def _learnt_from(training: Mapping[str, Any], dataset: ImageDataset) -> str:
    if not training:
        return "not recorded in its file"
    count = training.get("train_images")
    images = f"train, {count:,} images" if isinstance(count, int) else "train"
    if training.get("dataset_fingerprint") == dataset.fingerprint:
        return images
    name = _setting(training, "dataset") or "another data set"
    return f"{images} of {name}, which is not this data set as it is now"


def _warnings(pgn: Pgn, classifier: Classifier, dataset: ImageDataset, split_name: str) -> list[str]:
    training = classifier.info.training
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
    if pgn.info.fingerprint != dataset.fingerprint:
        found.append(
            "The data set is not the one that the PGN was trained on, or has changed since: whether the "
            "PGN has seen these images is not known."
        )
    if not training:
        found.append(
            "The classifier's file does not say what it was trained on: it may have seen these images."
        )
    elif training.get("dataset_fingerprint") != dataset.fingerprint:
        found.append(
            "The classifier was trained on another data set, or before this one changed: it may have seen "
            "these images."
        )
    if classifier.info.sha256 != pgn.info.classifier_sha256:
        found.append("This is not the classifier that the PGN was trained against.")
    return found


def _setting(training: Mapping[str, Any], name: str) -> str:
    settings = training.get("settings")
    return str(settings.get(name, "")) if isinstance(settings, Mapping) else ""
