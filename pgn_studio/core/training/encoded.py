"""What a frozen encoder sees of an image, computed once: at small sizes it is half of a step's work."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pgn_studio.core.device import Machine, autocast
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.prefetch import Indices

# oneDNN takes other kernels for fewer images, with other last bits: what an image's features are
# must not depend on which others were still missing beside it.
_FEWEST = 32


class EncodedImages:
    """Features of images and of their mirror images, kept from the first time each is asked for.

    On a CPU only: an accelerator encodes faster than it is worth keeping. Nothing is kept where
    all images together would take more than `most_bytes`.
    """

    def __init__(self, generator: Generator, *, images: int, precision: str, most_bytes: int) -> None:
        self._generator = generator
        self._images = images
        self._precision = precision
        self._most_bytes = most_bytes
        self._kept: Tensor | None = None  # (2 · images, h, w, C): as they are, then mirrored
        self._known = np.zeros(2 * images, dtype=np.bool_)

    @torch.no_grad()
    def __call__(self, pixels: Tensor, indices: Indices, mirrored: Tensor | None) -> Tensor | None:
        """(N, C, h, w) of pixels (N, 3, S, S), which are the images at `indices`, mirrored where marked.

        None where nothing is kept.
        """
        if self._most_bytes == 0:
            return None
        rows = indices if mirrored is None else indices + self._images * mirrored.numpy()
        missing = np.flatnonzero(~self._known[rows])
        if len(missing):
            fresh = self._encode(pixels[torch.from_numpy(missing)])
            if not self._make_room(fresh):
                return None
            assert self._kept is not None
            self._kept[torch.from_numpy(rows[missing])] = fresh.permute(0, 2, 3, 1)
            self._known[rows[missing]] = True
        assert self._kept is not None
        return self._kept.index_select(0, torch.from_numpy(rows)).permute(0, 3, 1, 2)

    def _encode(self, pixels: Tensor) -> Tensor:
        count = len(pixels)
        if count < _FEWEST:
            pixels = F.pad(pixels, (0, 0, 0, 0, 0, 0, 0, _FEWEST - count))
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with autocast(self._precision, pixels.device):
            return self._generator.encode(pixels)[:count]

    def _make_room(self, features: Tensor) -> bool:
        """Whether all images' features fit; memory is taken as rows are written."""
        if self._kept is None:
            _, channels, height, width = features.shape
            rows = len(self._known)
            if rows * features[0].numel() * features.element_size() > self._most_bytes:
                self._most_bytes = 0
                return False
            self._kept = torch.empty(rows, height, width, channels, dtype=features.dtype)
        return True


def encoded_images(
    generator: Generator, *, images: int, changes: str, machine: Machine, most_mb: int
) -> EncodedImages | None:
    """None where features do not stand still, or images come in more than two forms."""
    if generator.encoder_trained or changes not in ("none", "flip") or machine.device.type != "cpu":
        return None
    return EncodedImages(generator, images=images, precision=machine.precision, most_bytes=most_mb * 2**20)
