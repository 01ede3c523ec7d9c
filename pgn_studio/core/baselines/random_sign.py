"""Random signs: what a perturbation of that size does by itself."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from pgn_studio.core.baselines.base import Baseline
from pgn_studio.core.baselines.context import BaselineContext


class RandomSign(Baseline):
    """p = ±1 in each value, as FGSM's step with its direction left to chance.

    Drawn from the seed and the image's own bytes: neither batch nor order matters.
    """

    title = "Random signs"
    description = "plus or minus the same amount in each value, by chance"

    def perturb(self, images: Tensor, labels: Tensor | None, context: BaselineContext) -> Tensor:
        whole = (images.float() * 255).round().to(torch.uint8).cpu()
        return torch.stack([_signs(image, context.seed) for image in whole]).to(images.device)


def _signs(image: Tensor, seed: int) -> Tensor:
    """Signs (3, H, W) for a uint8 image (3, H, W)."""
    content = image.contiguous().numpy().tobytes() + str(seed).encode()
    number = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
    draws = torch.Generator().manual_seed(number)
    return torch.randint(0, 2, image.shape, generator=draws).mul_(2).sub_(1).float()
