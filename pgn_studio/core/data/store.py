"""All images of a data set at one size, decoded on demand into a bounded cache."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from pgn_studio.core.data.images import UnreadableImage
from pgn_studio.core.errors import DataError
from pgn_studio.core.protocols import UInt8Images

T = TypeVar("T")
Rows = npt.NDArray[np.int64]

_MAX_THREADS = 16
_IN_FLIGHT = 4  # jobs queued per thread: enough to keep it busy, few enough to cancel at once


class ImageSource(Protocol):
    """Where pixels come from: files, or arrays of a named data set."""

    @property
    def resident(self) -> bool:
        """Whether the pixels are in memory at the wanted size already: caching would only copy."""

    def __len__(self) -> int: ...

    def name(self, row: int) -> str: ...

    def path(self, row: int) -> Path | None: ...

    def byte_size(self, row: int) -> int:
        """Size of the original in bytes: part of the fingerprint."""

    def pixel_hash(self, row: int) -> int:
        """Of the picture at its own size (images.pixel_hash)."""

    def read(self, row: int) -> UInt8Images:
        """The image (S, S, 3). Raises UnreadableImage. Called from several threads."""


class ImageStore:
    """Images of one size by row number; the cache is filled first come, first kept."""

    def __init__(self, source: ImageSource, *, image_size: int, cache_mb: int) -> None:
        self.source = source
        self.image_size = image_size
        image_bytes = 3 * image_size * image_size
        room = 0 if source.resident else min(len(source), cache_mb * 2**20 // image_bytes)
        try:
            # Not touched, so the system gives the memory page by page as images come in.
            self._pixels = np.empty((room, image_size, image_size, 3), dtype=np.uint8)
        except MemoryError:
            raise DataError(
                f"No memory for {room * image_bytes / 2**20:.0f} MiB of decoded images.",
                hint="Choose a smaller cache or image size.",
            ) from None
        self._slots: Rows = np.full(len(source), -1, dtype=np.int64)  # row -> place in _pixels
        self._used = 0
        self._lock = threading.Lock()

    @property
    def cached_count(self) -> int:
        return self._used

    def images(self, rows: Rows) -> UInt8Images:
        """Images (B, S, S, 3); what is not in the cache is decoded, on several threads.

        Raises DataError when a file that was readable at loading no longer is.
        """
        slots = self._slots[rows]
        held = slots >= 0
        if held.all():
            return self._pixels[slots]
        images = np.empty((len(rows), self.image_size, self.image_size, 3), dtype=np.uint8)
        images[held] = self._pixels[slots[held]]
        missing, places = np.unique(rows[~held], return_inverse=True)
        decoded = np.empty((len(missing), *images.shape[1:]), dtype=np.uint8)
        try:
            with closing(self._decoded(missing)) as results:
                for index, pixels in enumerate(results):
                    decoded[index] = pixels
        except _RowError as error:
            raise DataError(
                f"Image {self.source.name(error.row)!r} can no longer be read: {error}.",
                hint="It was readable before; load the data set again to skip it.",
            ) from error
        images[~held] = decoded[places]
        return images

    def load(self, row: int) -> UInt8Images:
        """Decode one image and keep it if there is room. Raises UnreadableImage."""
        pixels = self.source.read(row)
        self.keep(row, pixels)
        return pixels

    def keep(self, row: int, pixels: UInt8Images) -> None:
        """Put a decoded image into the cache if there is room."""
        with self._lock:
            if self._used < len(self._pixels) and self._slots[row] < 0:
                self._pixels[self._used] = pixels
                self._slots[row] = self._used  # published last: readers take no lock
                self._used += 1

    def _decoded(self, rows: Rows) -> Generator[UInt8Images, None, None]:
        if self.source.resident:
            return (self.source.read(int(row)) for row in rows)
        return in_threads(self._load_or_say_which, [int(row) for row in rows])

    def _load_or_say_which(self, row: int) -> UInt8Images:
        try:
            return self.load(row)
        except UnreadableImage as error:
            raise _RowError(str(error), row) from error


class _RowError(Exception):
    def __init__(self, reason: str, row: int) -> None:
        super().__init__(reason)
        self.row = row


def in_threads(work: Callable[[int], T], rows: Sequence[int]) -> Generator[T, None, None]:
    """Yield work(row) for each row, in order, computed a little ahead on threads.

    Close the generator (contextlib.closing) to drop what has not begun and wait for the rest.
    """
    workers = min(_MAX_THREADS, os.cpu_count() or 1, len(rows))
    if workers <= 1:
        yield from map(work, rows)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    pending: deque[Future[T]] = deque()
    try:
        for row in rows:
            pending.append(pool.submit(work, row))
            if len(pending) >= _IN_FLIGHT * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
