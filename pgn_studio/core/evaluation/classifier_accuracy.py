"""What a classifier makes of a split as it is: accuracy, per class, and what is predicted for what."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest

from pgn_studio.core.classifiers import BlackBoxClassifier, Classifier
from pgn_studio.core.classifiers.accuracy import predictions_of
from pgn_studio.core.errors import ClassifierError, DataError
from pgn_studio.core.evaluation.bootstrap import Interval
from pgn_studio.core.evaluation.leakage import Learned
from pgn_studio.core.evaluation.metrics import Confusion, confusion
from pgn_studio.core.pretrained import Triple
from pgn_studio.core.protocols import LabeledImages, Labels, Progress

_CLASSES_NAMED = 20


@dataclass(frozen=True)
class ClassifiedSplit:
    """The classifier's outputs for every image of a split, in its order."""

    split_name: str
    labels: Labels  # (N,)
    predictions: Labels  # (N,)
    classes: tuple[str, ...]
    seconds: float = 0.0  # that it took; 0 where that is not known
    learned: Learned | None = None  # where somebody looked: how many of the images it learned from

    @property
    def title(self) -> str:
        """The split's name, and where it holds images that were learned from, that it is no test."""
        return self.split_name if self.learned is None else self.learned.title(self.split_name)

    @property
    def accuracy(self) -> Interval:
        """The share of right predictions with its 95 % interval."""
        return share(int((self.labels == self.predictions).sum()), len(self.labels))

    @property
    def largest_class(self) -> float:
        return largest_share(self.labels)

    @property
    def is_poor(self) -> bool:
        return is_poor(self.accuracy, self.largest_class)

    @property
    def confusion(self) -> Confusion:
        return confusion(self.labels, self.predictions, len(self.classes))

    def per_class(self) -> list[dict[str, Any]]:
        """For each class: images, accuracy, and which other class it is most often taken for, and how often.

        Accuracy is None for a class without images, and the other class "" for one that is always right.
        """
        counts = self.confusion
        images, right = counts.sum(axis=1), counts.diagonal()
        wrong = counts - np.diag(right)
        return [
            {
                "class": name,
                "n": int(images[label]),
                "accuracy": float(right[label] / images[label]) if images[label] else None,
                "taken_for": self.classes[int(wrong[label].argmax())] if wrong[label].any() else "",
                "as_often": int(wrong[label].max()),
            }
            for label, name in enumerate(self.classes)
        ]

    def to_json(self) -> dict[str, Any]:
        found = self.accuracy
        return {
            "n": len(self.labels),
            "accuracy": found.value,
            "interval": [found.low, found.high],
            "learned_from": None if self.learned is None else self.learned.count,
            "per_class": self.per_class(),
            "confusion": self.confusion.tolist(),
        }


def classifier_facts(classifier: Classifier) -> dict[str, str]:
    """What a classifier is, for a person."""
    info, how = classifier.info, classifier.normalization
    channels = "1 channel" if "Gray" in info.facts else "3 channels"
    parameters = f"{info.parameters:,}" if info.parameters else "not known: it only answers"
    return {
        "Architecture": info.arch,
        "Parameters": parameters,
        "File": info.path or "not saved",
        "Input": f"{info.image_size} × {info.image_size} px, {channels}, values in 0…1",
        "Mean": "its own: it is given 8-bit images" if how is None else _numbers(how.mean),
        "Std": "" if how is None else _numbers(how.std),
        "Channel order": "" if how is None else how.channels.upper(),
        "Classes": f"{len(info.classes):,}: {', '.join(info.classes[:_CLASSES_NAMED])}"
        + (" …" if len(info.classes) > _CLASSES_NAMED else ""),
        **info.facts,
        **({"Note": " ".join(info.notices)} if info.notices else {}),
    }


def _numbers(values: Triple) -> str:
    return " ".join(f"{value:.4g}" for value in values)


def poor_split(classifier: Classifier, measured: Iterable[ClassifiedSplit], *, told: bool) -> str | None:
    """A sentence about the first split on which accuracy is poor (`is_poor`) and may be mended.

    None for a black box that is handed 8-bit images, and for a file that was trained and saved here,
    which says its normalization itself (unless the user was `told` to use another, and gave it).
    """
    if classifier.normalization is None or (classifier.info.training and not told):
        return None
    poor = next((one for one in measured if one.is_poor), None)
    if poor is None:
        return None
    return (
        f"Accuracy on {poor.split_name} is only {100 * (poor.accuracy.value or 0.0):.1f} % (majority-class "
        f"baseline: {100 * poor.largest_class:.1f} %). A wrong normalization is the most common cause."
    )


def largest_share(labels: Labels) -> float:
    """Accuracy of the majority-class baseline."""
    return float(np.bincount(labels).max() / len(labels))


def is_poor(accuracy: Interval, chance: float) -> bool:
    """Whether the whole interval is below the middle between `chance` and 1."""
    return accuracy.high is not None and accuracy.high < (chance + 1) / 2


def share(right: int, count: int) -> Interval:
    """`right` of `count` with Wilson's 95 % interval, which holds near 0 and 1 too."""
    found = binomtest(right, count).proportion_ci(method="wilson")
    return Interval(right / count, float(found.low), float(found.high))


def classify_split(
    classifier: Classifier,
    split: LabeledImages,
    *,
    split_name: str,
    batch_size: int = 256,
    device: torch.device,
    progress: Progress | None = None,
) -> ClassifiedSplit:
    """Ask the classifier about every image; moves it to `device`.

    `progress(images done, images)` comes after each batch; its Canceled passes through. Raises
    DataError for an empty split, ClassifierError for labels that the classifier does not know, and
    QueryBudgetError before the first question where a black box's budget does not reach to the end.
    """
    classes, labels = classifier.info.classes, np.asarray(split.labels, dtype=np.int64)
    check_labels(labels, classes, split_name)
    count = len(labels)
    if classifier.queries is not None and not classifier.queries.allows(count):
        unknown = unknown_images(classifier, split, batch_size)
        classifier.queries.require(unknown, f"Classifying {count:,} images")
    started = time.perf_counter()
    predictions = predictions_of(
        classifier.to(device),
        split,
        np.arange(count),
        batch_size=batch_size,
        device=device,
        progress=progress,
        split_name=split_name,
    )
    return ClassifiedSplit(split_name, labels, predictions, classes, time.perf_counter() - started)


def unknown_images(classifier: Classifier, split: LabeledImages, batch_size: int) -> int:
    """How many images of the split a black box would have to be asked about; 0 for other classifiers."""
    if not isinstance(classifier, BlackBoxClassifier):
        return 0
    starts = range(0, len(split), batch_size)
    batches = (np.arange(start, min(start + batch_size, len(split))) for start in starts)
    return sum(classifier.unknown(split.images(batch)) for batch in batches)


def check_labels(labels: Labels, classes: Sequence[str], split_name: str) -> None:
    """Raises DataError for no labels, ClassifierError for some that the classifier does not know."""
    if len(labels) == 0:
        raise DataError(f"The split {split_name!r} has no images.", hint="Choose another split.")
    if labels.min() < 0 or labels.max() >= len(classes):
        raise ClassifierError(
            f"The split {split_name!r} has labels {labels.min()}…{labels.max()}, "
            f"but the classifier knows {len(classes)} classes.",
            hint="Use the classifier that was trained on this data set's classes.",
        )
