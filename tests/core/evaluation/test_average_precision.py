"""Average precision in one pass: exact for few images, nearly so for many, in memory that stands still."""

from __future__ import annotations

import numpy as np
import pytest

from pgn_studio.core.evaluation import average_precision
from pgn_studio.core.evaluation.average_precision import RankedScores
from pgn_studio.core.evaluation.metrics import macro_average_precision


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
    monkeypatch.setattr(average_precision, "_MOST_SCORES", 100)
    expected = macro_average_precision(scores, labels)
    assert 0.4 < expected < 0.99
    assert filled(scores, labels).macro_average_precision() == pytest.approx(expected, abs=5e-4)


def test_memory_does_not_grow_with_the_images() -> None:
    sizes = []
    for images in (1_000_000, 100_000_000):
        ranked = RankedScores(images, 10)
        sizes.append(sum(value.nbytes for value in vars(ranked).values() if isinstance(value, np.ndarray)))
    assert sizes[0] == sizes[1] < 2**20
