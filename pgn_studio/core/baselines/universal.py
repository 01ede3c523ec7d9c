"""The universal adversarial perturbation (Moosavi-Dezfooli et al. 2017): one p for all images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pgn_studio.core.baselines.deepfool import deepfool
from pgn_studio.core.baselines.gradients import own_answers
from pgn_studio.core.baselines.steps import in_ball
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.device import to_pixels
from pgn_studio.core.evaluation.perturber import added
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.pgn import Perturbation
from pgn_studio.core.protocols import LabelledImages, Progress

_IMAGES = 2048  # the paper needs fewer; more would only cost time
_BATCH = 16  # steps of one batch are added up: with many more they overshoot, with few it takes longer
_PASSES = 5
_GOAL = 0.8  # share of images fooled at which it stops, the paper's 1 - δ


class Universal:
    """The same p (1, 3, H, W) on every image."""

    def __init__(self, space: InputSpace, perturbation: Tensor) -> None:
        self.space = space
        self.perturbation = perturbation

    def perturb(self, pixels: Tensor, labels: Tensor) -> Perturbation:
        return added(self.space, pixels, self.perturbation.to(pixels.device).expand(len(pixels), -1, -1, -1))


def universal_perturbation(
    classifier: Classifier,
    space: InputSpace,
    images: LabelledImages,
    *,
    rms: float,
    seed: int,
    device: torch.device,
    passes: int = _PASSES,
    progress: Progress | None = None,
) -> Tensor:
    """v (1, 3, H, W) with ‖v‖₂ <= rms·√n that changes f's answer on most of `images` (algorithm 1).

    Images that x + v does not fool yet are taken batch by batch: their DeepFool steps from x + v are
    added to v, which is then brought back into the ball. The v of the best pass is kept. No true
    label is used. Raises ClassifierError for a classifier that gives no gradients.
    """
    order = np.random.default_rng([seed, 3])
    chosen = np.sort(order.permutation(len(images))[:_IMAGES])
    first = images.images(chosen[:1])
    radius = rms * first[0].size ** 0.5
    v = space.enter(to_pixels(first, device)).new_zeros(1, 3, *first.shape[1:3])
    best, most_fooled = v, -1.0
    for done in range(passes):
        fooled = 0
        order.shuffle(chosen)
        for start in range(0, len(chosen), _BATCH):
            batch = chosen[start : start + _BATCH]
            v = _with_batch(classifier, space, to_pixels(images.images(batch), device), v, radius)
            if progress is not None:
                progress(done * len(chosen) + start + len(batch), passes * len(chosen))
        for start in range(0, len(chosen), 8 * _BATCH):
            values = space.enter(to_pixels(images.images(chosen[start : start + 8 * _BATCH]), device))
            fooled += int(_fooled(classifier, space, values, v).sum())
        if fooled / len(chosen) > most_fooled:
            best, most_fooled = v, fooled / len(chosen)
        if most_fooled >= _GOAL:
            break
    return best


def _with_batch(
    classifier: Classifier, space: InputSpace, pixels: Tensor, v: Tensor, radius: float
) -> Tensor:
    values = space.enter(pixels)
    left = values[~_fooled(classifier, space, values, v)]
    if len(left) == 0:
        return v
    return in_ball(v + deepfool(classifier, space, left + v).sum(0, keepdim=True), radius)


def _fooled(classifier: Classifier, space: InputSpace, values: Tensor, v: Tensor) -> Tensor:
    """Whether v changes f's answer, (N,) bool."""
    return own_answers(classifier, space, values) != own_answers(classifier, space, values + v)
