"""Preview triptychs as QImages, built in the worker so that the GUI thread only paints."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PySide6.QtGui import QImage

from pgn_studio.core.training.events import PreviewReady


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


def to_qimage(pixels: npt.NDArray[np.uint8]) -> QImage:
    """RGB (H, W, 3) to a QImage that owns its memory."""
    contiguous = np.ascontiguousarray(pixels)
    height, width, _ = contiguous.shape
    # bytesPerLine is given since rows need not be multiples of four bytes.
    return QImage(contiguous.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


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
