"""Where a run's notices came, as lines over a plot: one item draws them all.

An item a mark, each with a label, cost 100 KB and a share of every later repaint; a condition that comes
and goes for hours then held the window up for seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Slot
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from pgn_studio.core.training.events import Notice
from pgn_studio.gui.theme import PlotColors
from pgn_studio.gui.wording import in_the_window

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
