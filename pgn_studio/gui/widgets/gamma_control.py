"""γ as a logarithmic slider with a number beside it."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QSlider, QWidget

from pgn_studio.core.config import TrainingSettings
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.widgets.number_edit import NumberEdit

LOWEST, HIGHEST = 1e-4, 1e3
DEFAULT = float(TrainingSettings.model_fields["gamma"].default)
STEPS_PER_DECADE = 50
TIP = f"<p>{TrainingSettings.model_fields['gamma'].description}</p>"
LAST_POSITION = 1 + round(math.log10(HIGHEST / LOWEST) * STEPS_PER_DECADE)


def gamma_at(position: int) -> float:
    """Slider position to γ, to three digits: 0 is γ = 0, then 0.0001 to 1000 in equal ratios."""
    if position <= 0:
        return 0.0
    return float(f"{LOWEST * 10 ** ((position - 1) / STEPS_PER_DECADE):.3g}")


def position_of(gamma: float) -> int:
    """The slider position nearest to γ."""
    if gamma <= 0:
        return 0
    steps = round(math.log10(gamma / LOWEST) * STEPS_PER_DECADE)
    return min(max(1 + steps, 1), LAST_POSITION)


class GammaControl(QWidget):
    """Two views of one number; the field also takes values beyond the slider's ends."""

    changed = Signal(float)  # by the user
    seized = Signal()  # the slider's handle, for a drag
    refused = Signal(str)  # what was typed was put back, and what had been expected

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._slider.setObjectName("gamma_slider")
        self._slider.setAccessibleName("Gamma, the weight of the L2 term")
        self._slider.setToolTip(TIP)
        self._slider.setRange(0, LAST_POSITION)
        self._slider.setPageStep(STEPS_PER_DECADE)
        self._number = NumberEdit(DEFAULT, low=0.0, high=1e6, parent=self)
        self._number.setObjectName("gamma_number")
        self._number.setAccessibleName("Gamma as a number")
        self._number.setToolTip(TIP)
        self._number.setAlignment(Qt.AlignmentFlag.AlignRight)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._number)
        self.setFocusProxy(self._slider)
        self.set_value(DEFAULT)
        current_theme().changed.connect(self._fit)
        self._fit()
        self._slider.valueChanged.connect(self._slid)
        self._slider.sliderPressed.connect(self.seized)
        self._number.value_edited.connect(self._typed)
        self._number.refused.connect(self._tell_refused)

    @property
    def value(self) -> float:
        return self._number.value

    def set_value(self, gamma: float) -> None:
        """Show γ; emits nothing."""
        self._number.set_value(gamma)
        self._slider.blockSignals(True)  # else the slider's rounding would come back as an edit
        self._slider.setValue(position_of(gamma))
        self._slider.blockSignals(False)

    def user_set(self, gamma: float) -> None:
        """As if the user had typed it: shown and told."""
        self._typed(gamma)

    @Slot(int)
    def _slid(self, position: int) -> None:
        gamma = gamma_at(position)
        self._number.set_value(gamma)
        self.changed.emit(gamma)

    @Slot()
    def _fit(self) -> None:
        """Wide enough for the longest of the slider's numbers."""
        widest = self._number.fontMetrics().horizontalAdvance("0.000126")
        self._number.setFixedWidth(max(72, widest + 18))

    @Slot(str)
    def _tell_refused(self, expected: str) -> None:
        self.refused.emit(f"γ: {expected}")

    @Slot(float)
    def _typed(self, gamma: float) -> None:
        self.set_value(gamma)
        self.changed.emit(gamma)
