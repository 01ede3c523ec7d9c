"""One message across a page, with what to do about it, until it is closed."""

from __future__ import annotations

import html

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget


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
