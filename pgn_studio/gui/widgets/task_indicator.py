"""What is being done in the background, in the status bar, with a button that gives it up."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QToolButton, QWidget


class TaskIndicator(QWidget):
    cancel_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("task_indicator")
        self._label = QLabel(self)
        self._label.setObjectName("task_label")
        self._bar = QProgressBar(self)
        self._bar.setAccessibleName("Progress of the task")
        self._bar.setFixedWidth(140)
        self._bar.setStyleSheet("QProgressBar { min-height: 8px; max-height: 8px; }")
        self._bar.setTextVisible(False)
        cancel = QToolButton(self)
        cancel.setObjectName("cancel_task_button")
        cancel.setText("Cancel")
        cancel.setToolTip("Give up what is being done, and what waits for it")
        cancel.setAutoRaise(True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 4, 0)
        layout.addWidget(self._label)
        layout.addWidget(self._bar)
        layout.addWidget(cancel)
        cancel.clicked.connect(self.cancel_wanted)
        self.hide()

    @Slot(str)
    def start(self, title: str) -> None:
        self._label.setText(f"{title} …")
        self._bar.setRange(0, 0)
        self.show()

    @Slot(int, int)
    def advance(self, done: int, total: int) -> None:
        self._bar.setRange(0, total)
        self._bar.setValue(done)

    @Slot()
    def end(self) -> None:
        self.hide()
