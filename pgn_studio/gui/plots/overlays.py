"""What is drawn over the curves: γ on its own axis, and marks of the run's notices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Slot
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from pgn_studio.core.training.events import Notice
from pgn_studio.gui.plots.series import GrowingLine, Line, Look
from pgn_studio.gui.theme import PlotColors
from pgn_studio.gui.training.history import RunHistory
from pgn_studio.gui.wording import in_the_window

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


_HEIGHT = 0.92  # of the plot: where the signs stand
_APART_PX = 3  # marks nearer to the one before are left out, unless that is a lesser one
_SIGN_PX = 10  # signs nearer than that to a worse one are left out
_REACH_PX = 4  # of the pointer
# By level, the worst first: the sign, its line, and the field of PlotColors.
_LOOKS = {
    "severe": ("!!", Qt.PenStyle.SolidLine, "severe"),
    "warning": ("!", Qt.PenStyle.DashLine, "warning"),
    "passed": ("✓", Qt.PenStyle.DotLine, "good"),
}
_SIGNS = [sign for sign, _, _ in _LOOKS.values()]


class Mark(NamedTuple):
    x: float
    sign: str
    style: Qt.PenStyle
    color: str
    text: str


class NoticeMarks(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph has no types
    """A line where a condition started (!: warning, !!: problem) or passed (✓); notes have none."""

    def __init__(self) -> None:
        super().__init__()
        self.marks: list[Mark] = []
        self.drawn = 0  # lines, at the last repaint

    def show_notices(
        self, notices: Sequence[Notice], positions: Sequence[float], colors: PlotColors | None
    ) -> None:
        """`positions`: the x of each, ascending. Without colors there is nothing to draw yet."""
        self.marks = []
        for notice, position in zip(notices, positions, strict=True):
            if notice.level != "info" and colors is not None:
                sign, style, color = _LOOKS[notice.level]
                text = f"Step {notice.step}: {in_the_window(notice.message)}"
                self.marks.append(Mark(position, sign, style, getattr(colors, color), text))
        self.update()

    def boundingRect(self) -> QRectF:
        return QRectF(self.viewRect() or QRectF())

    @Slot()
    def viewTransformChanged(self) -> None:
        self.prepareGeometryChange()
        super().viewTransformChanged()

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        transform, view = painter.transform(), self.boundingRect()
        shown = transform.mapRect(view)
        painter.resetTransform()  # lines one pixel wide, and letters upright
        drawn: list[tuple[float, Mark]] = []
        last_x, last_sign = -math.inf, ""
        for mark in self.marks:
            x = transform.map(QPointF(mark.x, 0.0)).x()
            hidden = x - last_x < _APART_PX and (last_sign == "!!" or mark.sign != "!!")
            if hidden or not view.left() <= mark.x <= view.right():
                continue
            last_x, last_sign = x, mark.sign
            painter.setPen(pg.mkPen(mark.color, width=1, style=mark.style))
            painter.drawLine(QPointF(x, shown.top()), QPointF(x, shown.bottom()))
            drawn.append((x, mark))
        self.drawn = len(drawn)
        taken: list[float] = []
        for x, mark in sorted(drawn, key=lambda place: _SIGNS.index(place[1].sign)):
            if all(abs(x - other) >= _SIGN_PX for other in taken):
                taken.append(x)
                painter.setPen(mark.color)
                painter.drawText(QPointF(x + 2, shown.bottom() - _HEIGHT * shown.height()), mark.sign)

    def hoverEvent(self, event: Any) -> None:
        """The text of the mark under the pointer becomes the tooltip."""
        near = None if event.isExit() else self.mark_at(event.pos().x())
        self.setToolTip("" if near is None else near.text)

    def mark_at(self, x: float) -> Mark | None:
        """The nearest mark within reach of the pointer, x in the plot's values."""
        reach = _REACH_PX * float(self.pixelWidth() or 0.0)
        nearest = min(self.marks, key=lambda mark: abs(mark.x - x), default=None)
        return nearest if nearest is not None and abs(nearest.x - x) <= reach else None
