"""Failures to learn from: the classifier is shown training images mixed with others.

A classifier that is right on all of its training images gives D nothing but successes. Mixed
with a share of another image it fails as it does on images it has not seen, with features that
lean to a wrong class; G still sees the image unmixed, as it will when it is used.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.device import to_pixels
from pgn_studio.core.protocols import LabelledImages
from pgn_studio.core.training.batches import generator_for

_SAMPLE = 1024  # images on which a share is tried: ±1.5 points
_SLACK = 0.02  # nearer than this to the wanted accuracy, nothing is mixed
_SAMPLE_ASKED = 256  # of a black box, whose answers cost: ±3 points
_LARGEST = 0.8
_HALVINGS = 5


def blended(pixels: Tensor, share: float, draws: torch.Generator) -> Tensor:
    """(1 - w)·x + w·x' with w uniform in [0, share] and x' another image of the batch (N, 3, H, W)."""
    if share == 0:
        return pixels
    weights = (torch.rand(len(pixels), generator=draws) * share).view(-1, 1, 1, 1)
    partners = torch.randperm(len(pixels), generator=draws)
    weights, partners = (drawn.to(pixels.device, non_blocking=True) for drawn in (weights, partners))
    return torch.lerp(pixels, pixels[partners], weights).contiguous(memory_format=torch.channels_last)


def chosen_share(
    settings: TrainingSettings, classifier: Classifier, train: LabelledImages, *, wanted: float
) -> float:
    """What the settings say; else what fits, and none for an attack: f's right answers teach that."""
    if settings.input_mixup is not None:
        return settings.input_mixup
    if settings.problem == "adversarial":
        return 0.0
    return fitting_share(classifier, train, wanted=wanted, seed=settings.seed)


@torch.no_grad()
def fitting_share(classifier: Classifier, train: LabelledImages, *, wanted: float, seed: int) -> float:
    """The share at which the classifier's accuracy on blended training images falls to `wanted`.

    0.0 when it is there without blending (a classifier that is no better on its training images).
    """
    order = np.random.default_rng([seed, 1]).permutation(len(train))[: _sample(classifier)]
    device = next(classifier.parameters(), torch.empty(0)).device
    pixels = to_pixels(train.images(order), device)
    labels = torch.from_numpy(np.asarray(train.labels)[order]).to(device)

    def accuracy(share: float) -> float:
        shown = blended(pixels, share, generator_for(seed, 2))
        predictions = torch.cat([classifier(part).argmax(1) for part in torch.split(shown, 128)])
        return float((predictions == labels).float().mean())

    if accuracy(0.0) <= wanted + _SLACK:
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
