"""Gain and sign of the perturbation's picture."""

from __future__ import annotations

import numpy as np
import pytest

from pgn_studio.core.export.triptych import perturbation_picture as exported_picture
from pgn_studio.gui.pages.inspect.perturbation_view import MAX_GAIN, Look, auto_gain, perturbation_picture
from pgn_studio.gui.pictures import to_qimage, to_thumbnail


def test_automatic_gain_fills_the_range_and_equals_the_exported_picture() -> None:
    p = np.random.default_rng(0).normal(0, 0.02, (6, 6, 3)).astype(np.float32)
    picture = perturbation_picture(p, auto_gain(p))
    assert np.abs(picture.astype(int) - 128).max() == 127
    assert np.abs(picture.astype(int) - exported_picture(p)).max() <= 1


def test_signed_is_gray_at_zero_and_clips() -> None:
    p = np.array([[[0.0, 0.1, -0.1], [1.0, -1.0, 0.0]]], dtype=np.float32)
    assert perturbation_picture(p, 2).tolist() == [[[128, 179, 77], [255, 0, 128]]]


def test_magnitude_is_black_at_zero() -> None:
    p = np.array([[[0.0, 0.1, -0.1]]], dtype=np.float32)
    assert perturbation_picture(p, 1, Look.MAGNITUDE).tolist() == [[[0, 51, 51]]]


def test_diverging_tells_the_sign_of_the_mean_and_clips() -> None:
    p = np.array([[[0.0, 0.0, 0.0], [0.3, 0.3, -0.6], [0.5, 0.5, 0.5], [-9.0, -9.0, -9.0]]], dtype=np.float32)
    zero, canceled, up, down = perturbation_picture(p, 1, Look.DIVERGING)[0].tolist()
    assert zero == canceled == [245, 245, 245]
    assert up == [213, 94, 0]
    assert down == [0, 114, 178]
    half = perturbation_picture(np.full((1, 1, 3), 0.25, dtype=np.float32), 1, Look.DIVERGING)[0, 0]
    assert half.tolist() == pytest.approx([(245 + 213) / 2, (245 + 94) / 2, 245 / 2], abs=1)


def test_no_perturbation_has_gain_one() -> None:
    assert auto_gain(np.zeros((2, 2, 3), dtype=np.float32)) == 1.0
    assert auto_gain(np.full((2, 2, 3), 1e-9, dtype=np.float32)) == MAX_GAIN


@pytest.mark.parametrize("width", [1, 5, 7, 8])
def test_qimage_keeps_every_pixel_at_any_width(width: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, width, 3), dtype=np.uint8)
    image = to_qimage(pixels)
    got = [[image.pixelColor(x, y).getRgb()[:3] for x in range(width)] for y in range(3)]
    assert np.array_equal(np.array(got), pixels)


def test_small_images_are_enlarged_with_their_pixels_visible() -> None:
    pixels = np.zeros((2, 2, 3), dtype=np.uint8)
    pixels[0, 0] = 255
    thumbnail = to_thumbnail(pixels, 96)
    assert thumbnail.pixelColor(47, 47).red() == 255
    assert thumbnail.pixelColor(49, 49).red() == 0
