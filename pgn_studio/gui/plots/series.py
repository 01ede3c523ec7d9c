"""What a plot draws: a column of a run's steps, with its validation points, and how it is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pgn_studio.gui.training.history import FloatArray, RunHistory, means_per_epoch, smoothed

Line = tuple[FloatArray, FloatArray]  # x and y


@dataclass(frozen=True)
class Look:
    """How all plots show a run: means over `window` steps, or one mean for each epoch."""

    window: int = 20
    per_epoch: bool = False


@dataclass(frozen=True)
class Series:
    """One curve: a column of the steps and, where there is one, of the epochs (validation)."""

    label: str
    color: str  # a field of PlotColors
    column: str
    epoch_column: str = ""
    unit: Literal["plain", "share", "count"] = "plain"  # shares and counts are drawn in percent
    smooth: bool = True

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
