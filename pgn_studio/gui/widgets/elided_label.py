"""A label that ends in "…" where it has no room, instead of losing its ends; the tooltip has all of it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel

ARROW = " → "


class ElidedLabel(QLabel):
    """Of one line of plain text."""

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.fontMetrics().horizontalAdvance(self.text()) <= self.contentsRect().width():
            super().paintEvent(event)
            return
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.contentsRect(), Qt.AlignmentFlag.AlignVCenter, self.shown_text())

    def shown_text(self) -> str:
        """As it is painted."""
        how, room = Qt.TextElideMode.ElideRight, self.contentsRect().width()
        return self.fontMetrics().elidedText(self.text(), how, room)


def elided_change(metrics: QFontMetricsF, mark: str, change: str, room: float) -> str:
    """`mark` and "before → after" in `room` pixels: what it has become is the last to be shortened."""
    before, arrow, after = change.partition(ARROW)
    right = Qt.TextElideMode.ElideRight
    if not arrow or metrics.horizontalAdvance(mark + change) <= room:
        return metrics.elidedText(mark + change, right, room)
    left = room - metrics.horizontalAdvance(mark + arrow + after)
    if left >= metrics.horizontalAdvance("M…"):
        return mark + metrics.elidedText(before, right, left) + arrow + after
    return metrics.elidedText(mark + arrow.lstrip() + after, right, room)
