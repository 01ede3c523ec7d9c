"""Failures to learn from: the classifier is shown training images mixed with others.

A classifier that is right on all of its training images gives D nothing but successes. Mixed
with a share of another image it fails as it does on images it has not seen, with features that
lean to a wrong class; G still sees the image unmixed, as it will when it is used.
One that also learned from the validation images tells nothing there either: then these are mixed, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.device import to_pixels
from pgn_studio.core.protocols import LabeledImages, Labels, PixelHashes, UInt8Images
from pgn_studio.core.training.schedule import generator_for

_SAMPLE = 1024  # images on which a share is tried: ±1.5 points
_SLACK = 0.02  # nearer than this to the wanted accuracy, nothing is mixed
_SAMPLE_ASKED = 256  # of a black box, whose answers cost: ±3 points
_LARGEST = 0.8
_HALVINGS = 5
_KNOWN = 0.99  # right on so many of the training and of the validation images: f learned from both
_WANTED_IF_KNOWN = 0.8  # one failure in five, since validation cannot say how often f fails on other images


def mixed_inputs(pixels: Tensor, share: float, draws: torch.Generator) -> Tensor:
    """(1 - w)·x + w·x' with w uniform in [0, share] and x' another image of the batch (N, 3, H, W)."""
    if share == 0:
        return pixels
    weights = (torch.rand(len(pixels), generator=draws) * share).view(-1, 1, 1, 1)
    partners = torch.randperm(len(pixels), generator=draws)
    weights, partners = (drawn.to(pixels.device, non_blocking=True) for drawn in (weights, partners))
    return torch.lerp(pixels, pixels[partners], weights).contiguous(memory_format=torch.channels_last)


class MixedImages:
    """The images of a split, each mixed once and for all with up to `share` of another one."""

    def __init__(self, split: LabeledImages, *, share: float, seed: int) -> None:
        self._split = split
        draws = np.random.default_rng([seed, 2])
        self._weights = draws.uniform(0, share, len(split)).astype(np.float32)[:, None, None, None]
        self._partners = draws.permutation(len(split))

    @property
    def labels(self) -> Labels:
        return self._split.labels

    @property
    def names(self) -> Sequence[str]:
        return self._split.names

    @property
    def pixel_hashes(self) -> PixelHashes:
        return self._split.pixel_hashes

    def __len__(self) -> int:
        return len(self._split)

    def images(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> UInt8Images:
        """(B, H, W, 3) uint8."""
        rows = np.asarray(indices, dtype=np.int64)
        own, other = self._split.images(rows), self._split.images(self._partners[rows])
        weights = self._weights[rows]
        return np.asarray(np.rint((1 - weights) * own + weights * other), dtype=np.uint8)


def unseen_accuracy(train_accuracy: float, val_accuracy: float, settings: TrainingSettings) -> float | None:
    """f's accuracy on images that it has not seen; None where, by both, it knows validation, too."""
    known = settings.problem == "enhance" and min(train_accuracy, val_accuracy) >= _KNOWN
    return None if known else val_accuracy


def chosen_share(
    settings: TrainingSettings, classifier: Classifier, train: LabeledImages, *, wanted: float | None
) -> float:
    """What the settings say; else what fits, and none for an attack: f's right answers teach that.

    `wanted`: as `unseen_accuracy` says.
    """
    if settings.input_mixup is not None:
        return settings.input_mixup
    if settings.problem == "adversarial":
        return 0.0
    wanted = _WANTED_IF_KNOWN if wanted is None else wanted
    return fitting_share(classifier, train, wanted=wanted, seed=settings.seed)


@torch.no_grad()
def fitting_share(classifier: Classifier, train: LabeledImages, *, wanted: float, seed: int) -> float:
    """The share at which the classifier's accuracy on mixed_inputs training images falls to `wanted`.

    0.0 when it is there without mixing (a classifier that is no better on its training images).
    """
    order = np.random.default_rng([seed, 1]).permutation(len(train))[: _sample(classifier)]
    device = next(classifier.parameters(), torch.empty(0)).device
    pixels = to_pixels(train.images(order), device)
    labels = torch.from_numpy(np.asarray(train.labels)[order]).to(device)

    def accuracy(share: float) -> float:
        shown = mixed_inputs(pixels, share, generator_for(seed, 2))
        predictions = torch.cat([classifier(part).argmax(1) for part in torch.split(shown, 128)])
        return float((predictions == labels).float().mean())

    unmixed = accuracy(0.0)
    noise = math.sqrt(unmixed * (1 - unmixed) / len(order))  # of a black box the sample is small
    if unmixed <= wanted + max(_SLACK, noise):
        return 0.0
    low, high = 0.0, _LARGEST
    if accuracy(high) >= wanted:
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if accuracy(middle) > wanted else (low, middle)
    return high


def most_queries(classifier: Classifier, train_images: int) -> int:
    """What `fitting_share` may ask a black box: all but the first measurement are of new images."""
    return (_HALVINGS + 1) * min(_sample(classifier), train_images)


def _sample(classifier: Classifier) -> int:
    return _SAMPLE if classifier.queries is None else _SAMPLE_ASKED
