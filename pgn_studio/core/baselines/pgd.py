"""Many steps along the gradient of f's cross-entropy to the true label: PGD, as an oracle."""

from __future__ import annotations

import torch
from torch import Tensor

from pgn_studio.core.baselines.base import Baseline
from pgn_studio.core.baselines.context import BaselineContext
from pgn_studio.core.baselines.gradients import cross_entropy_gradient, direction, in_ball

_REACH = 2.5  # all steps together could go this many radii: room to turn


class PgdOracle(Baseline):
    """Projected gradient steps to the true label (Madry et al. 2018), in the ball ‖p‖₂ <= rms·√n.

    Each step goes along the gradient normalized in L2, from p = 0, so that nothing is drawn.
    """

    title = "PGD (oracle)"
    description = "many L2 steps through f by the image's true label"
    oracle = True
    needs_gradients = True
    steps = 20

    def perturb(self, images: Tensor, labels: Tensor | None, context: BaselineContext) -> Tensor:
        values = context.space.from_pixels(images)
        radius = context.rms * images[0].numel() ** 0.5
        size = direction(context.problem) * _REACH * radius / self.steps
        perturbation = torch.zeros_like(values)
        for _ in range(self.steps):
            gradient = cross_entropy_gradient(
                context.classifier, context.space, values + perturbation, labels
            )
            perturbation = in_ball(perturbation + size * _unit(gradient), radius)
        return perturbation


def _unit(gradient: Tensor) -> Tensor:
    """Each of length 1; a gradient of zero stays zero. Scaled first: squares of tiny ones underflow."""
    largest = gradient.flatten(1).abs().amax(dim=1).view(-1, 1, 1, 1)
    scaled = gradient / largest.clamp_min(torch.finfo(gradient.dtype).tiny)
    norm = scaled.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    unit: Tensor = scaled / norm.clamp_min(1.0)  # the largest entry is 1, so a norm below 1 is that of zero
    return unit
