"""Original | perturbation | perturbed with linked zoom, pan and pointer; or two of them in one place."""

from __future__ import annotations

from enum import Enum

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QHideEvent, QImage, QShowEvent
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QWidget

from pgn_studio.gui.pages.inspect.image_view import ImageView, Viewport
from pgn_studio.gui.pages.inspect.perturbation_view import Look, perturbation_picture
from pgn_studio.gui.pages.inspect.subject import Sample
from pgn_studio.gui.pictures import to_qimage
from pgn_studio.gui.widgets.compact import ElidedLabel

NAMES = ("original", "perturbation", "perturbed")
BLINK_MS = 500
HELP = "Wheel: zoom · drag: move · 0: fit · hold space: compare"
WIPE_HELP = "Drag the line, or press [ and ] · left: original · right: perturbed"


class Arrangement(Enum):
    SIDE_BY_SIDE = "Side by side"
    WIPE = "Wipe"
    BLINK = "Blink"


class LinkedViews(QWidget):
    """Pictures come ready from the worker; only the perturbation is drawn anew when its gain moves."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewport = Viewport(self)
        self.views = {name: ImageView(self.viewport, name, self) for name in NAMES}
        self._sample: Sample | None = None
        self._perturbed: npt.NDArray[np.uint8] | None = None
        self._alpha = 1.0
        self._pictures: tuple[QImage, QImage] | None = None
        self._texts = {name: name.capitalize() for name in NAMES}
        self._captions = {name: ElidedLabel(name.capitalize(), self) for name in NAMES}
        self._readout = ElidedLabel(self)
        self._arrangement = QComboBox(self)
        self._blinking = QTimer(self)
        self._blinking.setInterval(BLINK_MS)
        self._blinking.timeout.connect(self._toggle)
        self._second = False  # the original's place shows the perturbed image
        self._build()
        self.viewport.pointed.connect(self._read_out)
        self._read_out(None)

    @property
    def arrangement(self) -> Arrangement:
        return Arrangement(self._arrangement.currentText())

    def show_sample(self, sample: Sample, original: QImage, perturbed: QImage) -> None:
        """The perturbation follows by `show_perturbation`. Zoom and place stay for comparison."""
        self._sample = sample
        self._pictures = (original, perturbed)
        self._perturbed = sample.perturbed
        self.views["perturbed"].show_image(perturbed)
        self._show_first()
        self._read_out(self.viewport.pointer)

    def show_perturbed(self, pixels: npt.NDArray[np.uint8], picture: QImage) -> None:
        """The perturbed image at another strength; `picture` is made of `pixels` (H, W, 3)."""
        if self._sample is not None and self._pictures is not None:
            self._perturbed, self._pictures = pixels, (self._pictures[0], picture)
            self.views["perturbed"].show_image(picture)
            self._show_first()
            self._read_out(self.viewport.pointer)

    def show_perturbation(self, alpha: float, gain: float, look: Look) -> None:
        """αp, enlarged by `gain`."""
        self._alpha = alpha
        if self._sample is not None:
            picture = perturbation_picture(self._sample.perturbation, alpha * gain, look)
            self.views["perturbation"].show_image(to_qimage(picture))

    def set_caption(self, name: str, text: str) -> None:
        self._texts[name] = text
        self._show_captions()

    def clear(self) -> None:
        self._sample = self._pictures = self._perturbed = None
        for name, view in self.views.items():
            view.show_image(None)
            self.set_caption(name, name.capitalize())
        self.views["original"].show_over(None)

    def focus(self) -> None:
        self.views["original"].setFocus(Qt.FocusReason.OtherFocusReason)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._arrange()

    def hideEvent(self, event: QHideEvent) -> None:
        self._blinking.stop()
        super().hideEvent(event)

    def _build(self) -> None:
        self._readout.setObjectName("pixel-readout")
        self._readout.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._readout.setMinimumWidth(1)
        self._arrangement.setObjectName("arrangement")
        self._arrangement.setAccessibleName("How original and perturbed are compared")
        self._arrangement.setToolTip("Side by side; a line that wipes one over the other; or in turns")
        for arrangement in Arrangement:
            self._arrangement.addItem(arrangement.value)
        self._arrangement.currentIndexChanged.connect(self._arrange)
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
        below = QHBoxLayout()
        below.addWidget(self._readout, 1)
        below.addWidget(self._arrangement)
        grid.addLayout(below, 2, 0, 1, 3)
        grid.setRowStretch(1, 1)

    def _arrange(self) -> None:
        """Side by side, or the perturbed image in the original's place."""
        apart = self.arrangement is Arrangement.SIDE_BY_SIDE
        self.views["perturbed"].setVisible(apart)
        self._captions["perturbed"].setVisible(apart)
        layout = self.layout()
        assert isinstance(layout, QGridLayout)
        layout.setColumnStretch(2, 1 if apart else 0)
        if self.arrangement is Arrangement.BLINK and self.isVisible():
            self._blinking.start()
        else:
            self._blinking.stop()
        self._second = False
        self._show_first()
        self._read_out(self.viewport.pointer)

    def _show_first(self) -> None:
        """What stands in the original's place."""
        first = self.views["original"]
        if self._pictures is not None:
            first.show_image(self._pictures[1 if self._second else 0])
            wipes = self.arrangement is Arrangement.WIPE
            first.show_over(self._pictures[1] if wipes else None)
        self._show_captions()

    def _show_captions(self) -> None:
        for name, label in self._captions.items():
            text = self._texts[name]
            if name == "original" and self.arrangement is Arrangement.WIPE:
                text = f"{text} | {self._texts['perturbed']}"
            elif name == "original" and self._second:
                text = self._texts["perturbed"]
            label.setText(text)
            label.setToolTip(text)

    def _toggle(self) -> None:
        self._second = not self._second
        self._show_first()

    def _blink(self, pressed: bool) -> None:
        """While the space bar is held, the original's place shows the perturbed image."""
        self._second = pressed
        self._show_first()

    def _read_out(self, point: QPointF | None) -> None:
        if point is None or self._sample is None or self._perturbed is None:
            self._readout.setText(WIPE_HELP if self.arrangement is Arrangement.WIPE else HELP)
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
