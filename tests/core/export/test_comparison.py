"""One image under several PGNs and baselines: order, strength, and PGNs that do not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pgn_studio.core.errors import PgnFileError
from pgn_studio.core.export.comparison import (
    DIFFERENCE,
    Beside,
    baselines_beside,
    check_comparable,
    columns_beside,
    trained_baseline,
)
from pgn_studio.core.export.comparison_figure import export_strip
from pgn_studio.core.export.triptych import triptych_rows
from tests.core.evaluation.samples import make_classifier, make_dial, make_split
from tests.gui.inspection.studies import ArraySplit, Study, make_study


@pytest.fixture(scope="module")
def study() -> Study:
    return make_study(0.15)


def test_columns_rise_with_gamma_and_baselines_have_the_same_strength(study: Study, tmp_path: Path) -> None:
    other = make_study(0.05).pgn
    other.gamma = 30.0
    split = study.dataset.test
    columns = columns_beside(study.pgn, study.classifier, split, 3, Beside((other,)))
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


def test_one_pgn_at_several_gamma_makes_a_row(tmp_path: Path) -> None:
    dial, classifier, split = make_dial(told="probabilities"), make_classifier(), make_split(4)
    others = tuple(dial.at(gamma) for gamma in (30.0, 3.0))
    columns = columns_beside(dial.at(0.3), classifier, split, 1, Beside(others, baselines=()))
    assert [title for title, _row in columns] == ["γ 0.3", "γ 3", "γ 30"]
    for title, row in columns:
        (alone,) = triptych_rows(dial.at(float(title[2:])), classifier, split, [1])
        np.testing.assert_allclose(row.perturbation, alone.perturbation, atol=1e-6)
    export_strip(tmp_path / "strip.png", columns)


def test_a_pgn_of_another_data_set_is_refused(study: Study) -> None:
    other = make_study(0.05).pgn
    other.info = replace(other.info, classes=("a", "b"))
    with pytest.raises(PgnFileError, match="2 classes"):
        columns_beside(study.pgn, study.classifier, study.dataset.test, 0, Beside((other,)))


def test_the_difference_of_two_pgns_has_a_column(study: Study, tmp_path: Path) -> None:
    other = make_study(0.05).pgn
    columns = columns_beside(
        study.pgn,
        study.classifier,
        study.dataset.test,
        3,
        Beside(against=other, baselines=("random-sign", "fgsm-oracle")),
    )
    titles = [title for title, _row in columns]
    assert titles == ["γ 1 (this)", "γ 1 (other)", DIFFERENCE, "Random signs", "FGSM (oracle)"]
    row = dict(columns)[DIFFERENCE]
    assert row.difference
    assert row.perturbation[..., 1] == pytest.approx(0.10)
    assert row.perturbation[..., 0] == pytest.approx(0)
    export_strip(tmp_path / "strip.svg", columns)
    text = (tmp_path / "strip.svg").read_text(encoding="utf-8")
    assert text.count("<image") == 3 * 5 - 2  # of the difference only the perturbation


def test_a_pgn_of_another_input_space_has_no_difference(study: Study) -> None:
    other = make_study(0.05).pgn
    other.info = replace(other.info, input_space="normalized")
    with pytest.raises(PgnFileError, match="normalized space"):
        check_comparable(study.pgn, other)
    columns = columns_beside(study.pgn, study.classifier, study.dataset.test, 3, Beside((other,)))
    assert len(columns) == 4  # beside each other they may stand


def test_a_classifier_without_gradients_to_speak_of_gets_no_step(study: Study) -> None:
    flat = make_study().classifier
    flat.net.last.weight.data.zero_()  # type: ignore[union-attr]
    columns = columns_beside(study.pgn, flat, study.dataset.test, 3, Beside(baselines=("fgsm",)))
    assert np.all(dict(columns)["FGSM"].perturbation == 0)


def test_a_universal_perturbation_is_trained_for_attacks_alone(study: Study) -> None:
    assert baselines_beside(study.pgn, study.classifier) == [
        "random-sign",
        "fgsm",
        "white-box",
        "fgsm-oracle",
        "pgd-oracle",
    ]
    attack = make_study().pgn
    settings = {**attack.info.settings, "problem": "adversarial"}
    attack.info = replace(attack.info, problem="adversarial", settings=settings)
    assert "uap" in baselines_beside(attack, study.classifier)

    class Data:
        image_size = study.dataset.image_size

        def split(self, _name: str) -> ArraySplit:
            return study.dataset.test

    made = trained_baseline("uap", attack, study.classifier, Data())  # type: ignore[arg-type]
    beside = Beside(baselines=("uap",), made={"uap": made})
    rows = dict(columns_beside(attack, study.classifier, study.dataset.test, 3, beside))
    assert rows["UAP"].rms == pytest.approx(rows["γ 1 (this)"].rms, rel=1e-3)
    again = dict(columns_beside(attack, study.classifier, study.dataset.test, 4, beside))
    assert np.allclose(rows["UAP"].perturbation, again["UAP"].perturbation, atol=1e-6)  # one for all images
