"""Filter, counts and order against plain Python over the same arrays."""

from __future__ import annotations

import numpy as np
import pytest

from pgn_studio.core.errors import ConfigError
from pgn_studio.core.evaluation.evaluate import PerImage
from pgn_studio.core.evaluation.selection import (
    MEASURES,
    Outcome,
    Range,
    Selection,
    SortKey,
    Versus,
    parse_range,
    select,
    values_of,
)
from tests.studies import CLASSES, COUNT, Study, make_study


@pytest.fixture(scope="module")
def study() -> Study:
    return make_study()


def test_counts_are_the_evaluation_s(study: Study) -> None:
    counts = select(study.per_image, study.dataset.test.names, Selection()).counts
    assert counts[None] == COUNT
    assert counts[Outcome.FIXED] == study.evaluation.metrics.fixed > 0
    assert counts[Outcome.BROKEN] == study.evaluation.metrics.broken > 0
    assert sum(counts[outcome] for outcome in Outcome) == COUNT


@pytest.mark.parametrize("outcome", list(Outcome))
def test_outcome_filter_agrees_with_per_image(study: Study, outcome: Outcome) -> None:
    shown = select(study.per_image, study.dataset.test.names, Selection(outcome=outcome)).indices
    expected = [i for i, name in enumerate(study.per_image.outcome) if name == outcome.value]
    assert shown.tolist() == expected


def test_class_and_text_narrow_the_counts_too(study: Study) -> None:
    names = study.dataset.test.names
    result = select(study.per_image, names, Selection(label=1, text="IMAGE00"))
    expected = [i for i in range(10) if study.per_image.labels[i] == 1]
    assert result.indices.tolist() == expected
    assert result.counts[None] == len(expected)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("key", [key for key in SortKey if key is not SortKey.NAME])
def test_sort_order(study: Study, key: SortKey, descending: bool) -> None:
    query = Selection(sort=key, descending=descending)
    shown = select(study.per_image, study.dataset.test.names, query).indices.tolist()
    values = values_of(study.per_image, key)
    assert sorted(shown) == list(range(COUNT))
    ordered = [values[i] for i in shown]
    assert ordered == sorted(ordered, reverse=descending)


def test_confidence_gain_is_that_of_the_true_class(study: Study) -> None:
    gains = values_of(study.per_image, SortKey.CONFIDENCE_GAIN)
    greens = study.per_image.labels == CLASSES.index("green")
    assert (gains[greens] > 0).all()
    assert (gains[~greens] < 0).all()


@pytest.mark.parametrize("descending", [False, True])
def test_names_sort_as_text(study: Study, descending: bool) -> None:
    names = study.dataset.test.names
    shown = select(study.per_image, names, Selection(sort=SortKey.NAME, descending=descending)).indices
    assert [names[i] for i in shown] == sorted(names, reverse=descending)


def test_predicted_classes_filter(study: Study) -> None:
    image, names = study.per_image, study.dataset.test.names
    result = select(image, names, Selection(before=0, after=1))
    expected = [
        i for i in range(COUNT) if image.clean_prediction[i] == 0 and image.perturbed_prediction[i] == 1
    ]
    assert result.indices.tolist() == expected
    assert 0 < len(expected) < COUNT
    assert result.counts[None] == sum(result.counts[outcome] for outcome in Outcome) == len(expected)


@pytest.mark.parametrize("measure", MEASURES)
def test_ranges_include_their_ends(study: Study, measure: SortKey) -> None:
    values = values_of(study.per_image, measure)
    low, high = np.sort(values)[[5, 30]]
    shown = select(
        study.per_image, study.dataset.test.names, Selection(ranges=(Range(measure, low, high),))
    ).indices
    assert shown.tolist() == [i for i in range(COUNT) if low <= values[i] <= high]
    assert len(shown) >= 26


def test_margins_say_who_is_right(study: Study) -> None:
    image = study.per_image
    right = image.clean_prediction == image.labels
    assert ((image.clean_margin > 0) == right).all()
    surer = image.clean_confidence[~right] - image.clean_true_probability[~right]
    assert image.clean_margin[~right] == pytest.approx(-surer, abs=1e-6)


def test_an_unknown_confidence_is_in_no_range(study: Study) -> None:
    from dataclasses import replace

    blind = replace(study.per_image, perturbed_true_probability=np.full(COUNT, np.nan, dtype=np.float32))
    chosen = Selection(ranges=(Range(SortKey.CONFIDENCE_AFTER, None, 1.0),))
    assert len(select(blind, study.dataset.test.names, chosen).indices) == 0


@pytest.mark.parametrize("text", ["l2=0.5..2", "margin-after=..0", "confidence-before=0.9.."])
def test_ranges_are_read_as_they_are_written(text: str) -> None:
    assert str(parse_range(text)) == text


@pytest.mark.parametrize("text", ["", "l2", "l2=3", "l3=1..2", "l2=a..b", "class=1..2", "l2=nan..1"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"MEASURE=LOW\.\.HIGH"):
        parse_range(text)


@pytest.mark.parametrize(
    ("versus", "expected"),
    [
        (Versus.FIXED_HERE, [1]),
        (Versus.FIXED_THERE, [3]),
        (Versus.BROKEN_HERE, [5]),
        (Versus.BROKEN_THERE, [7]),
        (Versus.DIFFERENT, [1, 3, 5, 7, 8]),
    ],
)
def test_against_another_pgn(versus: Versus, expected: list[int]) -> None:
    """Class 0 is the true one; 9 images of every kind there is, and one that both take wrongly."""
    clean = np.array([1, 1, 1, 1, 0, 0, 0, 0, 1])
    here = np.array([0, 0, 1, 1, 0, 1, 1, 0, 1])
    there = np.array([0, 1, 1, 0, 0, 0, 1, 1, 2])
    number = len(clean)
    blank = np.zeros(number, dtype=np.float32)
    floats = dict.fromkeys(
        ("clean_true_probability", "perturbed_true_probability", "clean_margin", "perturbed_margin",
         "l2", "linf"), blank,
    )  # fmt: skip
    one, other = (
        PerImage(np.zeros(number, dtype=np.int64), clean, said, said, **floats, values=192)
        for said in (here, there)
    )
    names = [str(k) for k in range(number)]
    found = select(one, names, Selection(versus=versus), other)
    assert found.indices.tolist() == expected
    assert found.counts[None] == len(expected)
    assert Selection(versus=versus).narrows
    assert len(select(one, names, Selection(versus=versus)).indices) == number  # nothing to compare with
