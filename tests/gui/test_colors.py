"""Colors that mean something are told apart by color-blind people, and stand out from their ground."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from pgn_studio.gui.gallery.delegate import RIGHT_COLOR, WRONG_COLOR
from pgn_studio.gui.theme import DARK, LIGHT, PlotColors

Color = npt.NDArray[np.float64]

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
SIGHT = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = TO_XYZ @ np.ones(3)
LEAST_DISTANCE = 20.0  # CIE76; 2.3 is just noticeable side by side
LEAST_CONTRAST = 3.0  # WCAG, for what is no text

# What is drawn in one plot, or in one row.
TOGETHER = (("first", "second"), ("good", "bad"), ("first", "good", "second"))


def linear(text: str) -> Color:
    values = np.array([int(text[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: Color) -> Color:
    ratio = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one: str, other: str, sight: str) -> float:
    return float(np.linalg.norm(lab(SIGHT[sight] @ linear(one)) - lab(SIGHT[sight] @ linear(other))))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((float(TO_XYZ[1] @ linear(text)) for text in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measures_are_right() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert distance("#ffffff", "#000000", "usual") == pytest.approx(100, abs=0.01)
    assert lab(linear("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.05)
    green, red = "#33aa33", "#cc5533"  # the pair to avoid
    assert distance(green, red, "deuteranopia") < 0.5 * distance(green, red, "usual")


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_colors_drawn_together_are_told_apart(colors: PlotColors, sight: str) -> None:
    near = {
        f"{one}, {other}": round(distance(getattr(colors, one), getattr(colors, other), sight), 1)
        for group in TOGETHER
        for one, other in combinations(group, 2)
        if distance(getattr(colors, one), getattr(colors, other), sight) < LEAST_DISTANCE
    }
    assert near == {}


@pytest.mark.parametrize("sight", SIGHT)
def test_right_and_wrong_are_told_apart(sight: str) -> None:
    assert distance(RIGHT_COLOR.name(), WRONG_COLOR.name(), sight) > LEAST_DISTANCE
    for color in (RIGHT_COLOR, WRONG_COLOR):  # their signs are white, and their rim too
        assert contrast(color.name(), "#ffffff") >= LEAST_CONTRAST


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_colors_stand_out_from_their_ground(colors: PlotColors) -> None:
    names = ("muted", "first", "second", "good", "bad", "marker", "warning", "severe")
    faint = {name: contrast(getattr(colors, name), colors.background) for name in names}
    assert {name: round(value, 2) for name, value in faint.items() if value < LEAST_CONTRAST} == {}
