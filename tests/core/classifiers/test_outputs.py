from __future__ import annotations

import pytest
import torch

from pgn_studio.core.classifiers.outputs import (
    PERCENTAGES,
    PROBABILITIES,
    are_probabilities,
    are_sorted,
    log_probabilities,
    look_like_sigmoids,
    probabilities_as,
    scores_among,
    squeezed,
)
from pgn_studio.core.errors import ClassifierError

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])


def test_probabilities_are_known_by_all_rows() -> None:
    assert are_probabilities(LOGITS.softmax(1))
    assert are_probabilities((LOGITS.softmax(1) * 100).round() / 100)
    assert not are_probabilities(LOGITS)
    assert not are_probabilities(LOGITS.log_softmax(1))
    assert not are_probabilities(torch.stack([LOGITS.softmax(1)[0], LOGITS[1]]))
    assert look_like_sigmoids(LOGITS.sigmoid())
    assert not look_like_sigmoids(LOGITS.softmax(1))


def test_logarithms_give_the_probabilities_back_and_stay_finite() -> None:
    probabilities = torch.tensor([[1.0, 0.0], [1e-20, 1.0]], requires_grad=True)
    logits = log_probabilities(probabilities)
    torch.testing.assert_close(logits.softmax(1), probabilities)
    logits.sum().backward()
    assert probabilities.grad is not None
    assert torch.isfinite(probabilities.grad).all()
    assert probabilities.grad[1, 0] > 0


def test_the_only_output_of_that_shape_is_taken() -> None:
    outputs = {"features": torch.rand(2, 8), "maps": torch.rand(2, 3, 4, 4), "x": LOGITS[:, :, None, None]}
    assert scores_among(outputs, 2, 3, name="f") == "x"
    assert squeezed(outputs["x"]).shape == (2, 3)
    assert scores_among({"a": LOGITS.softmax(1), "b": LOGITS}, 2, 3, name="f") == "b"
    with pytest.raises(ClassifierError, match=r"gives features \(2, 8\), maps \(2, 3, 4, 4\)"):
        scores_among({name: outputs[name] for name in ("features", "maps")}, 2, 3, name="f")
    with pytest.raises(ClassifierError, match=r"expected to give \(2, 4\) logits.*gives \(2, 3\)"):
        scores_among({"output": LOGITS}, 2, 4, name="f")


def test_percentages_are_probabilities_too() -> None:
    soft = LOGITS.softmax(1)
    assert probabilities_as(soft) == PROBABILITIES
    assert probabilities_as((100 * soft).round()) == probabilities_as(100 * soft) == PERCENTAGES
    assert probabilities_as(LOGITS) == probabilities_as(50 * soft) == ""
    torch.testing.assert_close(log_probabilities(100 * soft).softmax(1), soft)


def test_sorted_scores_are_told_from_those_of_classes() -> None:
    rows = torch.randn(6, 10, generator=torch.Generator().manual_seed(0))
    falling = rows.sort(1, descending=True).values
    assert are_sorted(falling)
    assert are_sorted(falling.softmax(1))
    assert are_sorted(rows.sort(1).values)
    assert not are_sorted(rows)
    assert not are_sorted(torch.cat([falling, rows[:1]]))
    assert not are_sorted(falling[:1].expand(6, -1))  # the same for all says nothing of an order
    assert not are_sorted(torch.tensor([[1.0, 0, 0, 0, 0, 0], [0.9, 0.1, 0, 0, 0, 0]]))
    assert not are_sorted(falling[:, :3])  # as a classifier by chance does that sees one class
