"""γ on a plot's right axis: the values that the trainer used, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QObject, Slot

from pgn_studio.gui.plots.growing import GrowingLine
from pgn_studio.gui.plots.series import Line, Look
from pgn_studio.gui.theme import PlotColors
from pgn_studio.gui.training.history import RunHistory

ZERO = -5.0  # the decade at which γ = 0 is drawn: below the slider's smallest, 0.0001


class DecadeAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """Shows 10 to the power of its values, and 0 at the bottom."""

    def tickValues(self, minimum: float, maximum: float, size: float) -> list[tuple[float, list[float]]]:
        decades = np.arange(np.ceil(minimum), np.floor(maximum) + 1)
        return [(1.0, [float(value) for value in decades])]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return ["0" if value <= ZERO else f"{10.0**value:g}" for value in values]


class GammaOverlay(QObject):
    """A second view over a plot that shares its x axis."""

    def __init__(self, plot: pg.PlotWidget) -> None:
        super().__init__(plot)
        self._line = GrowingLine()
        self._item = plot.getPlotItem()
        self._axis = DecadeAxis("right")
        self._axis.setWidth(40)
        self._axis.setStyle(autoExpandTextSpace=False, tickTextOffset=4)
        self._view = pg.ViewBox(enableMenu=False)
        self._view.setMouseEnabled(x=False, y=False)
        self._item.setAxisItems({"right": self._axis})
        self._item.showAxis("right")
        self._item.scene().addItem(self._view)
        self._axis.linkToView(self._view)
        self._view.setXLink(self._item)
        self._view.setYRange(-0.5, 2.5, padding=0)
        self.curve = pg.PlotCurveItem(connect="all")
        self._view.addItem(self.curve)
        self._item.vb.sigResized.connect(self._follow)

    def set_colors(self, colors: PlotColors) -> None:
        self._axis.setPen(pg.mkPen(colors.marker, width=1))
        self._axis.setTextPen(colors.marker)
        self.curve.setPen(pg.mkPen(colors.marker, width=1))

    def set_used(self, used: bool) -> None:
        """Whether γ is one value that is learned for, and so has a course."""
        self._item.showAxis("right", used)
        self._view.setVisible(used)

    def redraw(self, history: RunHistory, look: Look) -> None:
        axis = "epoch" if look.per_epoch else "step"

        def between(start: int, stop: int) -> Line:
            gamma = history.steps.between("gamma", start, stop)
            decades = np.full(len(gamma), ZERO)
            np.log10(gamma, out=decades, where=gamma > 0)
            return history.steps.between(axis, start, stop), decades

        x, decades = self._line.follow(history, axis, between, per_epoch=look.per_epoch)
        self.curve.setData(x, decades)
        if len(decades):  # a decade of air: a line on the frame would not be seen
            self._view.setYRange(np.floor(decades.min()) - 0.5, np.ceil(decades.max()) + 0.5, padding=0)

    @Slot(object)
    def _follow(self, _: Any = None) -> None:
        self._view.setGeometry(self._item.vb.sceneBoundingRect())
        self._view.linkedViewChanged(self._item.vb, self._view.XAxis)
