"""One image under several PGNs and baselines: order, strength, and PGNs that do not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pgn_studio.core.errors import PgnFileError
from pgn_studio.core.export.beside import columns_beside
from pgn_studio.core.export.strip import export_strip
from tests.gui.inspection.studies import Study, make_study


@pytest.fixture(scope="module")
def study() -> Study:
    return make_study(0.15)


def test_columns_rise_with_gamma_and_baselines_have_the_same_strength(study: Study, tmp_path: Path) -> None:
    other = make_study(0.05).pgn
    other.info = replace(other.info, gamma=30.0)
    split = study.dataset.test
    columns = columns_beside(study.pgn, study.classifier, split, 3, [other])
    titles = [title for title, _row in columns]
    assert titles == ["γ 1 (this)", "γ 30", "Random signs", "FGSM"]
    rows = dict(columns)
    assert rows["γ 30"].perturbation[..., 1] == pytest.approx(0.05)
    for name in ("Random signs", "FGSM"):
        assert rows[name].rms == pytest.approx(rows["γ 1 (this)"].rms, rel=0.02)
        assert len(np.unique(np.abs(rows[name].perturbation).round(4))) == 1  # a sign in each value
    assert all(np.array_equal(row.original, split.pixels[3]) for row in rows.values())
    export_strip(tmp_path / "strip.png", columns)
    assert (tmp_path / "strip.png").stat().st_size > 1000


def test_a_pgn_of_another_data_set_is_refused(study: Study) -> None:
    other = make_study(0.05).pgn
    other.info = replace(other.info, classes=("a", "b"))
    with pytest.raises(PgnFileError, match="2 classes"):
        columns_beside(study.pgn, study.classifier, study.dataset.test, 0, [other])
