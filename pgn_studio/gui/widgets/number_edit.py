"""A line edit for a number over many orders of magnitude (0.0003, 2e-3, 1000)."""

from __future__ import annotations

import math

from PySide6.QtCore import QLocale, Signal, Slot
from PySide6.QtGui import QDoubleValidator
from PySide6.QtWidgets import QLineEdit, QWidget


class NumberEdit(QLineEdit):
    """Shows the shortest form of a float; a text that is no number in range is put back."""

    value_edited = Signal(float)  # by the user only

    def __init__(self, value: float, *, low: float, high: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._low, self._high = low, high
        validator = QDoubleValidator(self)
        validator.setLocale(QLocale.c())  # a point, whatever the country: the files say it so too
        validator.setNotation(QDoubleValidator.Notation.ScientificNotation)
        self.setValidator(validator)
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

    @Slot()
    def _accept(self) -> None:
        try:
            entered = float(self.text())
        except ValueError:
            entered = math.nan
        if not self._low <= entered <= self._high:
            self.set_value(self._value)
            return
        if f"{entered:g}" != f"{self._value:g}":
            self._value = entered
            self.value_edited.emit(entered)
        self.set_value(self._value)
