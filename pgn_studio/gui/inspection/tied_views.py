"""Original | perturbation | perturbed side by side, with zoom, pan and pointer tied together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from pgn_studio.gui.gallery.pictures import to_qimage
from pgn_studio.gui.inspection.image_view import ImageView
from pgn_studio.gui.inspection.perturbation_picture import perturbation_picture
from pgn_studio.gui.inspection.sample import Sample
from pgn_studio.gui.inspection.viewport import Viewport

NAMES = ("original", "perturbation", "perturbed")


class TiedViews(QWidget):
    """Pictures come ready from the worker; only the perturbation is drawn anew when its gain moves."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewport = Viewport(self)
        self.views = {name: ImageView(self.viewport, name, self) for name in NAMES}
        self._sample: Sample | None = None
        self._perturbed: npt.NDArray[np.uint8] | None = None
        self._alpha = 1.0
        self._pictures: tuple[QImage, QImage] | None = None
        self._captions = {name: QLabel(name.capitalize(), self) for name in NAMES}
        self._readout = QLabel(self)
        self._readout.setObjectName("pixel-readout")
        self._readout.setAlignment(Qt.AlignmentFlag.AlignCenter)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for column, name in enumerate(NAMES):
            self._captions[name].setAlignment(Qt.AlignmentFlag.AlignCenter)
            self._captions[name].setTextFormat(Qt.TextFormat.PlainText)
            self._captions[name].setMinimumWidth(1)  # long class names must not widen the column
            grid.addWidget(self._captions[name], 0, column)
            grid.addWidget(self.views[name], 1, column)
            grid.setColumnStretch(column, 1)
            self.views[name].blink.connect(self._blink)
        grid.addWidget(self._readout, 2, 0, 1, 3)
        grid.setRowStretch(1, 1)
        self.viewport.pointed.connect(self._read_out)
        self._read_out(None)

    def show_sample(self, sample: Sample, original: QImage, perturbed: QImage) -> None:
        """The perturbation follows by `show_perturbation`. Zoom and place stay for comparison."""
        self._sample = sample
        self._pictures = (original, perturbed)
        self._perturbed = sample.perturbed
        self.views["original"].show_image(original)
        self.views["perturbed"].show_image(perturbed)
        self._read_out(self.viewport.pointer)

    def show_perturbed(self, pixels: npt.NDArray[np.uint8], picture: QImage) -> None:
        """The perturbed image at another strength; `picture` is made of `pixels` (H, W, 3)."""
        if self._sample is not None and self._pictures is not None:
            self._perturbed, self._pictures = pixels, (self._pictures[0], picture)
            self.views["perturbed"].show_image(picture)
            self._read_out(self.viewport.pointer)

    def show_perturbation(self, alpha: float, gain: float, *, magnitude: bool) -> None:
        """αp, enlarged by `gain`."""
        self._alpha = alpha
        if self._sample is not None:
            picture = perturbation_picture(self._sample.perturbation, alpha * gain, magnitude=magnitude)
            self.views["perturbation"].show_image(to_qimage(picture))

    def set_caption(self, name: str, text: str) -> None:
        self._captions[name].setText(text)
        self._captions[name].setToolTip(text)

    def clear(self) -> None:
        self._sample = self._pictures = self._perturbed = None
        for name, view in self.views.items():
            view.show_image(None)
            self.set_caption(name, name.capitalize())

    def focus(self) -> None:
        self.views["original"].setFocus(Qt.FocusReason.OtherFocusReason)

    def _blink(self, pressed: bool) -> None:
        """While the space bar is held, the original's place shows the perturbed image."""
        if self._pictures is not None:
            self.views["original"].show_image(self._pictures[1 if pressed else 0])

    def _read_out(self, point: QPointF | None) -> None:
        if point is None or self._sample is None or self._perturbed is None:
            self._readout.setText("Wheel: zoom · drag: move · 0: fit · hold space: compare")
            return
        height, width, _ = self._sample.original.shape
        column, row = int(point.x() * width), int(point.y() * height)
        change = np.rint(self._alpha * self._sample.perturbation[row, column] * 255).astype(int)
        self._readout.setText(
            f"x {column}  y {row}   {_triple(self._sample.original[row, column])}"
            f"   {' '.join(f'{value:+d}' for value in change)}"
            f"   {_triple(self._perturbed[row, column])}"
        )


def _triple(pixel: npt.NDArray[np.uint8]) -> str:
    return " ".join(str(value) for value in pixel)
