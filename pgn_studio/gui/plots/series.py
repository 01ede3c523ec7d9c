"""What a plot draws: a column of a run's steps, with its validation points, and how it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pgn_studio.core.training.plots import Curve
from pgn_studio.gui.training.history import FloatArray, RunHistory, means_per_epoch, smoothed

Line = tuple[FloatArray, FloatArray]  # x and y


@dataclass(frozen=True)
class Look:
    """How all plots show a run: means over `window` steps, or one mean for each epoch."""

    window: int = 20
    per_epoch: bool = False


@dataclass(frozen=True)
class Series(Curve):
    """A curve with its values in a history; its color is a field of PlotColors."""

    def line(self, history: RunHistory, look: Look) -> Line:
        """The curve: smoothed over steps, or a mean for each epoch."""
        values = self._step_values(history)
        if look.per_epoch:
            return means_per_epoch(history, values)
        return history.steps.column("step"), smoothed(values, look.window) if self.smooth else values

    def between(self, history: RunHistory, look: Look, start: int, stop: int, *, raw: bool = False) -> Line:
        """The curve over some rows of the steps; `raw`: each step's value. Along epochs it is no mean yet."""
        if look.per_epoch:
            return history.steps.between("epoch", start, stop), self._values(history, start, stop)
        window = look.window if self.smooth and not raw else 1
        first = max(0, start - window + 1)  # what the first mean reaches back to
        values = smoothed(self._values(history, first, stop), window)
        return history.steps.between("step", start, stop), values[start - first :]

    def points(self, history: RunHistory, look: Look) -> Line:
        """The validation split's values at the ends of epochs."""
        values = self._scaled(history.epochs.column(self.epoch_column), history.val_images)
        return history.epochs.column("epoch" if look.per_epoch else "step"), values

    def has_raw(self, look: Look) -> bool:
        """Whether the curve hides single steps, so that they are drawn faintly behind it."""
        return self.smooth and look.window > 1 and not look.per_epoch

    def text(self, value: float) -> str:
        if not np.isfinite(value):
            return "–"
        return f"{value:.3g}" if self.unit == "plain" else f"{value:.1f} %"

    def _step_values(self, history: RunHistory) -> FloatArray:
        return self._values(history, 0, len(history.steps))

    def _values(self, history: RunHistory, start: int, stop: int) -> FloatArray:
        values, images = (history.steps.between(name, start, stop) for name in (self.column, "images"))
        return self._scaled(values, images)

    def _scaled(self, values: FloatArray, out_of: FloatArray | float) -> FloatArray:
        if self.unit == "plain":
            return values
        return 100.0 * values / (out_of if self.unit == "count" else 1.0)


Dashes = tuple[int, int]  # drawn, left out
DASHES: tuple[Dashes, ...] = ((6, 3), (2, 3), (12, 2), (3, 1))
MOST = len(DASHES)
COLUMNS = 320  # points along a compared curve


@dataclass(frozen=True)
class ComparedRun:
    """A run's history for comparison; `dashes` tell it from the others."""

    name: str
    folder: str
    history: RunHistory
    dashes: Dashes = field(default=DASHES[0])
    dataset: str = ""  # as its settings name it


def dashed(line: Line, dashes: Dashes) -> tuple[Line, npt.NDArray[np.uint8]]:
    """`line` at even distances, and which points are joined to the next: dashes that cost no dashed pen.

    A dashed pen redraws many times slower than a plain one.
    """
    x, y = line
    if len(x) < 2:
        return line, np.ones(len(x), dtype=np.uint8)
    even = np.linspace(x[0], x[-1], COLUMNS)
    drawn, left_out = dashes
    joined = (np.arange(COLUMNS) % (drawn + left_out) < drawn).astype(np.uint8)
    return (even, np.interp(even, x, y)), joined


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
