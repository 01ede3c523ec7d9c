"""From NumPy to QImage, in any thread: thumbnails and previews, so that the GUI thread only paints."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage

from pgn_studio.core.training.events import PreviewReady


def to_qimage(pixels: npt.NDArray[np.uint8]) -> QImage:
    """RGB (H, W, 3) uint8 as a QImage that owns its memory."""
    height, width, _ = pixels.shape
    contiguous = np.ascontiguousarray(pixels)
    # bytesPerLine: QImage otherwise assumes lines padded to 4 bytes. copy(): it does not own `data`.
    return QImage(contiguous.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def to_thumbnail(pixels: npt.NDArray[np.uint8], size_px: int) -> QImage:
    """A picture of at most `size_px` a side; small images are enlarged with their pixels visible."""
    image = to_qimage(pixels)
    enlarging = max(image.width(), image.height()) < size_px
    mode = (
        Qt.TransformationMode.FastTransformation if enlarging else Qt.TransformationMode.SmoothTransformation
    )
    scaled = image.scaled(QSize(size_px, size_px), Qt.AspectRatioMode.KeepAspectRatio, mode)
    return scaled.convertToFormat(QImage.Format.Format_RGB32)  # what the raster engine paints fastest


@dataclass(frozen=True)
class Triptych:
    original: QImage
    perturbation: QImage
    perturbed: QImage
    label: int
    clean_prediction: int
    perturbed_prediction: int
    index: int = -1  # in the validation split; -1 where nothing says it

    @property
    def outcome(self) -> str:
        """ "fixed", "broken", "both right" or "both wrong"."""
        before, after = self.clean_prediction == self.label, self.perturbed_prediction == self.label
        if before == after:
            return "both right" if after else "both wrong"
        return "fixed" if after else "broken"


@dataclass(frozen=True)
class PreviewImages:
    step: int
    perturbation_scale: float
    triptychs: tuple[Triptych, ...]
    gamma: float = math.nan  # at which the PGN perturbed them


def preview_images(event: PreviewReady) -> PreviewImages:
    triptychs = tuple(
        Triptych(
            to_qimage(event.original[index]),
            to_qimage(event.perturbation[index]),
            to_qimage(event.perturbed[index]),
            event.labels[index],
            event.clean_predictions[index],
            event.perturbed_predictions[index],
            event.indices[index] if event.indices else -1,
        )
        for index in range(len(event.labels))
    )
    return PreviewImages(event.step, event.perturbation_scale, triptychs, event.gamma)
