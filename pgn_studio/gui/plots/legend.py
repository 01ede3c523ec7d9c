"""A plot's legend: one switch for each curve, and the runs that are shown for comparison."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QToolButton, QWidget

from pgn_studio.gui.plots.compared import Dashes

_DOT_PX = 10
_LINE_PX = 26


class LegendSwitch(QToolButton):
    """Shows or hides a curve: `toggled` says which. Filled when shown, hollow when hidden."""

    def __init__(self, label: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setText(label)
        self.setCheckable(True)
        self.setChecked(True)
        self.setToolTip(f"Show or hide: {label}")
        self.setAccessibleName(f"Show {label}")
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setIconSize(QSize(_DOT_PX, _DOT_PX))
        self.setProperty("legend", True)

    def set_color(self, color: str) -> None:
        icon = QIcon()
        icon.addPixmap(self._dot(color, filled=True), QIcon.Mode.Normal, QIcon.State.On)
        icon.addPixmap(self._dot(color, filled=False), QIcon.Mode.Normal, QIcon.State.Off)
        self.setIcon(icon)

    def _dot(self, color: str, *, filled: bool) -> QPixmap:
        pixmap = _canvas(_DOT_PX, self.devicePixelRatioF())
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(color), 1.5))
        painter.setBrush(QColor(color) if filled else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(1, 1, _DOT_PX - 2, _DOT_PX - 2)
        painter.end()
        return pixmap


def dash_icon(dashes: Dashes, color: str, ratio: float) -> QIcon:
    """A piece of line with a compared run's dashes."""
    pixmap = _canvas(_LINE_PX, ratio)
    painter = QPainter(pixmap)
    pen = QPen(QColor(color), 2)
    pen.setDashPattern([float(part) for part in dashes])
    painter.setPen(pen)
    painter.drawLine(0, _LINE_PX // 2, _LINE_PX, _LINE_PX // 2)
    painter.end()
    return QIcon(pixmap)


def _canvas(side_px: int, ratio: float) -> QPixmap:
    pixmap = QPixmap(round(side_px * ratio), round(side_px * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    return pixmap
