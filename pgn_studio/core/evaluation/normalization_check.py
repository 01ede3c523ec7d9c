"""Was the classifier given the wrong mean, std, value range or channel order? Tries the usual ones.

A wrong normalization is the commonest reason why a good classifier does badly on its own data, and the
images say which it should be: under the right one it is right far more often. Every range and preset
is some mean and std of values in [0, 1]; values in 0…255, for example, are a std of 1/255.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pgn_studio.core.classifiers import BlackBoxClassifier, Classifier, Normalization
from pgn_studio.core.classifiers.accuracy import predictions_of
from pgn_studio.core.config import ChannelOrder
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.evaluation.bootstrap import Interval
from pgn_studio.core.evaluation.classifier_accuracy import check_labels, is_poor, largest_share, share
from pgn_studio.core.evaluation.metrics import Flags, fixed_and_broken, mcnemar_p
from pgn_studio.core.pretrained import IMAGENET_MEAN, IMAGENET_STD, LITE0, Triple, find_architecture
from pgn_studio.core.protocols import LabeledImages, Progress

DECIDING_SPLIT = "val"  # as for baselines: the test images decide nothing
SAMPLE = 300  # images: enough to tell any two normalizations apart that differ by some points
SIGNIFICANT = 0.01  # of McNemar's test against the classifier's own, for all that are tried together
_SMALLEST_STD = 1 / 255  # of a channel that is the same everywhere
_CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


@dataclass(frozen=True)
class Trial:
    """One way to normalize, and how often the classifier is right under it."""

    title: str
    normalization: Normalization
    right: Flags  # (n,), of the same images for every trial
    own: bool  # the way in which the classifier is given images now

    @property
    def accuracy(self) -> Interval:
        return share(int(self.right.sum()), len(self.right))

    def to_json(self) -> dict[str, Any]:
        how, found = self.normalization, self.accuracy
        return {
            "title": self.title,
            "mean": list(how.mean),
            "std": list(how.std),
            "channels": how.channels,
            "accuracy": found.value,
            "interval": [found.low, found.high],
            "own": self.own,
        }


@dataclass(frozen=True)
class Diagnosis:
    """What came of all trials, the most often right first; of equals the classifier's own, then the usual."""

    trials: tuple[Trial, ...]
    split_name: str
    chance: float  # the accuracy of the majority-class baseline on the sample

    @property
    def own(self) -> Trial:
        return next(trial for trial in self.trials if trial.own)

    @property
    def better(self) -> Trial | None:
        """The best where it beats the classifier's own beyond chance: exact McNemar test on the same
        images, p below SIGNIFICANT divided by the number of trials. Else None.
        """
        best, own = self.trials[0], self.own
        if best is own:
            return None
        p = mcnemar_p(*fixed_and_broken(own.right, best.right))
        return best if p < SIGNIFICANT / (len(self.trials) - 1) else None

    @property
    def verdict(self) -> str:
        """One sentence for a person."""
        better, own = self.better, self.own
        where = f"{len(own.right):,} images of {self.split_name}"
        text = (
            "The classifier's own normalization is the right one, or as good as any that was tried: "
            f"{_percent(own)} of {where}."
        )
        if better is not None:
            text = (
                f"{better.title} is better: {_percent(better)} of {where} are right, "
                f"{_percent(own)} as it is given them now."
            )
        if is_poor(self.trials[0].accuracy, self.chance):
            text += " That is still low: check that the classes are in the order of the training."
        return text

    def to_json(self) -> dict[str, Any]:
        better = self.better
        return {
            "split": self.split_name,
            "n": len(self.own.right),
            "verdict": self.verdict,
            "better": None if better is None else better.title,
            "trials": [trial.to_json() for trial in self.trials],
        }


