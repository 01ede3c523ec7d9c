"""From NumPy to QImage; callable in any thread."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage


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
