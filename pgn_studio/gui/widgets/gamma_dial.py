"""The dial: a logarithmic slider over the γ that one PGN serves, with the number beside it."""

from __future__ import annotations

import math

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QSlider, QWidget

from pgn_studio.core.gamma import GammaRange
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.widgets.number_edit import NumberEdit

STEPS_PER_DECADE = 50
FEWEST_STEPS = 100


class GammaDial(QWidget):
    """Stands at the range's middle at first."""

    turned = Signal(float)  # by the user
    refused = Signal(str)  # what was typed was put back, and what had been expected

    def __init__(self, name: str, gammas: GammaRange, parent: QWidget | None = None) -> None:
        """`name`: of the slider; the field's is that with `_number`."""
        super().__init__(parent)
        self.gammas = gammas
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setObjectName(name)
        self.slider.setAccessibleName("Gamma that is shown")
        self.slider.setPageStep(STEPS_PER_DECADE // 2)
        self.slider.setMinimumWidth(90)
        self.number = NumberEdit(gammas.middle, low=gammas.low, high=gammas.high, parent=self)
        self.number.setObjectName(f"{name}_number")
        self.number.setAccessibleName("Gamma that is shown, as a number")
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.number)
        self.setFocusProxy(self.slider)
        self.set_range(gammas)
        current_theme().changed.connect(self._fit)
        self._fit()
        self.slider.valueChanged.connect(self._slid)
        self.number.value_edited.connect(self.turn)
        self.number.refused.connect(self._tell_refused)

    @property
    def gamma(self) -> float:
        return self.number.value

    def set_range(self, gammas: GammaRange) -> None:
        """Turn over `gammas` from now on; a γ outside of them goes to their middle. Emits nothing."""
        self.gammas = gammas
        self.number.set_limits(gammas.low, gammas.high)
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, self.steps)
        self.set_gamma(self.gamma if self.gamma in gammas else gammas.middle)
        served = f"{gammas.low:g} to {gammas.high:g}"
        tip = f"<p>One PGN serves every γ from {served}; this one is shown. A larger one changes less.</p>"
        for part in (self.slider, self.number):
            part.setToolTip(tip)

    def set_gamma(self, gamma: float) -> None:
        """Show γ; emits nothing."""
        self.number.set_value(gamma)
        with QSignalBlocker(self.slider):  # else the slider's rounding would come back as a turn
            self.slider.setValue(self.position_of(gamma))

    @Slot(float)
    def turn(self, gamma: float) -> None:
        """As if the user had typed it: shown and told."""
        self.set_gamma(gamma)
        self.turned.emit(gamma)

    @property
    def steps(self) -> int:
        """The last position; even, so that the middle is one."""
        decades = math.log10(self.gammas.high / self.gammas.low)
        return max(FEWEST_STEPS, 2 * round(decades * STEPS_PER_DECADE / 2))

    def gamma_at(self, position: int) -> float:
        """γ of a position, to three digits but for the ends."""
        low, high, share = self.gammas.low, self.gammas.high, position / self.steps
        inner = float(f"{low * (high / low) ** share:.3g}")
        return high if share >= 1 else low if share <= 0 else min(max(low, inner), high)

    def position_of(self, gamma: float) -> int:
        """The position nearest to γ."""
        low, high = self.gammas.low, self.gammas.high
        return round(self.steps * math.log(gamma / low) / math.log(high / low))

    @Slot(int)
    def _slid(self, position: int) -> None:
        gamma = self.gamma_at(position)
        self.number.set_value(gamma)
        self.turned.emit(gamma)

    @Slot()
    def _fit(self) -> None:
        self.number.fit("0.000126")

    @Slot(str)
    def _tell_refused(self, expected: str) -> None:
        self.refused.emit(f"γ: {expected}")