def try_normalizations(
    classifier: Classifier,
    split: LabeledImages,
    *,
    split_name: str,
    count: int = SAMPLE,
    seed: int = 0,
    batch_size: int = 64,
    device: torch.device,
    progress: Progress | None = None,
) -> Diagnosis:
    """Ask the classifier about `count` images of `split`, drawn by `seed`, under every usual normalization.

    The classifier comes to `device` and is not changed. Every trial asks a black box about every image
    of the sample: its budget is checked first. `progress(queries done, of how many)`; its Canceled passes
    through. Raises ClassifierError for a black box that is handed 8-bit images, and DataError for an
    empty split.
    """
    labels = np.asarray(split.labels, dtype=np.int64)
    check_labels(labels, classifier.info.classes, split_name)
    own = own_normalization(classifier)
    drawn = np.random.default_rng(seed).permutation(len(labels))[:count]
    chosen = np.sort(drawn)
    candidates = _candidates(own, split.images(chosen))
    total = len(candidates) * len(chosen)
    if classifier.queries is not None:
        classifier.queries.require(total, f"Trying {len(candidates)} normalizations")
    classifier.to(device)
    trials = []
    for number, (title, normalization) in enumerate(candidates):
        try:
            predictions = predictions_of(
                _outputs_under(classifier, normalization),
                split,
                chosen,
                batch_size=batch_size,
                device=device,
                progress=_part_of(progress, number * len(chosen), total),
                split_name=split_name,
            )
        except ClassifierError:  # half precision overflows under a wrong normalization: no candidate
            if number == 0:
                raise
            continue
        trials.append(Trial(title, normalization, predictions == labels[chosen], own=number == 0))
    trials.sort(key=lambda trial: -int(trial.right.sum()))  # stable: its own stays before its equals
    return Diagnosis(tuple(trials), split_name, largest_share(labels[chosen]))


def own_normalization(classifier: Classifier) -> Normalization:
    """Raises ClassifierError where there is none to choose."""
    own = classifier.normalization
    if own is None:
        raise ClassifierError(
            "This black box is given 8-bit images and normalizes them itself, if at all.",
            hint="Other normalizations can be tried on a classifier's file: .safetensors, .pth, .pt2, .onnx.",
        )
    return own


def largest_cost(images: int, count: int = SAMPLE) -> int:
    """How many queries the trials take at most, of a split of `images`."""
    return min(images, count) * (1 + len(_both_orders(_usual((0.0,) * 3, (1.0,) * 3))))


def _outputs_under(classifier: Classifier, normalization: Normalization) -> Callable[[Tensor], Tensor]:
    if isinstance(classifier, BlackBoxClassifier):
        return classifier.normalized(normalization)
    return lambda pixels: classifier.net(normalization.apply(pixels))


def _candidates(own: Normalization, images: npt.NDArray[np.uint8]) -> list[tuple[str, Normalization]]:
    """The classifier's own first, then whatever of the usual ones is another."""
    values = images.astype(np.float64) / 255
    mean, std = values.mean(axis=(0, 1, 2)), values.std(axis=(0, 1, 2)).clip(_SMALLEST_STD)
    usual = _usual(_triple(mean.round(4)), _triple(std.round(4)))
    named = [("As it is now", own)]
    gray = bool((images == images[..., :1]).all())  # then the order of channels tells nothing
    for title, how in usual if gray else _both_orders(usual):
        if how.alike(own):
            named[0] = (f"As it is now: {title}", own)
        elif not any(how.alike(known) for _, known in named):
            named.append((title, how))
    return named


def _usual(mean: Triple, std: Triple) -> list[tuple[str, Normalization]]:
    """With `mean` and `std` of the data set at hand."""
    lite0 = find_architecture(LITE0)
    presets: list[tuple[str, Triple, Triple]] = [
        ("ImageNet", IMAGENET_MEAN, IMAGENET_STD),
        ("CIFAR-10", *_CIFAR10),
        ("0.5 / 0.5: values in -1…1", (0.5,) * 3, (0.5,) * 3),
        ("None: values in 0…1", (0.0,) * 3, (1.0,) * 3),
        ("None: values in 0…255", (0.0,) * 3, (1 / 255,) * 3),
        ("EfficientNet-Lite0: (x - 127) / 128 of 0…255", lite0.mean, lite0.std),
        ("ImageNet's mean taken off 0…255, no std", IMAGENET_MEAN, (1 / 255,) * 3),
        ("The data set's own", mean, std),
    ]
    return [(title, Normalization(mean, std)) for title, mean, std in presets]


def _both_orders(usual: list[tuple[str, Normalization]]) -> list[tuple[str, Normalization]]:
    orders: tuple[tuple[ChannelOrder, str], ...] = (("rgb", ""), ("bgr", ", BGR"))
    return [
        (title + suffix, Normalization(how.mean, how.std, order))
        for order, suffix in orders
        for title, how in usual
    ]


def _part_of(progress: Progress | None, before: int, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _part: progress(before + done, total)


def _triple(values: npt.NDArray[np.float64]) -> Triple:
    red, green, blue = values.tolist()
    return red, green, blue


def _percent(trial: Trial) -> str:
    return f"{100 * float(trial.right.mean()):.1f} %"
