"""γ as one value or a range, and the dial that turns it inside its range."""

from __future__ import annotations

import math

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from pgn_studio.core.config import TrainingSettings, default_gamma
from pgn_studio.core.gamma import MOST_GAMMA, GammaRange
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.widgets.inputs import NumberEdit, tell

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
        self.slider.setAccessibleName("Shown gamma")
        self.slider.setPageStep(STEPS_PER_DECADE // 2)
        self.slider.setMinimumWidth(90)
        self.number = NumberEdit(gammas.middle, low=gammas.low, high=gammas.high, parent=self)
        self.number.setObjectName(f"{name}_number")
        self.number.setAccessibleName("Shown gamma, as a number")
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


LOWEST, HIGHEST = 1e-4, 1e3
LEAST_END = 1e-6  # of a range
DEFAULT = float(TrainingSettings.model_fields["gamma"].default)
TIP = f"<p>{TrainingSettings.model_fields['gamma'].description}</p>"
LAST_POSITION = 1 + round(math.log10(HIGHEST / LOWEST) * STEPS_PER_DECADE)
RANGE, ONE_VALUE = "Range", "One value"
Gamma = float | tuple[float, float]  # one value, or the ends of a range


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
    """Which γ a run learns for, and, where that is a range, which of them is shown.

    One value has a slider and a number; the number also takes values beyond the slider's ends.
    """

    changed = Signal(float)  # by the user: γ that is learned for, of a range the one that is shown
    edited = Signal()  # by the user: the setting, not what is shown alone
    seized = Signal()  # the slider's handle, for a drag
    refused = Signal(str)  # what was typed was put back, and what had been expected

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gamma_control")
        first = GammaRange(*default_gamma("enhance", "shared"))
        self._kind = QComboBox(self)
        self._kind.addItems([RANGE, ONE_VALUE])
        self._to = QLabel("to", self)
        self._low = self._end("gamma_low", "Smallest gamma of the range", first.low)
        self._high = self._end("gamma_high", "Largest gamma of the range", first.high)
        self.dial = GammaDial("gamma_dial", first, self)
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._number = NumberEdit(DEFAULT, low=0.0, high=MOST_GAMMA, parent=self)
        self._build()
        self.set_value((first.low, first.high))
        current_theme().changed.connect(self._fit)
        self._fit()
        self._kind.currentTextChanged.connect(self._kind_chosen)
        for end in (self._low, self._high):
            end.value_edited.connect(self._end_typed)
            end.refused.connect(self._tell_refused)
        self.dial.turned.connect(self.changed)
        self.dial.refused.connect(self.refused)
        self._slider.valueChanged.connect(self._slid)
        self._slider.sliderPressed.connect(self.seized)
        self._number.value_edited.connect(self.user_set)
        self._number.refused.connect(self._tell_refused)

    @property
    def is_range(self) -> bool:
        return self._kind.currentText() == RANGE

    @property
    def value(self) -> Gamma:
        """The setting."""
        return (self._low.value, self._high.value) if self.is_range else self._number.value

    @property
    def shown(self) -> float:
        """γ that is learned for; of a range the one that is shown."""
        return self.dial.gamma if self.is_range else self._number.value

    def set_value(self, value: Gamma) -> None:
        """Show a setting, another range with its dial in the middle; emits nothing."""
        with QSignalBlocker(self._kind):
            self._kind.setCurrentText(RANGE if isinstance(value, tuple) else ONE_VALUE)
        if not isinstance(value, tuple):
            self._show_one(value)
        elif (gammas := GammaRange(*value)) != self.dial.gammas:
            self._show_range(gammas)
            self.dial.set_gamma(gammas.middle)
        self._show_kind()

    def user_set(self, value: Gamma) -> None:
        """As if the user had set it: shown and told. To turn the dial: `dial.turn`."""
        self.set_value(value)
        self._tell()

    def set_running(self, running: bool) -> None:
        """While a run is under way one value can be moved, and the dial turned; the rest stays as it is."""
        for part in (self._kind, self._low, self._high):
            part.setEnabled(not running)

    def _build(self) -> None:
        self._kind.setObjectName("gamma_kind")
        self._kind.setAccessibleName("Whether the PGN serves a range of gamma or one value")
        self._kind.setToolTip(TIP)
        self._kind.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._kind.setMinimumContentsLength(3)
        self._slider.setObjectName("gamma_slider")
        self._slider.setAccessibleName("Gamma, the weight of the L2 term")
        self._slider.setToolTip(TIP)
        self._slider.setRange(0, LAST_POSITION)
        self._slider.setPageStep(STEPS_PER_DECADE)
        self._number.setObjectName("gamma_number")
        self._number.setAccessibleName("Gamma as a number")
        self._number.setToolTip(TIP)
        self._number.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.dial.number.setObjectName("gamma_dial_number")
        setting, value = QHBoxLayout(), QHBoxLayout()
        setting.addWidget(self._kind, 1)
        for part in (self._low, self._to, self._high):
            setting.addWidget(part)
        value.addWidget(self._slider, 1)
        value.addWidget(self._number)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(setting)
        layout.addWidget(self.dial)
        layout.addLayout(value)

    def _end(self, name: str, accessible: str, value: float) -> NumberEdit:
        edit = NumberEdit(value, low=LEAST_END, high=MOST_GAMMA, parent=self)
        edit.setObjectName(name)
        edit.setAccessibleName(accessible)
        edit.setToolTip(TIP)
        edit.setAlignment(Qt.AlignmentFlag.AlignRight)
        return edit

    def _show_kind(self) -> None:
        of_range: tuple[QWidget, ...] = (self._low, self._to, self._high, self.dial)
        for part in of_range:
            part.setVisible(self.is_range)
        for one in (self._slider, self._number):
            one.setVisible(not self.is_range)
        self.setFocusProxy(self.dial.slider if self.is_range else self._slider)

    def _show_range(self, gammas: GammaRange) -> None:
        self._low.set_value(gammas.low)
        self._high.set_value(gammas.high)
        self.dial.set_range(gammas)

    def _show_one(self, gamma: float) -> None:
        self._number.set_value(gamma)
        with QSignalBlocker(self._slider):  # else the slider's rounding would come back as an edit
            self._slider.setValue(position_of(gamma))

    @Slot(str)
    def _kind_chosen(self, kind: str) -> None:
        """γ stays where it is: in the last range where it lies in there, else in one around it."""
        if kind == ONE_VALUE:
            self._show_one(self.dial.gamma)
        else:
            gamma = self._number.value
            if gamma > 0 and gamma not in self.dial.gammas:
                self._show_range(_around(gamma))
            self.dial.set_gamma(gamma if gamma in self.dial.gammas else self.dial.gammas.middle)
        self._show_kind()
        self._tell()

    @Slot(float)
    def _end_typed(self, _value: float) -> None:
        """A range that is none is put back."""
        was, low, high = self.dial.gammas, self._low.value, self._high.value
        if low < high:
            self.dial.set_range(GammaRange(low, high))
            self._tell()
            return
        self._show_range(was)
        stays = f"{was.low:g} to {was.high:g} stays"
        told = f"Expected a range from low to high, got {low:g} to {high:g}: {stays}."
        tell(self._low, told)
        self._tell_refused(told)

    @Slot(int)
    def _slid(self, position: int) -> None:
        self._number.set_value(gamma_at(position))
        self._tell()

    def _tell(self) -> None:
        self.edited.emit()
        self.changed.emit(self.shown)

    @Slot()
    def _fit(self) -> None:
        """Wide enough for the longest of the slider's numbers."""
        self._number.fit("0.000126")
        for end in (self._low, self._high):
            width = end.fontMetrics().horizontalAdvance
            end.setMinimumWidth(width("0.3") + 18)
            end.setMaximumWidth(width("0.000126") + 18)

    @Slot(str)
    def _tell_refused(self, expected: str) -> None:
        self.refused.emit(f"γ: {expected}")


def _around(gamma: float) -> GammaRange:
    """A decade on both sides, as far as a range may reach."""
    low, high = max(LEAST_END, gamma / 10), min(MOST_GAMMA, 10 * gamma)
    return GammaRange(float(f"{low:.6g}"), float(f"{max(high, 10 * low):.6g}"))
