"""Making a perturbation visible: gain, and what its values look like. NumPy only."""

from __future__ import annotations

from enum import Enum

import numpy as np
import numpy.typing as npt

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
