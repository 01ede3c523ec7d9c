"""Random changes to training images, for a whole batch at once on its device."""

from __future__ import annotations

import torch
from torch import Tensor

from pgn_studio.core.config import AugmentName
from pgn_studio.core.errors import ConfigError

_SHIFT_SHARE = 8  # shifts go up to this fraction of the side
_BRIGHTNESS = _CONTRAST = _SATURATION = 0.3  # factors are drawn from 1 ± this
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's gray


def augment(images: Tensor, name: AugmentName, generator: torch.Generator) -> Tensor:
    """Changed copies of `images` (N, 3, H, W) in [0, 1]: same shape, dtype, device and range.

    flip mirrors every second image on average; standard also shifts by up to an eighth of the
    side, mirrored at the border; strong also changes brightness, contrast and saturation.
    All draws come from `generator`, which lives on the CPU, so that every device sees the same.
    Raises ConfigError for another name.
    """
    if name == "none":
        return images
    if name not in ("flip", "standard", "strong"):
        raise ConfigError(
            f"Unknown augmentation {name!r}.", hint="Choose one of: none, flip, standard, strong."
        )
    changed = mirror(images, draw_mirrored(len(images), generator))
    if name in ("standard", "strong"):
        changed = _shift(changed, generator)
    if name == "strong":
        changed = _recolor(changed, generator)
    return changed


def draw_mirrored(count: int, generator: torch.Generator) -> Tensor:
    """Which images "flip" mirrors: (count,) bool on the CPU."""
    return torch.rand(count, generator=generator) < 0.5


def mirror(images: Tensor, mirrored: Tensor) -> Tensor:
    """The images (N, 3, H, W) with those marked mirrored left to right."""
    chosen = mirrored.to(images.device, non_blocking=True)[:, None, None, None]
    return torch.where(chosen, images.flip(-1), images)


def _shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Move each image by whole pixels; what comes in is the image mirrored at its border."""
    count, channels, height, width = images.shape
    rows = _shifted_positions(count, height, generator).to(images.device, non_blocking=True)  # (N, H)
    columns = _shifted_positions(count, width, generator).to(images.device, non_blocking=True)  # (N, W)
    images = images.gather(2, rows[:, None, :, None].expand(count, channels, height, width))
    return images.gather(3, columns[:, None, None, :].expand(count, channels, height, width))


def _shifted_positions(count: int, side: int, generator: torch.Generator) -> Tensor:
    """For each image the source position of each of `side` pixels (N, side), reflected into range."""
    reach = side // _SHIFT_SHARE
    offsets = torch.randint(-reach, reach + 1, (count, 1), generator=generator)
    positions = (torch.arange(side)[None, :] + offsets).abs()
    return torch.minimum(positions, 2 * (side - 1) - positions)


def _recolor(images: Tensor, generator: torch.Generator) -> Tensor:
    images = (images * _factors(images, _BRIGHTNESS, generator)).clamp(0, 1)
    mean_gray = _gray(images).mean(dim=(2, 3), keepdim=True)
    images = torch.lerp(mean_gray.expand_as(images), images, _factors(images, _CONTRAST, generator))
    images = images.clamp(0, 1)
    gray = _gray(images).expand_as(images)
    return torch.lerp(gray, images, _factors(images, _SATURATION, generator)).clamp(0, 1)


def _factors(images: Tensor, spread: float, generator: torch.Generator) -> Tensor:
    """One factor for each image, uniform in 1 ± spread: (N, 1, 1, 1)."""
    draws = 1 + spread * (2 * torch.rand(len(images), generator=generator) - 1)
    return draws.to(images, non_blocking=True)[:, None, None, None]


def _gray(images: Tensor) -> Tensor:
    weights = torch.tensor(_LUMA).to(images, non_blocking=True)
    return (images * weights[None, :, None, None]).sum(dim=1, keepdim=True)  # (N, 1, H, W)
