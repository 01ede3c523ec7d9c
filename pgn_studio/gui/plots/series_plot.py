"""One live plot: curves over steps, points per epoch, read-out under the pointer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from pgn_studio.core.training.events import Notice
from pgn_studio.gui.theme import PlotColors
from pgn_studio.gui.training.history import FloatArray, RunHistory, decimated, smoothed

COLUMNS = 400  # of minima and maxima: about a plot's width in pixels
SMALLEST = 1e-9  # what a zero is drawn as on a logarithmic axis
# The mark of a notice: its sign, its line, and the field of PlotColors.
_MARKS = {
    "warning": ("!", Qt.PenStyle.DashLine, "warning"),
    "severe": ("!!", Qt.PenStyle.SolidLine, "severe"),
    "passed": ("✓", Qt.PenStyle.DotLine, "good"),
}


@dataclass(frozen=True)
class Series:
    """One curve: a column of the steps and, where there is one, of the epochs (validation)."""

    label: str
    color: str  # a field of PlotColors
    column: str
    epoch_column: str = ""
    unit: Literal["plain", "share", "count"] = "plain"  # shares and counts are drawn in percent
    smooth: bool = True

    def step_values(self, history: RunHistory) -> FloatArray:
        return self._scaled(history.steps.column(self.column), history.images_per_step)

    def epoch_values(self, history: RunHistory) -> FloatArray:
        return self._scaled(history.epochs.column(self.epoch_column), history.val_images)

    def text(self, value: float) -> str:
        return f"{value:.3g}" if self.unit == "plain" else f"{value:.1f} %"

    def _scaled(self, values: FloatArray, out_of: float) -> FloatArray:
        scales = {"plain": 1.0, "share": 100.0, "count": 100.0 / out_of}
        return values * scales[self.unit]


class SeriesPlot(QFrame):
    """A title with the latest values above a pyqtgraph plot. Redraws only when told to."""

    def __init__(
        self,
        name: str,
        title: str,
        series: Sequence[Series],
        *,
        logarithmic: bool,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName(f"{name}_plot")
        self.setAccessibleName(f"Plot: {title}")
        self.setProperty("card", True)
        self._title = title
        self._series = tuple(series)
        self._can_be_logarithmic = logarithmic
        self._colors: PlotColors | None = None
        self._drawn: list[tuple[FloatArray, FloatArray]] = []
        self._heading = QLabel(title, self)
        self._heading.setTextFormat(Qt.TextFormat.RichText)
        self._readout = QLabel(self)
        self._readout.setTextFormat(Qt.TextFormat.RichText)
        self._readout.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.plot = pg.PlotWidget(self)
        self.plot.setFrameShape(QFrame.Shape.NoFrame)
        self.plot.setAcceptDrops(False)  # the window takes drops
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.showGrid(x=False, y=True, alpha=0.12)
        for side in ("left", "bottom"):
            self.plot.getAxis(side).setStyle(autoExpandTextSpace=False, tickTextOffset=4)
        self.plot.getAxis("left").setWidth(46)
        self.plot.getAxis("bottom").setHeight(20)
        self.plot.setXRange(0, 100)  # until the first step
        self.plot.enableAutoRange()
        self.curves = [self.plot.plot() for _ in self._series]
        self.points = [
            self.plot.plot(pen=None, symbol="o", symbolSize=6) if item.epoch_column else None
            for item in self._series
        ]
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._cursor.hide()
        self.plot.addItem(self._cursor, ignoreBounds=True)
        self.marks: list[pg.InfiniteLine] = []
        self.plot.scene().sigMouseMoved.connect(self._point_at)
        top = QHBoxLayout()
        top.addWidget(self._heading)
        top.addWidget(self._readout, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 4)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self.plot, 1)

    def set_logarithmic(self, on: bool) -> None:
        if self._can_be_logarithmic:
            self.plot.setLogMode(y=on)

    def set_colors(self, colors: PlotColors) -> None:
        self._colors = colors
        self.plot.setBackground(colors.background)
        for side in ("left", "bottom"):
            self.plot.getAxis(side).setPen(pg.mkPen(colors.muted, width=1))
            self.plot.getAxis(side).setTextPen(colors.muted)
        self._cursor.setPen(pg.mkPen(colors.muted, width=1, style=Qt.PenStyle.DashLine))
        for item, curve, points in zip(self._series, self.curves, self.points, strict=True):
            color = getattr(colors, item.color)
            curve.setPen(pg.mkPen(color, width=1))  # a wider pen costs five times as much
            if points is not None:
                points.setSymbolBrush(color)
                points.setSymbolPen(pg.mkPen(colors.background, width=1))
        self._heading.setText(self._legend())

    def redraw(self, history: RunHistory, *, window: int) -> None:
        """Draw what `history` holds, as means over the last `window` steps."""
        steps = history.steps.column("step")
        self._drawn = []
        for item, curve, points in zip(self._series, self.curves, self.points, strict=True):
            values = item.step_values(history)
            if item.smooth:
                values = smoothed(values, window)
            values = np.maximum(values, SMALLEST) if self._can_be_logarithmic else values
            x, y = decimated(steps, values, columns=COLUMNS)
            self._drawn.append((x, y))
            curve.setData(x, y)
            if points is not None:
                points.setData(history.epochs.column("step"), item.epoch_values(history))

    def set_marks(self, notices: Sequence[Notice]) -> None:
        """A line where a condition started (!: warning, !!: problem) or passed (✓); notes have none."""
        for mark in self.marks:
            self.plot.removeItem(mark)
        self.marks = []
        for notice in notices:
            if notice.level == "info" or self._colors is None:
                continue
            sign, style, color = _MARKS[notice.level]
            shown = getattr(self._colors, color)
            mark = pg.InfiniteLine(
                pos=notice.step,
                angle=90,
                pen=pg.mkPen(shown, width=1, style=style),
                label=sign,
                labelOpts={"position": 0.92, "color": shown},
            )
            mark.setToolTip(f"Step {notice.step}: {notice.message}")
            self.plot.addItem(mark, ignoreBounds=True)
            self.marks.append(mark)

    def point_to(self, step: float) -> None:
        """Put the cursor at a step."""
        self._cursor.setPos(step)
        self._cursor.show()

    def add_legend_entry(self, label: str, color: str) -> None:
        """Name something that is drawn over the plot; gone after the next `set_colors`."""
        self._heading.setText(f"{self._heading.text()}&nbsp;&nbsp;{_entry(label, color)}")

    def _legend(self) -> str:
        entries = [_entry(item.label, getattr(self._colors, item.color)) for item in self._series]
        return f"<b>{self._title}</b>&nbsp;&nbsp; {'&nbsp;&nbsp;'.join(entries)}"

    @Slot(object)
    def _point_at(self, position: QPointF) -> None:
        """Show the values at the pointer, and where that is."""
        box = self.plot.getPlotItem().vb
        inside = box.sceneBoundingRect().contains(position)
        if not inside or not self._drawn or not len(self._drawn[0][0]):
            self._cursor.hide()
            self._readout.clear()
            return
        steps = self._drawn[0][0]
        step = float(np.clip(box.mapSceneToView(position).x(), steps[0], steps[-1]))
        texts = []
        for item, (x, y) in zip(self._series, self._drawn, strict=True):
            value = y[min(int(np.searchsorted(x, step)), len(y) - 1)]
            color = getattr(self._colors, item.color)
            texts.append(f'<span style="color:{color}">{item.text(value)}</span>')
        self._readout.setText(f"step {step:.0f}: {' · '.join(texts)}")
        self._cursor.setPos(step)
        self._cursor.show()


def _entry(label: str, color: str) -> str:
    return f'<span style="color:{color}">●&nbsp;{label}</span>'
