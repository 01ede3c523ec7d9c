"""One live plot: curves with the raw steps behind, points per epoch, marks, read-out under the pointer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from pgn_studio.core.training.events import Notice
from pgn_studio.core.training.plots import Plot
from pgn_studio.gui.plots.legend import LegendSwitch
from pgn_studio.gui.plots.overlays import NoticeMarks
from pgn_studio.gui.plots.plot_widget import QuietPlot
from pgn_studio.gui.plots.series import MOST, ComparedRun, GrowingLine, Line, Look, Series, dashed
from pgn_studio.gui.theme import PlotColors
from pgn_studio.gui.training.history import RunHistory

SMALLEST = 1e-9  # what a zero is drawn as on a logarithmic axis
RAW_STRENGTH = 0.28  # of a raw curve's color over the ground
COMPARED_STRENGTH = 0.75
PERCENT_LIMITS = {"yMin": -5, "yMax": 105}  # around a flat line pyqtgraph would show 60 to 140 %
GAMMA_TICK = 0.1  # of the plot's height


class _Curves:
    """What belongs to one series: the curve, the raw steps behind it, validation, compared runs."""

    def __init__(self, plot: pg.PlotWidget, series: Series) -> None:
        self.series = series
        self.raw = plot.plot()
        self.compared = [plot.plot() for _ in range(MOST)]
        self.curve = plot.plot()
        self.points = plot.plot(pen=None, symbol="o", symbolSize=6) if series.epoch_column else None
        self.shown = True
        self.line, self.raw_line = GrowingLine(), GrowingLine()

    def set_colors(self, colors: PlotColors) -> None:
        color, ground = getattr(colors, self.series.color), colors.background
        self.curve.setPen(pg.mkPen(color, width=1))  # a wider pen costs five times as much
        # Mixed, not transparent: what is transparent costs more to draw.
        self.raw.setPen(pg.mkPen(mixed(color, ground, RAW_STRENGTH), width=1))
        for curve in self.compared:
            curve.setPen(pg.mkPen(mixed(color, ground, COMPARED_STRENGTH), width=1))
        if self.points is not None:
            self.points.setSymbolBrush(color)
            self.points.setSymbolPen(pg.mkPen(ground, width=1))

    def show(self, shown: bool) -> None:
        self.shown = shown
        for item in (self.raw, self.curve, *self.compared, self.points):
            if item is not None:
                item.setVisible(shown)


class SeriesPlot(QFrame):
    """A title, a legend of switches and the values at the pointer above a plot. Redraws when told to."""

    pointed = Signal(float)  # x under the pointer; NaN when it has left
    zoomed = Signal()  # by hand
    reset_requested = Signal()

    def __init__(
        self,
        kind: Plot,
        *,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.kind = kind
        name, title = kind.name, kind.title
        self.setObjectName(f"{name}_plot")
        self.setAccessibleName(f"Plot: {title}")
        self.setProperty("card", True)
        self._colors: PlotColors | None = None
        self._drawn: list[Line] = []
        self._look = Look()
        self.heading = QLabel(f"<b>{title}</b>", self)
        self.heading.setObjectName(f"{name}_heading")
        self._readout = QLabel(self)
        self._readout.setObjectName(f"{name}_readout")
        self._readout.setTextFormat(Qt.TextFormat.RichText)
        self._readout.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._readout.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.plot = QuietPlot(self)
        if kind.in_percent:
            self.plot.setLimits(**PERCENT_LIMITS)
        self._lines = [_Curves(self.plot, Series(**vars(curve))) for curve in kind.curves]
        self.curves = [lines.curve for lines in self._lines]
        self.raws = [lines.raw for lines in self._lines]
        self.points = [lines.points for lines in self._lines]
        self.compared = [lines.compared for lines in self._lines]
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._level = pg.InfiniteLine(angle=0, movable=False)
        for line in (self._cursor, self._level):
            line.hide()
            self.plot.addItem(line, ignoreBounds=True)
        self.gamma_ticks = pg.VTickGroup(yrange=[0, GAMMA_TICK])
        self.plot.addItem(self.gamma_ticks, ignoreBounds=True)
        self.notices = NoticeMarks()
        self.plot.addItem(self.notices, ignoreBounds=True)
        self.switches = [self._switch(lines) for lines in self._lines]
        self._top = QHBoxLayout()
        self._top.setSpacing(4)
        self._top.addWidget(self.heading)
        for switch in self.switches:
            self._top.addWidget(switch)
        self._top.addWidget(self._readout, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(2)
        layout.addLayout(self._top)
        layout.addWidget(self.plot, 1)
        self.plot.scene().sigMouseMoved.connect(self._mouse_moved)
        self.plot.left.connect(self._mouse_left)
        self.plot.reset_requested.connect(self.reset_requested)
        self.plot.getPlotItem().vb.sigRangeChangedManually.connect(self._zoomed_by_hand)

    def _switch(self, lines: _Curves) -> LegendSwitch:
        switch = LegendSwitch(lines.series.label, f"{self.kind.name}_{lines.series.column}_switch", self)
        switch.toggled.connect(lines.show)
        return switch

    def add_switch(self, switch: LegendSwitch) -> None:
        """A switch for something that others draw over this plot."""
        self._top.insertWidget(self._top.count() - 1, switch)

    def set_note(self, note: str, tip: str = "") -> None:
        """A few words behind the title: of which γ this is."""
        self.heading.setText(f"<b>{self.kind.title}</b> {note}".rstrip())
        self.heading.setToolTip(tip)

    def set_logarithmic(self, on: bool) -> None:
        if self.kind.logarithmic:
            self.plot.setLogMode(y=on)

    def set_colors(self, colors: PlotColors) -> None:
        self._colors = colors
        self.plot.set_colors(colors)
        for line in (self._cursor, self._level):
            line.setPen(pg.mkPen(colors.muted, width=1, style=Qt.PenStyle.DashLine))
        self.gamma_ticks.setPen(pg.mkPen(colors.marker, width=1))
        for lines, switch in zip(self._lines, self.switches, strict=True):
            lines.set_colors(colors)
            switch.set_color(getattr(colors, lines.series.color))

    def redraw(self, history: RunHistory, look: Look) -> bool:
        """Draw what `history` holds; False where it is so much that another time must follow."""
        self._look = look
        self._drawn = []
        for lines in self._lines:
            series = lines.series
            # Smoothed first: of decimated values it would be a mean of extremes.
            between = partial(series.between, history, look)
            x, y = self._fit(lines.line.follow(history, look, between, per_epoch=look.per_epoch))
            self._drawn.append((x, y))
            lines.curve.setData(x, y)
            raw: Line = (x[:0], y[:0])
            if series.has_raw(look):
                raw = self._fit(lines.raw_line.follow(history, "raw", partial(between, raw=True)))
            lines.raw.setData(*raw)
            if lines.points is not None:
                lines.points.setData(*series.points(history, look))
        changes = history.gamma_changes()
        self.gamma_ticks.setXVals(list(history.epochs_of(changes) if look.per_epoch else changes))
        return not any(lines.line.behind for lines in self._lines)

    def compare(self, runs: Sequence[ComparedRun], look: Look) -> None:
        """Draw these runs beside the shown one, in place of those before."""
        for lines in self._lines:
            for index, curve in enumerate(lines.compared):
                if index >= len(runs):
                    curve.setData([], [])
                    continue
                line = self._fit(lines.series.line(runs[index].history, look))
                (x, y), joined = dashed(line, runs[index].dashes)
                curve.setData(x, y, connect=joined)

    def set_marks(self, notices: Sequence[Notice], positions: Sequence[float]) -> None:
        """A line at each of these positions; notes have none."""
        self.notices.show_notices(notices, positions, self._colors)

    def point_to(self, position: float) -> None:
        """Put the cursor at an x and say the values there; NaN takes it away."""
        if not np.isfinite(position):
            self._cursor.hide()
            self._readout.clear()
            return
        x = position
        if self._drawn and len(self._drawn[0][0]):
            steps = self._drawn[0][0]
            x = float(np.clip(position, steps[0], steps[-1]))
        texts = []
        for lines, line in zip(self._lines, self._drawn, strict=False):  # none before they are drawn
            if lines.shown:
                color = getattr(self._colors, lines.series.color)
                texts.append(f'<span style="color:{color}">{lines.series.text(_value_at(line, x))}</span>')
        where = f"epoch {x:.0f}" if self._look.per_epoch else f"step {x:,.0f}"
        self._readout.setText(f"{where}: {' · '.join(texts)}")
        self._cursor.setPos(x)
        self._cursor.show()

    def readout(self) -> str:
        return self._readout.text()

    def _fit(self, line: Line) -> Line:
        """Zeros have no place on a logarithmic axis."""
        x, y = line
        return x, np.maximum(y, SMALLEST) if self.kind.logarithmic else y

    @Slot(object)
    def _mouse_moved(self, position: QPointF) -> None:
        box = self.plot.getPlotItem().vb
        if not box.sceneBoundingRect().contains(position):
            self._mouse_left()
            return
        point = box.mapSceneToView(position)
        self._level.setPos(point.y())
        self._level.show()
        self.pointed.emit(float(point.x()))

    @Slot()
    def _mouse_left(self) -> None:
        if self._level.isVisible():
            self._level.hide()
            self.pointed.emit(float("nan"))

    @Slot()
    def _zoomed_by_hand(self) -> None:
        self.zoomed.emit()


def _value_at(line: Line, position: float) -> float:
    """The nearest drawn value; NaN where there is none."""
    x, y = line
    if not len(x):
        return float("nan")
    right = min(int(np.searchsorted(x, position)), len(x) - 1)
    left = max(0, right - 1)
    return float(y[left] if position - x[left] < x[right] - position else y[right])


def mixed(color: str, ground: str, strength: float) -> QColor:
    """`strength` (0…1) of `color` over `ground`."""
    over, under = QColor(color), QColor(ground)
    return QColor.fromRgbF(
        *(
            strength * upper + (1 - strength) * lower
            for upper, lower in (
                (over.redF(), under.redF()),
                (over.greenF(), under.greenF()),
                (over.blueF(), under.blueF()),
            )
        )
    )
