"""How strongly the perturbation is shown: a logarithmic slider, automatic, and which colors."""

from __future__ import annotations

import math

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QSlider, QToolButton, QWidget

from pgn_studio.gui.pages.inspect.perturbation_picture import MAX_GAIN, Look

STEPS = 1000  # slider positions from gain 1 to MAX_GAIN


class GainControl(QWidget):
    """`changed` comes for every new gain or mode, moved by hand or set for a new image."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._automatic_gain = 1.0
        self._gain = 1.0
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._value = QLabel(self)
        self._auto = QToolButton(self)
        self._mode = QComboBox(self)
        self._build()
        self._show_gain()

    @property
    def gain(self) -> float:
        return self._gain

    @property
    def automatic(self) -> bool:
        return self._auto.isChecked()

    @property
    def look(self) -> Look:
        return Look(self._mode.currentText())

    def set_automatic_gain(self, gain: float) -> None:
        """The gain that fills the range for the image now shown; used while Auto is on."""
        self._automatic_gain = gain
        if self.automatic:
            self._use(gain)

    def _build(self) -> None:
        self._slider.setObjectName("gain")
        self._slider.setAccessibleName("Gain of the perturbation view")
        self._slider.setToolTip("How many times the perturbation is enlarged in its view")
        self._slider.setRange(0, STEPS)
        self._slider.setPageStep(STEPS // 10)
        self._slider.setMinimumWidth(90)
        self._slider.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._slider.valueChanged.connect(self._slide)
        self._value.setObjectName("gain-value")
        self._value.setMinimumWidth(self._value.fontMetrics().horizontalAdvance("× 1,000"))
        self._auto.setObjectName("gain-auto")
        self._auto.setText("Auto")
        self._auto.setAccessibleName("Automatic gain")
        self._auto.setToolTip("Spread each image's largest change over the whole range")
        self._auto.setCheckable(True)
        self._auto.setChecked(True)
        self._auto.toggled.connect(self._toggle_auto)
        self._mode.setObjectName("gain-mode")
        self._mode.setAccessibleName("How the perturbation is drawn")
        self._mode.setToolTip(
            "Signed: each channel, gray is no change. Diverging: mean of the channels, blue down, red up. "
            "Magnitude: black is no change."
        )
        for look in Look:
            self._mode.addItem(look.value)
        self._mode.currentIndexChanged.connect(self.changed)
        caption = QLabel("&Gain", self)
        caption.setBuddy(self._slider)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        for widget in (caption, self._slider, self._value, self._auto, self._mode):
            line.addWidget(widget)

    def _slide(self, position: int) -> None:
        with QSignalBlocker(self._auto):
            self._auto.setChecked(False)
        self._gain = MAX_GAIN ** (position / STEPS)
        self._show_gain()
        self.changed.emit()

    def _toggle_auto(self, on: bool) -> None:
        if on:
            self._use(self._automatic_gain)

    def _use(self, gain: float) -> None:
        self._gain = gain
        with QSignalBlocker(self._slider):
            self._slider.setValue(round(STEPS * math.log(gain) / math.log(MAX_GAIN)))
        self._show_gain()
        self.changed.emit()

    def _show_gain(self) -> None:
        digits = 1 if self._gain < 100 else 0
        self._value.setText(f"× {self._gain:,.{digits}f}")
