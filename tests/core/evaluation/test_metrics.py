"""Each metric against an independent computation of a few lines."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pgn_studio.core.evaluation import metrics


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_accuracy_counts_equal_labels() -> None:
    assert metrics.accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])) == 0.75


def _average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """Mean, over the positives, of the precision among all that score at least as high."""
    ranks = [(scores >= score) for score in scores[positive]]
    return float(np.mean([positive[rank].mean() for rank in ranks]))


def test_macro_average_precision_is_the_mean_over_classes(rng: np.random.Generator) -> None:
    scores = rng.random((60, 4)).astype(np.float32)
    labels = rng.integers(0, 4, 60)
    expected = np.mean([_average_precision(scores[:, k], labels == k) for k in range(4)])
    assert metrics.macro_average_precision(scores, labels) == pytest.approx(expected)


def test_macro_average_precision_leaves_absent_classes_out(rng: np.random.Generator) -> None:
    scores = rng.random((40, 5)).astype(np.float32)
    labels = rng.choice([1, 3], 40)
    expected = np.mean([_average_precision(scores[:, k], labels == k) for k in (1, 3)])
    assert metrics.macro_average_precision(scores, labels) == pytest.approx(expected)


def test_macro_average_precision_of_perfect_scores_and_of_one_class() -> None:
    labels = np.array([0, 1, 2, 1])
    assert metrics.macro_average_precision(np.eye(3, dtype=np.float32)[labels], labels) == 1.0
    assert metrics.macro_average_precision(np.ones((2, 3), np.float32), np.array([2, 2])) == 1.0


def test_fixed_and_broken_count_one_way_each(rng: np.random.Generator) -> None:
    before, after = rng.random(50) < 0.5, rng.random(50) < 0.5
    pairs = list(zip(before.tolist(), after.tolist(), strict=True))
    assert metrics.fixed_and_broken(before, after) == (pairs.count((False, True)), pairs.count((True, False)))


@pytest.mark.parametrize(("fixed", "broken"), [(10, 2), (2, 10), (5, 5), (0, 1), (0, 12), (40, 25)])
def test_mcnemar_p_is_the_exact_binomial_tail_doubled(fixed: int, broken: int) -> None:
    n = fixed + broken
    tail = sum(math.comb(n, k) for k in range(min(fixed, broken) + 1)) / 2**n
    assert metrics.mcnemar_p(fixed, broken) == pytest.approx(min(1.0, 2 * tail))


def test_mcnemar_p_is_1_where_nothing_flipped() -> None:
    assert metrics.mcnemar_p(0, 0) == 1.0


def test_fooling_rate_counts_changes_among_wrong_classes_too() -> None:
    assert metrics.fooling_rate(np.array([0, 1, 2, 0]), np.array([0, 2, 1, 1])) == 0.75


def test_attack_success_is_undefined_where_nothing_was_right() -> None:
    assert metrics.attack_success(3, 12) == 0.25
    assert metrics.attack_success(0, 0) is None
