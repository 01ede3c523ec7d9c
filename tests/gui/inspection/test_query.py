"""Filter, counts and order against plain Python over the same arrays."""

from __future__ import annotations

import pytest

from pgn_studio.gui.gallery.query import GalleryQuery, Outcome, SortKey, run_query, sort_values
from tests.gui.inspection.studies import CLASSES, COUNT, Study


def test_counts_are_the_evaluation_s(study: Study) -> None:
    counts = run_query(study.per_image, study.dataset.test.names, GalleryQuery()).counts
    assert counts[None] == COUNT
    assert counts[Outcome.FIXED] == study.evaluation.metrics.fixed > 0
    assert counts[Outcome.BROKEN] == study.evaluation.metrics.broken > 0
    assert sum(counts[outcome] for outcome in Outcome) == COUNT


@pytest.mark.parametrize("outcome", list(Outcome))
def test_outcome_filter_agrees_with_per_image(study: Study, outcome: Outcome) -> None:
    shown = run_query(study.per_image, study.dataset.test.names, GalleryQuery(outcome=outcome)).indices
    expected = [i for i, name in enumerate(study.per_image.outcome) if name == outcome.value]
    assert shown.tolist() == expected


def test_class_and_text_narrow_the_counts_too(study: Study) -> None:
    names = study.dataset.test.names
    result = run_query(study.per_image, names, GalleryQuery(label=1, text="IMAGE00"))
    expected = [i for i in range(10) if study.per_image.labels[i] == 1]
    assert result.indices.tolist() == expected
    assert result.counts[None] == len(expected)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("key", list(SortKey))
def test_sort_order(study: Study, key: SortKey, descending: bool) -> None:
    query = GalleryQuery(sort=key, descending=descending)
    shown = run_query(study.per_image, study.dataset.test.names, query).indices.tolist()
    values = sort_values(study.per_image, key)
    assert sorted(shown) == list(range(COUNT))
    ordered = [values[i] for i in shown]
    assert ordered == sorted(ordered, reverse=descending)


def test_confidence_gain_is_that_of_the_true_class(study: Study) -> None:
    gains = sort_values(study.per_image, SortKey.CONFIDENCE_GAIN)
    greens = study.per_image.labels == CLASSES.index("green")
    assert (gains[greens] > 0).all()
    assert (gains[~greens] < 0).all()
