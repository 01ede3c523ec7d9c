"""Number fields that say what they expect, and a wheel that changes no input in passing."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal, Slot
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QScrollBar,
    QSpinBox,
    QTabBar,
    QToolTip,
    QWidget,
)

TOLD_MS = 8000


class NumberEdit(QLineEdit):
    """A number over many orders of magnitude (0.0003, 2e-3, 1000), in its shortest form."""

    value_edited = Signal(float)  # by the user only
    refused = Signal(str)  # what was expected, after a text that is no number in range was put back

    def __init__(self, value: float, *, low: float, high: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._low, self._high = low, high
        self._value = value
        self.set_value(value)
        self.editingFinished.connect(self._accept)

    @property
    def value(self) -> float:
        return self._value

    def set_value(self, value: float) -> None:
        """Show `value`; emits nothing."""
        self._value = value
        self.setText(f"{value:g}")

    def set_limits(self, low: float, high: float) -> None:
        """What may be typed from now on."""
        self._low, self._high = low, high

    def fit(self, longest: str, *, at_least: int = 72) -> None:
        """As wide as this text needs."""
        self.setFixedWidth(max(at_least, self.fontMetrics().horizontalAdvance(longest) + 18))

    @Slot()
    def _accept(self) -> None:
        try:
            entered = float(self.text())
        except ValueError:
            entered = math.nan
        if not self._low <= entered <= self._high:
            told = expected("a number", self._low, self._high, self.text(), f"{self._value:g}")
            self.set_value(self._value)
            tell(self, told)
            self.refused.emit(told)
            return
        if f"{entered:g}" != f"{self._value:g}":
            self._value = entered
            self.value_edited.emit(entered)
        self.set_value(self._value)


class IntegerEdit(QSpinBox):
    """A spin box that says why it puts a number out of its range back."""

    refused = Signal(str)

    def fixup(self, text: str) -> str:
        """Called when the keyboard leaves a text that cannot stay."""
        lowest = self.minimum() + bool(self.specialValueText())  # that one stands for nothing given
        told = expected("a whole number", lowest, self.maximum(), text, self.text_of(self.value()))
        if self.validate(text, 0)[0] is not QValidator.State.Acceptable:
            tell(self, told)
            self.refused.emit(told)
        return super().fixup(text)

    def text_of(self, value: int) -> str:
        special = self.specialValueText()
        return special if special and value == self.minimum() else self.textFromValue(value)


def expected(kind: str, low: float, high: float, came: str, stays: str) -> str:
    """What to say of a text that was put back."""
    most = f" to {high:g}" if high < 2**31 - 1 else " on"
    point = " Write a point, not a comma." if "," in came else ""
    return f"Expected {kind} from {low:g}{most}, got “{came}”: {stays} stays.{point}"


def tell(widget: QWidget, text: str) -> None:
    """Right below the field, for a while."""
    QToolTip.showText(widget.mapToGlobal(QPoint(0, widget.height())), text, widget, widget.rect(), TOLD_MS)


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
