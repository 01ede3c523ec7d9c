"""The wheel scrolls pages and forms; it changes an input only where that has the keyboard."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QAbstractSlider, QAbstractSpinBox, QComboBox, QScrollBar, QTabBar, QWidget

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
            elif isinstance(widget, QTabBar):
                widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is not QEvent.Type.Wheel or not isinstance(watched, QWidget):
            return super().eventFilter(watched, event)
        if not watched.hasFocus() or isinstance(watched, QTabBar):  # which a new window gives the keyboard
            event.ignore()  # the scroll area around it takes it
            return True
        return super().eventFilter(watched, event)
