"""Where the perturbation is added: to pixel values, or after the classifier's normalization.

The paper's STL-10 runs add it to pixels in [0, 1]; its ImageNet runs to normalized values (§4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pgn_studio.core.config import InputSpaceName


class InputSpace(nn.Module):
    """Maps images between pixels in [0, 1], the space of the perturbation, and the network's input."""

    mean: Tensor
    std: Tensor

    def __init__(self, name: InputSpaceName, *, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.name = name
        self._normalization = tuple(mean), tuple(std)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def from_pixels(self, pixels: Tensor) -> Tensor:
        """Pixels (N, 3, H, W) in [0, 1] to the space in which p is added."""
        return pixels if self.name == "pixel" else (pixels - self.mean) / self.std

    def clip(self, pixels: Tensor, perturbation: Tensor) -> Tensor:
        """What a picture, pixels in [0, 1], keeps of a perturbation in this space: their sum is in [0, 1].

        Where it is cut off its gradient is zero.
        """
        down, up = -pixels, 1 - pixels
        if self.name == "normalized":
            down, up = down / self.std, up / self.std
        return perturbation.clamp(down, up)

    def to_pixels(self, values: Tensor) -> Tensor:
        """Back to pixels, not clamped."""
        return values if self.name == "pixel" else values * self.std + self.mean

    def normalized(self, values: Tensor) -> Tensor:
        """To what the classifier's network takes."""
        return (values - self.mean) / self.std if self.name == "pixel" else values

    def logits(self, classifier: Any, values: Tensor) -> Tensor:
        """A classifier's logits (N, K), without a detour through pixels unless it normalizes otherwise."""
        if (tuple(classifier.info.mean), tuple(classifier.info.std)) != self._normalization:
            through_pixels: Tensor = classifier(self.to_pixels(values))
            return through_pixels
        logits: Tensor = classifier.logits_normalized(self.normalized(values))
        return logits
