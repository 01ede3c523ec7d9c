"""A single file is read as the data set that the PGN was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pgn_studio.core.errors import ClassifierError, DataError
from pgn_studio.core.evaluation.single import perturb_file
from tests.core.evaluation.samples import SIZE, Shift, make_classifier, make_pgn


@pytest.mark.parametrize(("data_range", "shown"), [(None, 8), (4095.0, 128)])
def test_the_scale_of_brightness_is_the_data_sets(
    tmp_path: Path, data_range: float | None, shown: int
) -> None:
    Image.fromarray(np.full((SIZE, SIZE), 2056, np.uint16)).save(tmp_path / "a.png")
    pgn = make_pgn(Shift(red=0.1))
    pgn.info = replace(pgn.info, settings={**pgn.info.settings, "data_range": data_range})
    image = perturb_file(pgn, make_classifier(), tmp_path / "a.png")
    assert (image.original == shown).all()
    assert image.perturbed[0, 0, 0] > shown


def test_a_file_that_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match="no readable image"):
        perturb_file(make_pgn(Shift()), make_classifier(), tmp_path / "a.png")


def test_scores_that_are_not_finite_are_refused_with_the_files_name(tmp_path: Path) -> None:
    Image.fromarray(np.full((SIZE, SIZE, 3), 90, np.uint8)).save(tmp_path / "blank.png")
    classifier = make_classifier()
    classifier.net.register_forward_hook(lambda _net, _given, logits: logits * torch.nan)
    with pytest.raises(ClassifierError, match=r"blank\.png.*not finite"):
        perturb_file(make_pgn(Shift(red=0.1)), classifier, tmp_path / "blank.png")
