"""Making a perturbation visible: gain, signed around mid grey or as magnitude. NumPy only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MAX_GAIN = 1000.0


def auto_gain(perturbation: npt.NDArray[np.float32]) -> float:
    """The gain that spreads the largest value over the whole range; between 1 and MAX_GAIN."""
    largest = float(np.abs(perturbation).max(initial=0.0))
    return min(max(0.5 / largest, 1.0), MAX_GAIN) if largest > 0 else 1.0


def perturbation_picture(
    perturbation: npt.NDArray[np.float32], gain: float, *, magnitude: bool = False
) -> npt.NDArray[np.uint8]:
    """(H, W, 3) in pixel space to bytes.

    Signed: 128 + 254 · gain · p, so zero is mid grey, as in exported figures. Magnitude:
    510 · gain · |p|, so zero is black and the automatic gain again reaches the full range.
    """
    if magnitude:
        picture = np.abs(perturbation) * np.float32(510 * gain)
    else:
        picture = perturbation * np.float32(254 * gain) + np.float32(128)
    np.clip(picture, 0, 255, out=picture)
    return np.rint(picture).astype(np.uint8)
