"""What stands beside the plots: the switches of the legend, and the compared runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from pgn_studio.gui.plots.series import ComparedRun, Dashes
from pgn_studio.gui.theme import current_theme

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


_ICON_PX = 26
_LONGEST_NAME = 34


class ComparedBar(QWidget):
    """Hidden while nothing is compared."""

    removed = Signal(str)  # folder

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compared_bar")
        self._runs: tuple[ComparedRun, ...] = ()
        self._buttons: list[QToolButton] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.addWidget(QLabel("Compared with:", self))
        self._row.addStretch(1)
        current_theme().changed.connect(self._draw)
        self.hide()

    def show_runs(self, runs: Sequence[ComparedRun]) -> None:
        self._runs = tuple(runs)
        self._draw()
        self.setVisible(bool(runs))

    @Slot()
    def _draw(self) -> None:
        for button in self._buttons:
            self._row.removeWidget(button)
            button.deleteLater()
        self._buttons = [self._button(run) for run in self._runs]
        for index, button in enumerate(self._buttons, start=1):
            self._row.insertWidget(index, button)

    def _button(self, run: ComparedRun) -> QToolButton:
        name = run.name if len(run.name) <= _LONGEST_NAME else f"{run.name[: _LONGEST_NAME - 1]}…"
        button = QToolButton(self)
        button.setObjectName("compared_run")
        button.setText(f"{name}  ✕")
        button.setAccessibleName(f"Stop comparing with {run.name}")
        button.setToolTip(f"<p>{run.name}<br>{run.folder}<br>Click: stop comparing</p>")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setIconSize(QSize(_ICON_PX, _ICON_PX))
        button.setIcon(dash_icon(run.dashes, current_theme().colors.muted, self.devicePixelRatioF()))
        button.clicked.connect(partial(self.removed.emit, run.folder))
        return button
