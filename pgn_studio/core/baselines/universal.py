"""The universal adversarial perturbation (Moosavi-Dezfooli et al. 2017): one p for all images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pgn_studio.core.baselines.base import Baseline
from pgn_studio.core.baselines.context import BaselineContext
from pgn_studio.core.baselines.deepfool import deepfool
from pgn_studio.core.baselines.gradients import in_ball, own_answers
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.device import to_pixels
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.prefetch import Indices
from pgn_studio.core.protocols import LabeledImages, Progress

_IMAGES = 2048  # the paper needs fewer; more would only cost time
# Steps of a batch are added up: many overshoot. Small batches, one DeepFool step an image, to the nearest of
# the likeliest classes, fool as many as whole DeepFool runs in a third of the time (benchmarks/baselines.py).
_BATCH = 4
_DEEPFOOL = {"candidates": 3, "most_steps": 1}
_ASKED = 128  # images in a batch where f only answers
_PASSES = 5
_GOAL = 0.8  # share of images fooled at which it stops, the paper's 1 - δ


class Universal(Baseline):
    """The same p (1, 3, H, W) on every image."""

    title = "UAP"
    description = "one perturbation for all images, from DeepFool steps on the training images"
    needs_training = True
    needs_gradients = True
    problems = ("adversarial",)

    def prepare(self, context: BaselineContext, progress: Progress | None = None) -> None:
        self._perturbation = universal_perturbation(
            context.classifier,
            context.space,
            context.train,
            rms=context.rms,
            seed=context.seed,
            device=context.device,
            progress=progress,
        )

    def perturb(self, images: Tensor, labels: Tensor | None, context: BaselineContext) -> Tensor:
        return self._perturbation.to(images.device).expand(len(images), -1, -1, -1)


def universal_perturbation(
    classifier: Classifier,
    space: InputSpace,
    images: LabeledImages,
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

    def entered(rows: Indices) -> Tensor:
        return space.from_pixels(to_pixels(images.images(rows), device))

    clean = torch.cat([own_answers(classifier, space, entered(rows)) for rows in _parts(chosen, _ASKED)])
    answers = dict(zip(chosen.tolist(), clean.tolist(), strict=True))  # f never changes

    def left(rows: Indices, values: Tensor, v: Tensor) -> Tensor:
        """Which of the images v does not fool yet, (N,) bool."""
        known = torch.tensor([answers[row] for row in rows.tolist()], device=device)
        return own_answers(classifier, space, values + v) == known

    first = images.images(chosen[:1])
    radius = rms * first[0].size ** 0.5
    v = space.from_pixels(to_pixels(first, device)).new_zeros(1, 3, *first.shape[1:3])
    best, most_fooled = v, -1.0
    for done in range(passes):
        fooled = 0
        order.shuffle(chosen)
        for number, rows in enumerate(_parts(chosen, _BATCH)):
            values = entered(rows)
            values = values[left(rows, values, v)]
            if len(values):
                steps = deepfool(classifier, space, values + v, **_DEEPFOOL)
                v = in_ball(v + steps.sum(0, keepdim=True), radius)
            if progress is not None:
                progress(done * len(chosen) + number * _BATCH + len(rows), passes * len(chosen))
        for rows in _parts(chosen, _ASKED):
            fooled += len(rows) - int(left(rows, entered(rows), v).sum())
        if fooled / len(chosen) > most_fooled:
            best, most_fooled = v, fooled / len(chosen)
        if most_fooled >= _GOAL:
            break
    return best


def _parts(rows: Indices, size: int) -> list[Indices]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
