"""What the window says in passing: a banner with advice, and the task that runs in the background."""

from __future__ import annotations

import html

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QToolButton, QWidget


class Banner(QFrame):
    """Hidden until `show_message`; its kind ("info", "warning") is a property that styles see."""

    action_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self.message = ""
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._label = QLabel(self)
        self._label.setObjectName("banner_text")
        self._label.setWordWrap(True)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._action = QPushButton(self)
        self._action.setObjectName("banner_action")
        self._action.setAccessibleName("What to do about the message")
        self._action.setToolTip("What to do about the message")
        self._action.clicked.connect(self.action_clicked)
        close = QToolButton(self)
        close.setText("×")
        close.setAutoRaise(True)
        close.setAccessibleName("Close the message")
        close.setToolTip("Close the message")
        close.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 4, 6, 4)
        layout.addWidget(self._label, 1)
        layout.addWidget(self._action)
        layout.addWidget(close)
        self.hide()

    def show_message(self, message: str, *, hint: str = "", kind: str = "info", action: str = "") -> None:
        self.message = message
        self._label.setText(f"<b>{html.escape(message)}</b> {html.escape(hint)}")
        self._action.setText(action)
        self._action.setAccessibleName(action or "What to do about the message")
        self._action.setToolTip(hint or message)
        self._action.setVisible(bool(action))
        self.setProperty("kind", kind)
        self.style().unpolish(self)  # style sheets look at properties only when polishing
        self.style().polish(self)
        self.show()

    @Slot()
    def clear(self) -> None:
        self.hide()


class TaskIndicator(QWidget):
    cancel_requested = Signal()

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
        cancel.setToolTip("Cancel this task and those that wait for it")
        cancel.setAutoRaise(True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 4, 0)
        layout.addWidget(self._label)
        layout.addWidget(self._bar)
        layout.addWidget(cancel)
        cancel.clicked.connect(self.cancel_requested)
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
