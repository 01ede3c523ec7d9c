"""The cache keeps what came first, within its bound, and is safe from several threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from pgn_studio.core.data.images import UnreadableImage
from pgn_studio.core.data.store import ImageStore, in_threads
from pgn_studio.core.errors import DataError
from pgn_studio.core.protocols import UInt8Images

MIB_IMAGE = 592  # 3 * 592 * 592 bytes are just above 1 MiB


class CountingSource:
    """Images of one value, their row; counts how often each is decoded."""

    resident = False

    def __init__(self, count: int, size: int = 4) -> None:
        self.count = count
        self.size = size
        self.reads: list[int] = []
        self.broken: set[int] = set()

    def __len__(self) -> int:
        return self.count

    def name(self, row: int) -> str:
        return f"image {row}"

    def path(self, row: int) -> Path | None:
        return None

    def byte_size(self, row: int) -> int:
        return row

    def pixel_hash(self, row: int) -> int:
        return row

    def read(self, row: int) -> UInt8Images:
        self.reads.append(row)
        if row in self.broken:
            raise UnreadableImage("file is gone")
        return np.full((self.size, self.size, 3), row, dtype=np.uint8)


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def test_the_second_time_nothing_is_decoded() -> None:
    source = CountingSource(10)
    store = ImageStore(source, image_size=4, cache_mb=1)
    for _ in range(2):
        assert store.images(rows(3, 1, 9))[:, 0, 0, 0].tolist() == [3, 1, 9]
    assert store.images(rows(9, 4))[:, 0, 0, 0].tolist() == [9, 4]
    assert sorted(source.reads) == [1, 3, 4, 9]


def test_an_image_asked_for_twice_at_once_is_decoded_once() -> None:
    source = CountingSource(10)
    store = ImageStore(source, image_size=4, cache_mb=1)
    assert store.images(rows(5, 2, 5, 5))[:, 0, 0, 0].tolist() == [5, 2, 5, 5]
    assert sorted(source.reads) == [2, 5]


def test_beyond_the_bound_images_are_decoded_again() -> None:
    source = CountingSource(8, size=MIB_IMAGE)
    store = ImageStore(source, image_size=MIB_IMAGE, cache_mb=4)  # room for three
    for row in range(8):
        store.images(rows(row))
    assert store.cached_count == 3
    source.reads.clear()
    assert store.images(np.arange(8))[:, 5, 5, 1].tolist() == list(range(8))
    assert sorted(source.reads) == [3, 4, 5, 6, 7]


def test_no_images_and_bad_rows() -> None:
    store = ImageStore(CountingSource(3), image_size=4, cache_mb=1)
    assert store.images(rows()).shape == (0, 4, 4, 3)
    with pytest.raises(IndexError):
        store.images(rows(3))


def test_callers_own_what_they_get() -> None:
    store = ImageStore(CountingSource(3), image_size=4, cache_mb=1)
    store.images(rows(2))[:] = 77
    store.images(rows(2))[:] = 78
    assert (store.images(rows(2)) == 2).all()


def test_a_file_gone_bad_is_named() -> None:
    source = CountingSource(40)
    source.broken = {17}
    store = ImageStore(source, image_size=4, cache_mb=1)
    with pytest.raises(DataError, match="'image 17'.*file is gone"):
        store.images(np.arange(40))
    assert store.images(rows(16, 18))[:, 0, 0, 0].tolist() == [16, 18]


def test_several_threads_get_the_right_images() -> None:
    store = ImageStore(CountingSource(200), image_size=4, cache_mb=1)

    def look(seed: int) -> bool:
        drawn = np.random.default_rng(seed).integers(0, 200, 50)
        return bool((store.images(drawn)[:, 0, 0, 0] == drawn).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(look, range(40)))
    assert store.cached_count == 200


def test_in_threads_keeps_the_order_and_passes_errors_on() -> None:
    with closing(in_threads(lambda row: row * row, range(100))) as results:
        assert list(results) == [row * row for row in range(100)]
    with (
        closing(in_threads(lambda row: 1 // (row - 50), range(100))) as results,
        pytest.raises(ZeroDivisionError),
    ):
        list(results)


def test_closing_in_threads_drops_what_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    begun: list[int] = []
    with closing(in_threads(lambda row: begun.append(row), range(10_000))) as results:
        next(results)
    assert len(begun) < 20
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]
