"""How a perturbation is made visible: gain and colors, the control that sets them, and their key."""

from __future__ import annotations

import math
from enum import Enum

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QRectF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QSlider, QToolButton, QWidget

from pgn_studio.gui.pictures import to_qimage

MAX_GAIN = 1000.0
# From −1 through 0 to 1: Okabe and Ito's blue and vermilion, told apart with every kind of color vision.
_LOW = np.array((0, 114, 178), dtype=np.float32)
_ZERO = np.array((245, 245, 245), dtype=np.float32)
_HIGH = np.array((213, 94, 0), dtype=np.float32)


class Look(Enum):
    """How values become colors."""

    SIGNED = "Signed"  # each channel around mid gray
    DIVERGING = "Diverging"  # mean of the channels, blue below 0 and vermilion above
    MAGNITUDE = "Magnitude"  # each channel's |p|, black is no change


def auto_gain(perturbation: npt.NDArray[np.float32]) -> float:
    """The gain that spreads the largest value over the whole range; between 1 and MAX_GAIN."""
    largest = float(np.abs(perturbation).max(initial=0.0))
    return min(max(0.5 / largest, 1.0), MAX_GAIN) if largest > 0 else 1.0


def full_scale(gain: float) -> float:
    """The |p| that has the strongest color, in levels of 255."""
    return 127.5 / gain


def perturbation_picture(
    perturbation: npt.NDArray[np.float32], gain: float, look: Look = Look.SIGNED
) -> npt.NDArray[np.uint8]:
    """(H, W, 3) in pixel space to bytes.

    Signed: 128 + 254 · gain · p, so zero is mid gray, as in exported figures. Magnitude:
    510 · gain · |p|, so zero is black and the automatic gain again reaches the full range.
    Diverging: 2 · gain · mean p in −1…1 on its colors.
    """
    if look is Look.DIVERGING:
        return diverging(perturbation.mean(axis=2) * np.float32(2 * gain))
    if look is Look.MAGNITUDE:
        picture = np.abs(perturbation) * np.float32(510 * gain)
    else:
        picture = perturbation * np.float32(254 * gain) + np.float32(128)
    np.clip(picture, 0, 255, out=picture)
    return np.asarray(np.rint(picture), dtype=np.uint8)


def diverging(
    values: npt.NDArray[np.float32], zero: npt.NDArray[np.float32] = _ZERO
) -> npt.NDArray[np.uint8]:
    """Values of any shape, clipped to −1…1, to colors with a last axis of 3; `zero` is that of 0."""
    share = np.clip(values, -1.0, 1.0)[..., None]
    end = np.where(share < 0, _LOW, _HIGH)
    return np.asarray(np.rint(zero + np.abs(share) * (end - zero)), dtype=np.uint8)


GAIN_STEPS = 1000  # slider positions from gain 1 to MAX_GAIN


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
        self._slider.setToolTip("Factor by which the perturbation is amplified in its view")
        self._slider.setRange(0, GAIN_STEPS)
        self._slider.setPageStep(GAIN_STEPS // 10)
        self._slider.setMinimumWidth(90)
        self._slider.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._slider.valueChanged.connect(self._slide)
        self._value.setObjectName("gain-value")
        self._value.setMinimumWidth(self._value.fontMetrics().horizontalAdvance("× 1,000"))
        self._auto.setObjectName("gain-auto")
        self._auto.setText("Auto")
        self._auto.setAccessibleName("Automatic gain")
        self._auto.setToolTip("Scale each image so that its largest change fills the range")
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
        self._gain = MAX_GAIN ** (position / GAIN_STEPS)
        self._show_gain()
        self.changed.emit()

    def _toggle_auto(self, on: bool) -> None:
        if on:
            self._use(self._automatic_gain)

    def _use(self, gain: float) -> None:
        self._gain = gain
        with QSignalBlocker(self._slider):
            self._slider.setValue(round(GAIN_STEPS * math.log(gain) / math.log(MAX_GAIN)))
        self._show_gain()
        self.changed.emit()

    def _show_gain(self) -> None:
        digits = 1 if self._gain < 100 else 0
        self._value.setText(f"× {self._gain:,.{digits}f}")


HEIGHT_PX = 10
SAMPLES = 256


class ColorBar(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look = Look.SIGNED
        self._gain = 1.0
        self.setObjectName("color-bar")
        self.setAccessibleName("Colors of the perturbation view")
        self.setToolTip("Change of a pixel value, in levels of 0 to 255; beyond the ends it is clipped")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.show_scale(1.0, Look.SIGNED)

    def show_scale(self, gain: float, look: Look) -> None:
        self._gain, self._look = gain, look
        self.setAccessibleDescription(" · ".join(self.labels))
        self.update()

    @property
    def labels(self) -> tuple[str, str, str]:
        """At the left end, in the middle, at the right end."""
        scale = full_scale(self._gain)
        if self._look is Look.MAGNITUDE:
            return "0", _level(scale / 2), _level(scale)
        return f"−{_level(scale)}", "0", f"+{_level(scale)}"

    def sizeHint(self) -> QSize:
        return QSize(160, HEIGHT_PX + self.fontMetrics().height() + 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        low = 0.0 if self._look is Look.MAGNITUDE else -1.0
        ramp = np.linspace(low, 1.0, SAMPLES, dtype=np.float32) / np.float32(2 * self._gain)
        strip = np.repeat(ramp[None, :, None], 3, axis=2)
        picture = to_qimage(perturbation_picture(strip, self._gain, self._look))
        painter.drawImage(QRectF(0, 0, self.width(), HEIGHT_PX), picture)
        painter.setPen(self.palette().color(QPalette.ColorRole.Mid))
        painter.drawRect(0, 0, self.width() - 1, HEIGHT_PX)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        text = QRectF(0, HEIGHT_PX + 2, self.width(), self.height() - HEIGHT_PX - 2)
        sides = (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignHCenter, Qt.AlignmentFlag.AlignRight)
        for side, label in zip(sides, self.labels, strict=True):
            painter.drawText(text, side | Qt.AlignmentFlag.AlignTop, label)


def _level(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"
