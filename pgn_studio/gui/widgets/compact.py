"""Widgets that save room: a section that folds, a label that shortens its text."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget


class Collapsible(QWidget):
    """A title button above `content`; closed at first."""

    def __init__(self, title: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.toggle = QToolButton(self)
        self.toggle.setText(title)
        self.toggle.setCheckable(True)
        self.toggle.setToolTip("Show or hide these settings")
        self.toggle.setAutoRaise(True)
        self.toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.toggle.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._content = content
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.toggle)
        layout.addWidget(content)
        self.toggle.toggled.connect(self._show_content)
        self._show_content(False)

    @Slot(bool)
    def _show_content(self, shown: bool) -> None:
        self.toggle.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        self._content.setVisible(shown)


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
