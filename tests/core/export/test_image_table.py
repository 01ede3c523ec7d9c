"""The list of images: order, figures, and what is not known."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.image_table import COLUMNS, export_image_table
from tests.studies import CLASSES, COUNT, Study, make_study


@pytest.fixture(scope="module")
def study() -> Study:
    return make_study()


def test_lines_are_the_images_in_order(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    export_image_table(path, study.evaluation, study.dataset.test.names, [7, 3])
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert [row["index"] for row in rows] == ["7", "3"]
    image = study.per_image
    assert rows[0]["name"] == study.dataset.test.names[7]
    assert rows[0]["label"] == CLASSES[image.labels[7]]
    assert rows[0]["outcome"] == image.outcome[7]
    assert rows[0]["perturbed_prediction"] == CLASSES[image.perturbed_prediction[7]]
    assert float(rows[0]["l2"]) == pytest.approx(float(image.l2[7]), rel=1e-5)
    assert float(rows[0]["perturbed_margin"]) == pytest.approx(float(image.perturbed_margin[7]), abs=1e-5)


def test_an_unknown_confidence_is_empty(study: Study, tmp_path: Path) -> None:
    unknown = np.full(COUNT, np.nan, dtype=np.float32)
    blind = replace(study.evaluation, per_image=replace(study.per_image, clean_true_probability=unknown))
    path = tmp_path / "list.csv"
    export_image_table(path, blind, study.dataset.test.names, [0])
    assert path.read_text().splitlines()[1].split(",")[COLUMNS.index("clean_confidence")] == ""


def test_another_suffix_is_refused(study: Study, tmp_path: Path) -> None:
    with pytest.raises(PgnStudioError, match=r"\.csv"):
        export_image_table(tmp_path / "list.xlsx", study.evaluation, study.dataset.test.names, [0])
