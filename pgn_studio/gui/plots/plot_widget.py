"""A pyqtgraph plot as this window uses them: drag to zoom into a rectangle, double click for all of it."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QFrame, QWidget

from pgn_studio.gui.theme import PlotColors


class QuietPlot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """Without menu, buttons and frame; fixed margins, so that the axes of neighbors are in line."""

    left = Signal()  # by the pointer
    reset_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAcceptDrops(False)  # the window takes drops
        self.setMenuEnabled(False)
        self.hideButtons()
        self.showGrid(x=False, y=True, alpha=0.12)
        for side in ("left", "bottom"):
            self.getAxis(side).setStyle(autoExpandTextSpace=False, tickTextOffset=4)
        self.getAxis("left").setWidth(46)
        self.getAxis("bottom").setHeight(20)
        self.setXRange(0, 100)  # until there is something to show
        self.enableAutoRange()
        self.getPlotItem().vb.setMouseMode(pg.ViewBox.RectMode)
        self.setToolTip("Drag: zoom in. Wheel: zoom. Right drag: scale. Double click: all of it.")

    def set_colors(self, colors: PlotColors) -> None:
        self.setBackground(colors.background)
        for side in ("left", "bottom"):
            self.getAxis(side).setPen(pg.mkPen(colors.muted, width=1))
            self.getAxis(side).setTextPen(colors.muted)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.left.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.reset_requested.emit()
        super().mouseDoubleClickEvent(event)
