"""Steps along the gradient of f's cross-entropy: FGSM, and the oracle's one and many steps."""

from __future__ import annotations

import torch
from torch import Tensor

from pgn_studio.core.baselines.gradients import cross_entropy_gradient
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import Problem
from pgn_studio.core.evaluation.perturber import added
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.pgn import Perturbation

_STEPS = 20
_REACH = 2.5  # all steps together could go this many radii: room to turn


def _direction(problem: Problem) -> float:
    """Down the cross-entropy to help, up to harm."""
    return -1.0 if problem == "enhance" else 1.0


class SignStep:
    """p = ±sign ∇ CE(f(x), label), of size 1 a value (Goodfellow et al. 2015, equation of §4).

    `oracle` takes the true label, else f's own answer on x: nothing that a user would not have.
    """

    def __init__(self, classifier: Classifier, space: InputSpace, problem: Problem, *, oracle: bool) -> None:
        self.classifier = classifier
        self.space = space
        self.oracle = oracle
        self._direction = _direction(problem)

    def perturb(self, pixels: Tensor, labels: Tensor) -> Perturbation:
        values = self.space.from_pixels(pixels)
        known = labels if self.oracle else None
        gradient = cross_entropy_gradient(self.classifier, self.space, values, known)
        return added(self.space, pixels, self._direction * gradient.sign())


class IteratedSteps:
    """Projected gradient steps to the true label (Madry et al. 2018), in the ball ‖p‖₂ <= rms·√n.

    Each step goes along the gradient normalized in L2, from p = 0, so that nothing is drawn.
    """

    def __init__(
        self, classifier: Classifier, space: InputSpace, problem: Problem, *, rms: float, steps: int = _STEPS
    ) -> None:
        self.classifier = classifier
        self.space = space
        self.rms = rms
        self.steps = steps
        self._direction = _direction(problem)

    def perturb(self, pixels: Tensor, labels: Tensor) -> Perturbation:
        values = self.space.from_pixels(pixels)
        radius = self.rms * pixels[0].numel() ** 0.5
        perturbation = torch.zeros_like(values)
        for _ in range(self.steps):
            gradient = cross_entropy_gradient(self.classifier, self.space, values + perturbation, labels)
            step = self._direction * _REACH * radius / self.steps * _unit(gradient)
            perturbation = in_ball(perturbation + step, radius)
        return added(self.space, pixels, perturbation)


def in_ball(perturbation: Tensor, radius: float) -> Tensor:
    """Each of (N, 3, H, W) brought back to ‖p‖₂ <= radius."""
    norm = perturbation.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    factor: Tensor = (radius / norm.clamp_min(1e-12)).clamp_max(1.0)
    return perturbation * factor


def _unit(gradient: Tensor) -> Tensor:
    """Each of length 1; a gradient of zero stays zero. Scaled first: squares of tiny ones underflow."""
    largest = gradient.flatten(1).abs().amax(dim=1).view(-1, 1, 1, 1)
    scaled = gradient / largest.clamp_min(torch.finfo(gradient.dtype).tiny)
    norm = scaled.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    unit: Tensor = scaled / norm.clamp_min(1.0)  # the largest entry is 1, so a norm below 1 is that of zero
    return unit
