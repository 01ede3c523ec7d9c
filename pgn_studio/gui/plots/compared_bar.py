"""The runs drawn for comparison, each with its dashes and a way to take it away."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from pgn_studio.gui.plots.compared import ComparedRun
from pgn_studio.gui.plots.legend import dash_icon
from pgn_studio.gui.theme import current_theme

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
        self._row.addWidget(QLabel("Beside it:", self))
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
