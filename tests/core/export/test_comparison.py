"""One image under several PGNs and baselines: order, strength, and PGNs that do not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pgn_studio.core.errors import PgnFileError
from pgn_studio.core.export.comparison import (
    DIFFERENCE,
    Compared,
    check_comparable,
    comparison_columns,
    possible_baselines,
    trained_baseline,
)
from pgn_studio.core.export.comparison_figure import export_comparison
from pgn_studio.core.export.triptych import triptych_rows
from tests.core.evaluation.samples import make_classifier, make_dial, make_split
from tests.studies import ArraySplit, Study, make_study


@pytest.fixture(scope="module")
def study() -> Study:
    return make_study(0.15)


def test_columns_rise_with_gamma_and_baselines_have_the_same_strength(study: Study, tmp_path: Path) -> None:
    other = make_study(0.05).pgn
    other.gamma = 30.0
    split = study.dataset.test
    columns = comparison_columns(study.pgn, study.classifier, split, 3, Compared((other,)))
    titles = [title for title, _row in columns]
    assert titles == ["γ 1 (this)", "γ 30", "Random signs", "FGSM"]
    rows = dict(columns)
    assert rows["γ 30"].perturbation[..., 1] == pytest.approx(0.05)
    for name in ("Random signs", "FGSM"):
        assert rows[name].rms == pytest.approx(rows["γ 1 (this)"].rms, rel=0.02)
        assert len(np.unique(np.abs(rows[name].perturbation).round(4))) == 1  # a sign in each value
    assert all(np.array_equal(row.original, split.pixels[3]) for row in rows.values())
    export_comparison(tmp_path / "comparison.png", columns)
    assert (tmp_path / "comparison.png").stat().st_size > 1000


def test_one_pgn_at_several_gamma_makes_a_row(tmp_path: Path) -> None:
    dial, classifier, split = make_dial(told="probabilities"), make_classifier(), make_split(4)
    others = tuple(dial.at(gamma) for gamma in (30.0, 3.0))
    columns = comparison_columns(dial.at(0.3), classifier, split, 1, Compared(others, baselines=()))
    assert [title for title, _row in columns] == ["γ 0.3", "γ 3", "γ 30"]
    for title, row in columns:
        (alone,) = triptych_rows(dial.at(float(title[2:])), classifier, split, [1])
        np.testing.assert_allclose(row.perturbation, alone.perturbation, atol=1e-6)
    export_comparison(tmp_path / "comparison.png", columns)


def test_a_pgn_of_another_data_set_is_refused(study: Study) -> None:
    other = make_study(0.05).pgn
    other.info = replace(other.info, classes=("a", "b"))
    with pytest.raises(PgnFileError, match="2 classes"):
        comparison_columns(study.pgn, study.classifier, study.dataset.test, 0, Compared((other,)))


def test_the_difference_of_two_pgns_has_a_column(study: Study, tmp_path: Path) -> None:
    other = make_study(0.05).pgn
    columns = comparison_columns(
        study.pgn,
        study.classifier,
        study.dataset.test,
        3,
        Compared(against=other, baselines=("random-sign", "fgsm-oracle")),
    )
    titles = [title for title, _row in columns]
    assert titles == ["γ 1 (this)", "γ 1 (other)", DIFFERENCE, "Random signs", "FGSM (oracle)"]
    row = dict(columns)[DIFFERENCE]
    assert row.difference
    assert row.perturbation[..., 1] == pytest.approx(0.10)
    assert row.perturbation[..., 0] == pytest.approx(0)
    export_comparison(tmp_path / "comparison.svg", columns)
    text = (tmp_path / "comparison.svg").read_text(encoding="utf-8")
    assert text.count("<image") == 3 * 5 - 2  # of the difference only the perturbation


def test_a_pgn_of_another_input_space_has_no_difference(study: Study) -> None:
    other = make_study(0.05).pgn
    other.info = replace(other.info, input_space="normalized")
    with pytest.raises(PgnFileError, match="normalized space"):
        check_comparable(study.pgn, other)
    columns = comparison_columns(study.pgn, study.classifier, study.dataset.test, 3, Compared((other,)))
    assert len(columns) == 4  # next to each other they may stand


def test_a_classifier_without_gradients_to_speak_of_gets_no_step(study: Study) -> None:
    flat = make_study().classifier
    flat.net.last.weight.data.zero_()  # type: ignore[union-attr]
    columns = comparison_columns(study.pgn, flat, study.dataset.test, 3, Compared(baselines=("fgsm",)))
    assert np.all(dict(columns)["FGSM"].perturbation == 0)


def test_a_universal_perturbation_is_trained_for_attacks_alone(study: Study) -> None:
    assert possible_baselines(study.pgn, study.classifier) == [
        "random-sign",
        "fgsm",
        "white-box",
        "fgsm-oracle",
        "pgd-oracle",
    ]
    attack = make_study().pgn
    settings = {**attack.info.settings, "problem": "adversarial"}
    attack.info = replace(attack.info, problem="adversarial", settings=settings)
    assert "uap" in possible_baselines(attack, study.classifier)

    class Data:
        image_size = study.dataset.image_size

        def split(self, _name: str) -> ArraySplit:
            return study.dataset.test

    made = trained_baseline("uap", attack, study.classifier, Data())  # type: ignore[arg-type]
    compared = Compared(baselines=("uap",), made={"uap": made})
    rows = dict(comparison_columns(attack, study.classifier, study.dataset.test, 3, compared))
    assert rows["UAP"].rms == pytest.approx(rows["γ 1 (this)"].rms, rel=1e-3)
    again = dict(comparison_columns(attack, study.classifier, study.dataset.test, 4, compared))
    assert np.allclose(rows["UAP"].perturbation, again["UAP"].perturbation, atol=1e-6)  # one for all images
