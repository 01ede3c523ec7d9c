"""Thumbnails made in the background, the last asked for first, in a bounded cache."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QImage

from pgn_studio.gui.operations import Operation, run_in_background
from pgn_studio.gui.pictures import to_thumbnail

if TYPE_CHECKING:
    from pgn_studio.core.protocols import Progress

ImageSource = Callable[[Sequence[int]], npt.NDArray[np.uint8]]  # indices to (B, H, W, 3), any thread

BATCH = 16  # images per trip to the worker: small enough that a jump in the list shows at once
MAX_PENDING = 512  # more than a screen shows; what scrolled away is dropped and asked for again
CACHE_BYTES = 64 << 20
FAILED = QImage()  # a null image marks one that could not be made: not asked for again


class ThumbnailLoader(QObject):
    """Call `get` while painting: it answers from the cache at once, or orders the thumbnail.

    One background operation at a time; `ready` tells which image indices arrived.
    """

    ready = Signal(list)

    def __init__(self, parent: QObject, *, size_px: int) -> None:
        super().__init__(parent)
        self.size_px = size_px
        self._capacity = capacity_of(size_px)
        self._source: ImageSource | None = None
        self._cache: OrderedDict[int, QImage] = OrderedDict()  # least recently used first
        self._pending: OrderedDict[int, None] = OrderedDict()  # last asked for last
        self._operation: Operation | None = None
        # Collects what one repaint asks for, so that it travels in one batch.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._start)

    def set_source(self, source: ImageSource | None) -> None:
        """Where images come from now on; forgets every thumbnail."""
        if self._operation is not None:
            self._operation.cancel()
            self._operation = None
        self._source = source
        self._cache.clear()
        self._pending.clear()

    def set_size(self, size_px: int) -> None:
        """Make them this large from now on."""
        self.size_px = size_px
        self._capacity = capacity_of(size_px)
        self.set_source(self._source)

    def get(self, index: int) -> QImage | None:
        """The thumbnail, or None while it is being made (null when it could not be)."""
        image = self._cache.get(index)
        if image is not None:
            self._cache.move_to_end(index)
            return image
        if self._source is not None:
            self._pending[index] = None
            self._pending.move_to_end(index)
            if len(self._pending) > MAX_PENDING:
                self._pending.popitem(last=False)
            if self._operation is None:
                self._timer.start()
        return None

    def __len__(self) -> int:
        return len(self._cache)

    def _start(self) -> None:
        source = self._source
        if source is None or self._operation is not None or not self._pending:
            return
        batch = [self._pending.popitem()[0] for _ in range(min(BATCH, len(self._pending)))]
        size_px = self.size_px

        def make(_progress: Progress) -> dict[int, QImage]:
            return _make_thumbnails(source, batch, size_px)

        self._operation = run_in_background(self, make, self._store, self._skip_batch(batch))

    def _skip_batch(self, batch: list[int]) -> Callable[[Exception], None]:
        def skip(_error: Exception) -> None:  # already in the log; the cells stay empty
            self._store(dict.fromkeys(batch, FAILED))

        return skip

    def _store(self, made: dict[int, QImage]) -> None:
        self._operation = None
        self._cache.update(made)
        while len(self._cache) > self._capacity:
            self._cache.popitem(last=False)
        for index in made:
            self._pending.pop(index, None)
        self.ready.emit(list(made))
        if self._pending:
            self._start()


def capacity_of(size_px: int) -> int:
    """How many are kept: what fills the bytes, and never less than some screens show."""
    return max(2 * MAX_PENDING, CACHE_BYTES // (4 * size_px * size_px))


def _make_thumbnails(source: ImageSource, batch: list[int], size_px: int) -> dict[int, QImage]:
    pixels = source(batch)
    return {index: to_thumbnail(image, size_px) for index, image in zip(batch, pixels, strict=True)}
