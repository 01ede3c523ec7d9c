"""What frozen networks say of an image, computed once.

At small sizes the frozen encoder is half of a step's work; f's answers about images as they are
cost a forward of f in each step.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pgn_studio.core.prefetch import Indices

# oneDNN takes other kernels for fewer images, with other last bits: what is computed for an image
# must not depend on which others were still missing beside it.
_FEWEST = 32


class FeatureCache:
    """compute(pixels) for images and their mirror images, kept from the first time each is asked for.

    Nothing is kept where all images together would take more than `most_bytes`.
    """

    def __init__(self, compute: Callable[[Tensor], Tensor], *, images: int, most_bytes: int) -> None:
        self._compute = compute
        self._images = images
        self._most_bytes = most_bytes
        self._kept: Tensor | None = None  # (2 · images, …): as they are, then mirrored
        self._known = np.zeros(2 * images, dtype=np.bool_)

    @torch.no_grad()
    def __call__(self, pixels: Tensor, indices: Indices, mirrored: Tensor | None) -> Tensor | None:
        """(N, …) for pixels (N, 3, S, S), which are the images at `indices`, mirrored where marked.

        None where nothing is kept.
        """
        if self._most_bytes == 0:
            return None
        rows = indices if mirrored is None else indices + self._images * mirrored.numpy()
        missing = np.flatnonzero(~self._known[rows])
        if len(missing):
            fresh = self._fresh(pixels[_moved(missing, pixels.device)])
            if not self._make_room(fresh):
                return None
            assert self._kept is not None
            self._kept[_moved(rows[missing], fresh.device)] = _channels_last(fresh)
            self._known[rows[missing]] = True
        assert self._kept is not None
        taken = self._kept.index_select(0, _moved(rows, self._kept.device))
        return taken.permute(0, 3, 1, 2) if taken.dim() == 4 else taken

    def _fresh(self, pixels: Tensor) -> Tensor:
        count = len(pixels)
        if count < _FEWEST:
            pixels = F.pad(pixels, (0, 0, 0, 0, 0, 0, 0, _FEWEST - count))
        return self._compute(pixels.contiguous(memory_format=torch.channels_last))[:count]

    def _make_room(self, fresh: Tensor) -> bool:
        """Whether all images' values fit; on a CPU memory is taken as rows are written."""
        if self._kept is None:
            rows = len(self._known)
            if rows * fresh[0].numel() * fresh.element_size() > min(self._most_bytes, _spare(fresh.device)):
                self._most_bytes = 0
                return False
            self._kept = fresh.new_empty(rows, *_channels_last(fresh).shape[1:])
        return True


def _spare(device: torch.device) -> float:
    """Bytes of a GPU's memory that may be taken for what only saves time; a CPU's are the user's to limit."""
    return torch.cuda.mem_get_info(device)[0] / 4 if device.type == "cuda" else math.inf


def _moved(rows: Indices, device: torch.device) -> Tensor:
    return torch.from_numpy(rows).to(device, non_blocking=True)


def _channels_last(values: Tensor) -> Tensor:
    return values.permute(0, 2, 3, 1) if values.dim() == 4 else values
