"""Pixels that come as arrays (digits, STL-10, CIFAR-10, Fashion-MNIST)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from PIL import Image

from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.dataset import ImageDataset, assemble
from pgn_studio.core.data.images import pixel_hash, square
from pgn_studio.core.data.splitting import choose_classes
from pgn_studio.core.data.store import ImageStore, Rows
from pgn_studio.core.protocols import Labels, UInt8Images


@dataclass(frozen=True)
class ArrayPart:
    """The images of one published split: (N, H, W) gray or (N, H, W, 3) RGB, and labels (N,)."""

    name: str
    pixels: UInt8Images
    labels: Labels
    shown_as: str = ""  # in the names of its images, where its own would mislead (it is yet to be split)


class ArraySource:
    """Pixels from arrays, scaled to `image_size`; implements store.ImageSource."""

    def __init__(self, parts: Sequence[ArrayPart], image_size: int, resampling: Image.Resampling) -> None:
        self._parts = parts
        self._ends = list(accumulate(len(part.labels) for part in parts))
        self._image_size = image_size
        self._resampling = resampling
        height, width = parts[0].pixels.shape[1:3]
        self._as_is = height == width == image_size

    @property
    def resident(self) -> bool:
        """Memory-mapped files are left to the cache: the disk is slow and their order is another."""
        return self._as_is and not any(isinstance(part.pixels, np.memmap) for part in self._parts)

    def __len__(self) -> int:
        return self._ends[-1]

    def name(self, row: int) -> str:
        part, index = self._locate(row)
        return f"{part.shown_as or part.name}/{index:05d}"

    def path(self, row: int) -> None:
        return None

    def byte_size(self, row: int) -> int:
        return int(self._locate(row)[0].pixels[0].size)

    def pixel_hash(self, row: int) -> int:
        return pixel_hash(self._rgb(row))

    def read(self, row: int) -> UInt8Images:
        pixels = self._rgb(row)
        if self._as_is:
            return pixels
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        return np.array(square(picture, self._image_size, self._resampling))

    def _rgb(self, row: int) -> UInt8Images:
        part, index = self._locate(row)
        pixels: UInt8Images = part.pixels[index]
        return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels

    def _locate(self, row: int) -> tuple[ArrayPart, int]:
        number = bisect_right(self._ends, row)
        return self._parts[number], row - (self._ends[number - 1] if number else 0)


def load_arrays(
    name: str,
    parts: Sequence[ArrayPart],
    classes: Sequence[str],
    settings: DataSettings,
    *,
    root: str,
    image_size: int,
    resampling: Image.Resampling = Image.Resampling.BICUBIC,
    mirrorable: bool | None = None,
) -> ImageDataset:
    """A data set of the parts called "train", "val" or "test"; what is missing is split off.

    A part by any other name is not allowed. Raises DataError (too few images or classes).
    """
    chosen = choose_classes(classes, settings)
    new_label = np.full(len(classes), -1, dtype=np.int64)
    new_label[[classes.index(title) for title in chosen]] = np.arange(len(chosen))
    labels: Labels = new_label[np.concatenate([part.labels for part in parts])]
    rows: dict[str, Rows] = {}
    begin = 0
    for part in parts:
        end = begin + len(part.labels)
        rows[part.name] = begin + np.flatnonzero(labels[begin:end] >= 0)
        begin = end
    source = ArraySource(parts, image_size, resampling)
    return assemble(
        name=name,
        root=root,
        classes=chosen,
        store=ImageStore(source, image_size=image_size, cache_mb=settings.cache_mb),
        labels=labels,
        found=rows,
        settings=settings,
        mirrorable=mirrorable,
    )
