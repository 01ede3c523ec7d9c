"""x + αp along α: the answers at 0 and 1, and where they change, against a closed form."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import Canceled
from pgn_studio.core.evaluation.batch import classify_batch
from pgn_studio.core.evaluation.strength import perturbed_at, strength_curve
from tests.studies import Study, make_study

GRID = np.linspace(0.0, 3.0, 61).round(6)
RED, GREEN = 0, 1


@pytest.fixture(scope="module")
def study() -> Study:
    """f names the channel with the largest mean; G adds 0.15 to green everywhere."""
    return make_study(0.15)


def image(red: int, green: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    pixels[..., RED], pixels[..., GREEN] = red, green
    return pixels


def test_the_flip_is_where_the_arithmetic_says(study: Study) -> None:
    """Red is ahead by 51/255 = 0.2 and green gains 0.15 α: they change places at α = 4/3."""
    curve = strength_curve(study.pgn, study.classifier, image(151, 100), alphas=GRID)
    assert [(flip.before, flip.after) for flip in curve.flips] == [(RED, GREEN)]
    assert curve.flips[0].alpha == pytest.approx(4 / 3, abs=0.001)
    coarse = strength_curve(study.pgn, study.classifier, image(151, 100), alphas=GRID, refine=False)
    assert coarse.flips[0].alpha == pytest.approx(1.35)  # the first point of the grid behind it


def test_an_answer_that_never_changes_has_no_flip(study: Study) -> None:
    curve = strength_curve(study.pgn, study.classifier, image(0, 200), alphas=GRID)
    assert curve.flips == ()
    assert (curve.probabilities.argmax(1) == GREEN).all()


def test_ends_are_the_evaluation_s_own(study: Study) -> None:
    pixels = study.dataset.test.images([5])
    batch = classify_batch(study.pgn, study.classifier, to_pixels(pixels, torch.device("cpu")))
    curve = strength_curve(study.pgn, study.classifier, pixels[0], alphas=GRID)
    assert np.array_equal(curve.row(0.0), batch.clean[0].numpy())
    assert np.array_equal(curve.row(1.0), batch.perturbed[0].numpy())
    assert curve.probabilities.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (np.diff(curve.probabilities[:, GREEN]) > -1e-6).all()  # more green, surer of green


def test_it_can_be_canceled_between_strengths(study: Study) -> None:
    reports: Iterator[int] = iter(range(100))

    def cancel(_done: int, _total: int) -> None:
        if next(reports) == 2:
            raise Canceled

    with pytest.raises(Canceled):
        strength_curve(study.pgn, study.classifier, image(1, 2), alphas=GRID, progress=cancel)
    assert next(reports) == 3


def test_perturbed_at_clips_and_rounds() -> None:
    original = np.array([[[0, 100, 250]]], dtype=np.uint8)
    p = np.array([[[-0.1, 0.1, 0.1]]], dtype=np.float32)
    assert perturbed_at(original, p, 0.0).tolist() == original.tolist()
    assert perturbed_at(original, p, 1.0).tolist() == [[[0, 126, 255]]]
    assert perturbed_at(original, p, 0.5).tolist() == [[[0, 113, 255]]]
