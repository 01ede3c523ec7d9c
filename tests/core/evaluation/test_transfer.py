from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import ClassifierError, DataError, PgnFileError
from pgn_studio.core.evaluation.batch import to_8bit
from pgn_studio.core.evaluation.evaluate import evaluate
from pgn_studio.core.evaluation.transfer import measure_transfer, with_its_classifier
from tests.core.evaluation.samples import (
    ArraySplit,
    BrightestChannel,
    Shift,
    make_classifier,
    make_dial,
    make_pgn,
    make_split,
)

CPU = torch.device("cpu")


class Darkest(BrightestChannel):
    def forward(self, normalized: torch.Tensor) -> torch.Tensor:
        return -super().forward(normalized)


def test_matrix_has_a_row_for_each_pgn_and_a_column_for_each_classifier() -> None:
    pgns = [
        ("red", make_pgn(Shift(red=0.1))),
        ("green", make_pgn(Shift(green=0.1), input_space="normalized")),
    ]
    own = make_classifier()
    other = Classifier(Darkest(), replace(own.info, image_size=16))
    split = make_split(30)
    found = measure_transfer(pgns, [("own", own), ("other", other)], split, batch_size=8, device=CPU)
    assert found.pgns == ("red", "green")
    assert found.classifiers == ("own", "other")
    assert found.clean.shape == (2, 30)
    assert found.perturbed_8bit.shape == (2, 2, 30)
    for row, (_, pgn) in enumerate(pgns):
        image = evaluate(pgn, own, split, split_name="", dataset_name="").per_image
        assert (found.clean[0] == image.clean_prediction).all()
        assert (found.perturbed_8bit[row, 0] == image.perturbed_prediction_8bit).all()
    pixels = to_pixels(split.images(range(30)), CPU)
    changed = to_8bit(pgns[0][1].perturb(pixels).pixels)
    # Resizing keeps each channel's mean nearly, and with it the darkest of them.
    assert (found.perturbed_8bit[0, 1] == changed.mean((2, 3)).argmin(1).numpy()).mean() > 0.85


def test_a_told_pgn_hears_its_own_classifier_whichever_is_measured() -> None:
    own = make_classifier()
    other = Classifier(Darkest(), replace(own.info, sha256="another"))
    named, split = [("own", own), ("other", other)], make_split(12)
    pgn = make_dial(told="probabilities")
    with pytest.raises(PgnFileError, match="none was given"):
        measure_transfer([("told", pgn)], named, split, device=CPU)
    bound = with_its_classifier(pgn, named[::-1])  # by its hash, not by its place
    found = measure_transfer([("told", bound)], named, split, device=CPU)
    pixels = to_pixels(split.images(range(12)), CPU)
    shown = to_8bit(pgn.asking(own).perturb(pixels).pixels)
    assert (found.perturbed_8bit[0, 1] == other(shown).argmax(1).numpy()).all()
    assert with_its_classifier(pgn, named[1:]) is pgn


def test_what_does_not_fit_is_refused() -> None:
    pgn, own, split = ("a", make_pgn(Shift())), ("f", make_classifier()), make_split(4)
    with pytest.raises(ClassifierError, match="^g: The classifier knows 2 classes"):
        measure_transfer([pgn], [own, ("g", make_classifier(("cat", "dog")))], split, device=CPU)
    larger = make_pgn(Shift())
    larger.info = replace(larger.info, image_size=64)
    with pytest.raises(PgnFileError, match=r"other perturbs 3 classes at 64 px; expected the 3 .* at 8 px"):
        measure_transfer([pgn, ("other", larger)], [own], split, device=CPU)
    with pytest.raises(DataError, match="no images"):
        measure_transfer([pgn], [own], ArraySplit(np.zeros((0, 8, 8, 3), np.uint8), []), device=CPU)
