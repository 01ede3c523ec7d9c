"""The shapes of things that cross package borders inside core."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

UInt8Images = npt.NDArray[np.uint8]  # (B, H, W, 3), RGB
Labels = npt.NDArray[np.int64]  # (B,)
PixelHashes = npt.NDArray[np.uint64]  # (B,)
Progress = Callable[[int, int], None]  # (done, total); total 0 = unknown; may raise Canceled


class LabeledImages(Protocol):
    """One split of a data set: square RGB images of one size, with labels."""

    @property
    def labels(self) -> Labels: ...

    @property
    def names(self) -> Sequence[str]:
        """A name for each image, as a person would look for it (the relative path)."""

    @property
    def pixel_hashes(self) -> PixelHashes:
        """48 bits that tell each picture from others, whatever its file is called and its size here."""

    def __len__(self) -> int: ...

    def images(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> UInt8Images:
        """Decoded images (B, H, W, 3) uint8, from the cache where they are in it."""
