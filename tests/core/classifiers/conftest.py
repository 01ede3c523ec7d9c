"""Tiny stand-ins: colored squares that a small network learns in seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from pgn_studio.core.data.images import pixel_hash


class Squares:
    """A split of `count` images in three classes: red, green or blue squares with noise."""

    def __init__(self, count: int, *, size: int = 8, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.labels = np.arange(count, dtype=np.int64) % 3
        self.names = [f"{index}.png" for index in range(count)]
        self._images = random.integers(0, 150, (count, size, size, 3), dtype=np.uint8)
        self._images[np.arange(count), :, :, self.labels] += 80
        self.asked: list[list[int]] = []

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pixel_hashes(self) -> npt.NDArray[np.uint64]:
        return np.array([pixel_hash(image) for image in self._images], dtype=np.uint64)

    def images(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        self.asked.append([int(index) for index in indices])
        return self._images[np.asarray(indices)]


@pytest.fixture
def make_squares() -> type[Squares]:
    return Squares
