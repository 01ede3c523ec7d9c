"""Random noise: what a perturbation of that size does by itself."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from pgn_studio.core.evaluation.perturber import added
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.pgn import Perturbation


class RandomSigns:
    """p = ±1 in each value, as FGSM's step with its direction left to chance.

    Drawn from the seed and the image's own bytes: neither batch nor order matters.
    """

    def __init__(self, space: InputSpace, *, seed: int) -> None:
        self.space = space
        self.seed = seed

    def perturb(self, pixels: Tensor, labels: Tensor) -> Perturbation:
        whole = (pixels.float() * 255).round().to(torch.uint8).cpu()
        drawn = torch.stack([self._signs(image) for image in whole])
        return added(self.space, pixels, drawn.to(pixels.device))

    def _signs(self, image: Tensor) -> Tensor:
        """Signs (3, H, W) for a uint8 image (3, H, W)."""
        content = image.contiguous().numpy().tobytes() + str(self.seed).encode()
        number = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
        draws = torch.Generator().manual_seed(number)
        return torch.randint(0, 2, image.shape, generator=draws).mul_(2).sub_(1).float()
