"""The key of the perturbation's view: which color is which change, in levels of 255."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget

from pgn_studio.gui.gallery.pictures import to_qimage
from pgn_studio.gui.pages.inspect.perturbation_picture import Look, full_scale, perturbation_picture

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
