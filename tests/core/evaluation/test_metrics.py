"""Each metric against an independent computation of a few lines."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pgn_studio.core.evaluation import metrics
from pgn_studio.core.evaluation.metrics import RankedScores, macro_average_precision


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


def some_scores(count: int, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    labels = random.integers(0, classes - 1, count)  # the last class has no image
    logits = random.normal(size=(count, classes)) * 3
    logits[np.arange(count), labels] += 3
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return (powers / powers.sum(1, keepdims=True)).astype(np.float32), labels


def filled(scores: np.ndarray, labels: np.ndarray) -> RankedScores:
    ranked = RankedScores(*scores.shape)
    for start in range(0, len(labels), 64):
        ranked.add(scores[start : start + 64], labels[start : start + 64])
    return ranked


def test_few_images_are_ranked_exactly() -> None:
    scores, labels = some_scores(300)
    assert filled(scores, labels).macro_average_precision() == macro_average_precision(scores, labels)


def test_many_images_are_ranked_in_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, labels = some_scores(3000)
    scores[:3] = np.eye(5, dtype=np.float32)[labels[:3]]  # certainty: log odds without end
    monkeypatch.setattr(metrics, "_MOST_SCORES", 100)
    expected = macro_average_precision(scores, labels)
    assert 0.4 < expected < 0.99
    assert filled(scores, labels).macro_average_precision() == pytest.approx(expected, abs=5e-4)


def test_memory_does_not_grow_with_the_images() -> None:
    sizes = []
    for images in (1_000_000, 100_000_000):
        ranked = RankedScores(images, 10)
        sizes.append(sum(value.nbytes for value in vars(ranked).values() if isinstance(value, np.ndarray)))
    assert sizes[0] == sizes[1] < 2**20
