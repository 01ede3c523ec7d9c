"""Curves that are kept as they grow, so that a redraw costs what is new and not what there is.

At a million steps smoothing and searching all of them anew took 100 ms a plot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pgn_studio.gui.plots.series import Line
from pgn_studio.gui.training.history import FloatArray, RunHistory

BLOCKS = 600  # of minima and maxima at most, and half of that at least: about a plot's width in pixels
CHUNK = 65_536  # steps that are taken in at once: a long run from disk must not stop the window
_EMPTY = np.empty(0)


class Reduced:
    """The minimum and the maximum of each block of a curve; blocks are joined in pairs as it grows."""

    def __init__(self) -> None:
        self._x: FloatArray = np.empty((BLOCKS, 2))
        self._y: FloatArray = np.empty((BLOCKS, 2))
        self._count, self._size = 0, 2  # blocks, and steps in each: two steps are their own extremes
        self._rest: Line = (_EMPTY, _EMPTY)  # of a block that is not full

    def extend(self, x: FloatArray, y: FloatArray) -> None:
        x, y = np.concatenate([self._rest[0], x]), np.concatenate([self._rest[1], y])
        taken = 0
        while True:
            full = min((len(x) - taken) // self._size, BLOCKS - self._count)
            end = taken + full * self._size
            self._add(x[taken:end].reshape(full, self._size), y[taken:end].reshape(full, self._size))
            taken = end
            if self._count < BLOCKS:
                break
            self._join()
        self._rest = (x[taken:].copy(), y[taken:].copy())

    def line(self) -> Line:
        """What to draw: it looks the same as all of it, and ends with the newest value."""
        x, y = self._rest
        if len(x) > 2:
            pair = sorted((int(y.argmin()), int(y.argmax())))
            picked = [*pair, len(x) - 1] if pair[1] < len(x) - 1 else pair
            x, y = x[picked], y[picked]
        kept = self._count
        return np.concatenate([self._x[:kept].ravel(), x]), np.concatenate([self._y[:kept].ravel(), y])

    def _add(self, x: FloatArray, y: FloatArray) -> None:
        if not len(x):
            return
        pairs = np.stack([y.argmin(axis=1), y.argmax(axis=1)], axis=1)
        pairs.sort(axis=1)  # as they come in time
        rows = slice(self._count, self._count + len(x))
        self._x[rows] = np.take_along_axis(x, pairs, axis=1)
        self._y[rows] = np.take_along_axis(y, pairs, axis=1)
        self._count += len(x)

    def _join(self) -> None:
        x, y = self._x.reshape(BLOCKS // 2, 4).copy(), self._y.reshape(BLOCKS // 2, 4).copy()
        self._count, self._size = 0, 2 * self._size
        self._add(x, y)


class Means:
    """One mean for each epoch."""

    def __init__(self) -> None:
        self._epochs: list[float] = []
        self._sums: list[float] = []
        self._counts: list[int] = []

    def extend(self, x: FloatArray, y: FloatArray) -> None:
        """`x`: the epoch of each value."""
        starts = np.flatnonzero(np.diff(x, prepend=np.nan) != 0)
        sums = np.add.reduceat(np.nan_to_num(y), starts) if len(starts) else _EMPTY
        counts = np.diff(starts, append=len(x))
        for epoch, total, count in zip(x[starts].tolist(), sums.tolist(), counts.tolist(), strict=True):
            if self._epochs and self._epochs[-1] == epoch:
                self._sums[-1] += total
                self._counts[-1] += count
            else:
                self._epochs.append(epoch)
                self._sums.append(total)
                self._counts.append(count)

    def line(self) -> Line:
        return np.array(self._epochs), np.array(self._sums) / np.array(self._counts, dtype=np.float64)


class GrowingLine:
    """Follows a history; begins anew when that has forgotten something or is looked at differently."""

    def __init__(self) -> None:
        self._key: Any = None
        self._seen = 0
        self._kept: Reduced | Means = Reduced()
        self.behind = False  # whether there is more than was taken in: follow again

    def follow(
        self, history: RunHistory, look: Any, between: Callable[[int, int], Line], *, per_epoch: bool = False
    ) -> Line:
        """`between` gives the line of rows of the steps; of equal `look`s it is the same."""
        key = (history, history.generation, look)
        if key != self._key:
            self._key, self._seen = key, 0
            self._kept = Means() if per_epoch else Reduced()
        stop = min(len(history.steps), self._seen + CHUNK)
        if stop > self._seen:
            self._kept.extend(*between(self._seen, stop))
            self._seen = stop
        self.behind = stop < len(history.steps)
        return self._kept.line()
