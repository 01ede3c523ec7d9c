"""Strength and JPEG: the ends are exact, and JPEG is what Pillow really writes."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import Canceled, DataError
from pgn_studio.core.evaluation.batch import to_8bit, to_uint8
from pgn_studio.core.evaluation.compression import ALPHAS, JPEG_QUALITIES, jpeg, measure_variants
from pgn_studio.core.evaluation.evaluate import evaluate
from tests.core.evaluation.samples import ArraySplit, Shift, make_classifier, make_pgn, make_split

CPU = torch.device("cpu")


@pytest.mark.parametrize("input_space", ["pixel", "normalized"])
def test_strength_0_is_clean_and_1_is_the_evaluation(input_space: str) -> None:
    pgn = make_pgn(Shift(red=0.04, noise=0.2), input_space=input_space)
    classifier, split = make_classifier(), make_split(50)
    found = measure_variants(pgn, classifier, split, batch_size=16)
    image = evaluate(pgn, classifier, split, split_name="test", dataset_name="", batch_size=16).per_image
    zero, one = ALPHAS.index(0.0), ALPHAS.index(1.0)
    assert (found.strength[zero] == image.clean_prediction).all()
    assert (found.strength_8bit[zero] == image.clean_prediction).all()
    assert (found.strength[one] == image.perturbed_prediction).all()
    assert (found.strength_8bit[one] == image.perturbed_prediction_8bit).all()
    assert found.clean_scores.max(1) == pytest.approx(image.clean_confidence)
    assert found.perturbed_scores.max(1) == pytest.approx(image.perturbed_confidence)
    assert (found.perturbed_8bit_scores.argmax(1) == image.perturbed_prediction_8bit).all()


@pytest.mark.parametrize("input_space", ["pixel", "normalized"])
def test_strengths_between_are_x_plus_alpha_p(input_space: str) -> None:
    pgn = make_pgn(Shift(red=0.06, noise=0.3), input_space=input_space)
    classifier, split = make_classifier(), make_split(40)
    found = measure_variants(pgn, classifier, split)
    pixels = to_pixels(split.images(range(40)), CPU)
    p = pgn.perturb(pixels).perturbation_pixels
    for place, alpha in enumerate(ALPHAS):
        changed = pixels + alpha * p
        assert (found.strength[place] == classifier(changed).argmax(1).numpy()).all()
        assert (found.strength_8bit[place] == classifier(to_8bit(changed)).argmax(1).numpy()).all()
    assert len({tuple(row) for row in found.strength.tolist()}) > 3  # the strengths differ


def test_jpeg_is_pillow_s_by_hand() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3)).astype(np.uint8)
    for quality in JPEG_QUALITIES:
        stream = io.BytesIO()
        Image.fromarray(image[0]).save(stream, "JPEG", quality=quality)
        by_hand = np.asarray(Image.open(io.BytesIO(stream.getvalue())))
        assert (jpeg(image, quality)[0] == by_hand).all()
        assert (by_hand != image[0]).any()


def test_jpeg_predictions_are_those_of_the_files() -> None:
    pgn, classifier, split = make_pgn(Shift(green=0.05, noise=0.3)), make_classifier(), make_split(20)
    found = measure_variants(pgn, classifier, split, batch_size=8)
    originals = split.images(range(20))
    perturbed = to_uint8(to_8bit(pgn.perturb(to_pixels(originals, CPU)).pixels))
    for place, quality in enumerate(JPEG_QUALITIES):
        for images, said in ((originals, found.clean_jpeg), (perturbed, found.perturbed_jpeg)):
            logits = classifier(to_pixels(jpeg(images, quality), CPU))
            assert (said[place] == logits.argmax(1).numpy()).all()


def test_a_batch_is_perturbed_once_and_read_once() -> None:
    class Counting(Shift):
        calls = 0

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return super().forward(pixels)

    generator, split, seen = Counting(red=0.1), make_split(20), []
    measure_variants(
        make_pgn(generator), make_classifier(), split, batch_size=8,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert (generator.calls, split.calls) == (3, 3)
    assert seen == [(8, 20), (16, 20), (20, 20)]


def test_cancel_passes_through_and_an_empty_split_is_refused() -> None:
    def cancel(_done: int, _total: int) -> None:
        raise Canceled

    with pytest.raises(Canceled):
        measure_variants(make_pgn(Shift()), make_classifier(), make_split(), progress=cancel)
    empty = ArraySplit(np.zeros((0, 8, 8, 3), np.uint8), [])
    with pytest.raises(DataError, match="no images"):
        measure_variants(make_pgn(Shift()), make_classifier(), empty)
