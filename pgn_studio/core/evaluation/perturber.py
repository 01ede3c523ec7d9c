"""What perturbs images, whatever it is: a PGN, a baseline, or either at another strength."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.pgn import Perturbation, Pgn


class Perturber(Protocol):
    """Makes x̃ = x + p of a batch; what it gives for an image does not depend on the rest of the batch."""

    def perturb(self, pixels: Tensor, labels: Tensor) -> Perturbation:
        """Images (N, 3, H, W) in [0, 1] and their true labels (N,) int64, on one device.

        Only oracles look at the labels. No graph comes back. Called in `full_precision`.
        """


class PgnPerturber:
    """A PGN; it never sees a label."""

    def __init__(self, pgn: Pgn) -> None:
        self.pgn = pgn

    def perturb(self, pixels: Tensor, labels: Tensor) -> Perturbation:
        if self.pgn.space.mean.device != pixels.device:
            self.pgn.to(pixels.device)
        return self.pgn.perturb(pixels)


class Scaled:
    """x + α p for another perturber's p; α 0 gives x itself, α 1 the perturber's own x̃."""

    def __init__(self, perturber: Perturber, space: InputSpace, alpha: float) -> None:
        self.perturber = perturber
        self.space = space
        self.alpha = alpha

    def perturb(self, pixels: Tensor, labels: Tensor) -> Perturbation:
        return added(
            self.space, pixels, self.alpha * self.perturber.perturb(pixels, labels).perturbation.float()
        )


@torch.no_grad()
def added(space: InputSpace, pixels: Tensor, perturbation: Tensor) -> Perturbation:
    """Equation 1: `perturbation` (N, 3, H, W), in `space`, added to images (N, 3, H, W) in [0, 1]."""
    if space.mean.device != pixels.device:
        space.to(pixels.device)
    perturbed = space.from_pixels(pixels) + perturbation
    back = space.to_pixels(perturbed)
    return Perturbation(perturbation, perturbed, back, back - pixels)
