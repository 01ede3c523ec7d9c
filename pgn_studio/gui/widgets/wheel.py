"""The wheel scrolls pages and forms; it changes an input only where that has the keyboard."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QAbstractSlider, QAbstractSpinBox, QComboBox, QScrollBar, QWidget

_INPUTS = (QComboBox, QAbstractSpinBox, QAbstractSlider)


class WheelGuard(QObject):
    """Of one window or dialog; its filter hears only the inputs, so that nothing else becomes slower."""

    def __init__(self, top: QWidget) -> None:
        """Guards the inputs that `top` has by now."""
        super().__init__(top)
        for widget in top.findChildren(QWidget):
            if isinstance(widget, _INPUTS) and not isinstance(widget, QScrollBar):
                widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # not by the wheel
                widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()  # the scroll area around it takes it
            return True
        return super().eventFilter(watched, event)
