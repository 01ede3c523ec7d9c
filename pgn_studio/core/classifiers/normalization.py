"""How an image becomes what a network takes: mean, std and the order of its channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pgn_studio.core.config import ChannelOrder
from pgn_studio.core.pretrained import Triple

_DIGITS = 4  # as far as published means and stds are given


@dataclass(frozen=True)
class Normalization:
    """(x - mean) / std of images in [0, 1]; mean and std are for red, green and blue, whatever the order."""

    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    channels: ChannelOrder = "rgb"

    def alike(self, other: Normalization) -> bool:
        """Whether the two are one, as far as the digits go that people write down."""
        mine, theirs = ((*item.mean, *item.std) for item in (self, other))
        near = all(round(a - b, _DIGITS) == 0 for a, b in zip(mine, theirs, strict=True))
        return near and self.channels == other.channels

    def apply(self, pixels: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [0, 1] to what the network takes."""
        mean, std = (pixels.new_tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return in_order((pixels - mean) / std, self.channels)


def in_order(values: Tensor, channels: ChannelOrder) -> Tensor:
    """RGB values (N, 3, H, W) in the order that a network wants."""
    return values.flip(1) if channels == "bgr" else values


def recorded_order(value: Any) -> ChannelOrder | None:
    """As a run recorded it; runs of before know no order but RGB."""
    return value if value in ("rgb", "bgr") else None
