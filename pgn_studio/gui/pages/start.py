"""The page that is shown until torch is there."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QProgressBar, QVBoxLayout, QWidget


class StartPage(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("start_page")
        title = QLabel("PGN Studio", self)
        title.setProperty("role", "heading")
        self._told = QLabel("Loading PyTorch …", self)
        self._told.setObjectName("start_message")
        self._told.setProperty("role", "muted")
        self._told.setWordWrap(True)
        self._told.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._told.setMinimumWidth(420)
        self._bar = QProgressBar(self)
        self._bar.setAccessibleName("Loading")
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(260)
        self._bar.setStyleSheet("QProgressBar { min-height: 6px; max-height: 6px; }")
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        layout.addStretch(1)
        for widget in (title, self._told, self._bar):
            layout.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(1)

    def show_waiting(self, names: Sequence[str]) -> None:
        """What was dropped meanwhile."""
        self._told.setText(f"Loading PyTorch …\n{', '.join(names)} will be opened then.")

    def show_failure(self, message: str) -> None:
        self._told.setText(message)
        self._bar.hide()
