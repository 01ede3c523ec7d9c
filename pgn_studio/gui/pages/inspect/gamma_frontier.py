"""One PGN's frontier: accuracy against RMS along γ, with the γ that is shown as a point to be dragged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QWidget

from pgn_studio.gui.plots.plot_widget import QuietPlot
from pgn_studio.gui.theme import current_theme

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.evaluate import Metrics

_POINT_PX, _SHOWN_PX = 7, 14
_ROOM = 0.15  # beside the points, of their span
_LEAST_POINTS = 4.0  # of accuracy that the axis spans before that
_EDGE = 1.0  # points beyond 0 and 100 %, for half of a dot
Floats = npt.NDArray[np.float64]


class GammaFrontier(QuietPlot):
    """Between two measured γ the curve is straight along log γ; a hollow point is not measured yet."""

    dragged = Signal(float)  # to this γ, one of the positions

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gamma_frontier")
        self.setAccessibleName("Frontier along gamma: accuracy against RMS; the dial moves the same point")
        self.setToolTip(
            "Accuracy after 8-bit rounding against RMS. Dashed: without perturbation. "
            "Drag the point along the curve: it turns γ"
        )
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the dial is for the keyboard
        self.getPlotItem().vb.setMouseEnabled(x=False, y=False)
        self.getAxis("bottom").enableAutoSIPrefix(False)
        self.setLabel("bottom", "RMS")
        self.setLabel("left", "%")
        self.getAxis("left").setWidth(54)
        self._gammas: Floats = np.empty(0)  # measured, rising
        self._rms: Floats = np.empty(0)
        self._accuracy: Floats = np.empty(0)
        self._positions: Floats = np.empty(0)  # γ to which the point can be dragged
        self._shown = 0.0
        self._dragging = False
        self.clean = pg.InfiniteLine(angle=0, movable=False)
        self.line = pg.PlotDataItem()
        self.points = pg.ScatterPlotItem()
        self.point = pg.ScatterPlotItem()
        for item in (self.clean, self.line, self.points, self.point):
            self.addItem(item, ignoreBounds=True)
        self._labels: list[pg.TextItem] = []
        current_theme().changed.connect(self._draw)

    def show_curve(self, places: Mapping[float, Metrics], positions: Sequence[float], shown: float) -> None:
        """What was measured by γ, and which γ is shown."""
        self._gammas = np.array(sorted(places), dtype=np.float64)
        measured = [places[gamma] for gamma in self._gammas.tolist()]
        self._rms = np.array([one.rms_mean for one in measured])
        self._accuracy = np.array([100 * one.perturbed_accuracy_8bit for one in measured])
        self._positions = np.array(positions, dtype=np.float64)
        self._shown = shown
        self.clean.setVisible(bool(measured))
        if measured:
            self.clean.setPos(100 * measured[0].clean_accuracy)
        self._draw()

    def show_gamma(self, gamma: float) -> None:
        """Move the point."""
        self._shown = gamma
        self._draw_point()

    def place_of(self, gamma: float) -> QPointF:
        """RMS and accuracy in percent; beyond what is measured those of the nearest end."""
        x, y = self._along(np.array([gamma]))
        return QPointF(float(x[0]), float(y[0]))

    def position_of(self, gamma: float) -> QPointF:
        """Where in the widget that is."""
        return QPointF(self.mapFromScene(self.getPlotItem().vb.mapViewToScene(self.place_of(gamma))))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._dragging = event.button() is Qt.MouseButton.LeftButton
        self._drag(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._drag(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._dragging = False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def _drag(self, event: QMouseEvent) -> None:
        if not self._dragging or len(self._gammas) < 2:
            return
        x, y = self._along(self._positions)
        box = self.getPlotItem().vb
        scale = box.viewPixelSize()  # of the plot's units, in one pixel
        here = box.mapSceneToView(self.mapToScene(event.position().toPoint()))
        distance = ((x - here.x()) / scale[0]) ** 2 + ((y - here.y()) / scale[1]) ** 2
        gamma = float(self._positions[int(distance.argmin())])
        if gamma != self._shown:
            self.show_gamma(gamma)
            self.dragged.emit(gamma)

    def _along(self, gammas: Floats) -> tuple[Floats, Floats]:
        logs, known = np.log(gammas), np.log(self._gammas)
        return np.interp(logs, known, self._rms), np.interp(logs, known, self._accuracy)

    @Slot()
    def _draw(self) -> None:
        colors = current_theme().colors
        self.set_colors(colors)
        line = self.fontMetrics().height()  # texts have other sizes from time to time
        self.getAxis("bottom").setHeight(2 * line + 6)
        self.setMinimumHeight(8 * line)
        self.clean.setPen(pg.mkPen(colors.muted, width=1, style=Qt.PenStyle.DashLine))
        self.line.setPen(pg.mkPen(colors.first, width=1))
        self.line.setData(self._rms, self._accuracy)
        self.points.setData(
            self._rms, self._accuracy, size=_POINT_PX, brush=colors.first, pen=pg.mkPen(colors.background)
        )
        for label in self._labels:
            self.removeItem(label)
        ends = sorted({0, len(self._gammas) - 1}) if len(self._gammas) else []
        self._labels = [self._label(number, colors.muted) for number in ends]
        self._fit()
        self._draw_point()

    def _label(self, number: int, color: str) -> pg.TextItem:
        label = pg.TextItem(f"γ {self._gammas[number]:g}", color=color, anchor=(0.5, 1.2))
        label.setPos(self._rms[number], self._accuracy[number])
        self.addItem(label, ignoreBounds=True)
        return label

    def _fit(self) -> None:
        """All points with room around them."""
        if not len(self._gammas):
            return
        low, high = float(self._rms.min()), float(self._rms.max())
        room = _ROOM * (high - low) or 0.5 * high or 0.01
        self.setXRange(max(0.0, low - room), high + room, padding=0)
        levels = [*self._accuracy.tolist(), float(self.clean.value())]
        room = 2 * _ROOM * max(max(levels) - min(levels), _LEAST_POINTS)
        self.setYRange(max(-_EDGE, min(levels) - room), max(levels) + 2 * room, padding=0)  # labels lie above

    def _draw_point(self) -> None:
        if not len(self._gammas):
            self.point.clear()
            return
        colors, place = current_theme().colors, self.place_of(self._shown)
        measured = bool(np.isclose(self._gammas, self._shown, rtol=1e-5, atol=0).any())
        self.point.setData(
            [place.x()],
            [place.y()],
            size=_SHOWN_PX,
            brush=colors.second if measured else colors.background,
            pen=pg.mkPen(colors.second, width=2),
        )
