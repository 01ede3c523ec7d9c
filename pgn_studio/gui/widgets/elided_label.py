"""A label that ends in "…" where it has no room, instead of losing its ends; the tooltip has all of it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel


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
