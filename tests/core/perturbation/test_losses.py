"""Each equation against a computation of a few lines in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pgn_studio.core.perturbation.losses import (
    discriminator_loss,
    generator_loss,
    l2_term,
    success_targets,
)

LOGITS = torch.tensor([-2.0, 0.0, 0.5, 3.0])
TARGETS = torch.tensor([0.0, 1.0, 1.0, 0.0])
OUTPUTS = [1 / (1 + math.exp(-value)) for value in LOGITS.tolist()]


@pytest.mark.parametrize(
    ("problem", "expected"), [("enhance", [1.0, 0.0, 1.0]), ("adversarial", [0.0, 1.0, 0.0])]
)
def test_targets_of_equations_4_and_10(problem: str, expected: list[float]) -> None:
    predictions, labels = torch.tensor([3, 1, 2]), torch.tensor([3, 2, 2])
    assert success_targets(predictions, labels, problem).tolist() == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("problem", "expected"), [("enhance", [0.7, 0.1]), ("adversarial", [0.3, 0.9])])
def test_soft_targets_are_the_probability_of_success(problem: str, expected: list[float]) -> None:
    probabilities, labels = torch.tensor([[0.2, 0.7, 0.1], [0.6, 0.3, 0.1]]), torch.tensor([1, 2])
    targets = success_targets(probabilities, labels, problem)  # type: ignore[arg-type]
    assert targets.tolist() == pytest.approx(expected)


def test_soft_targets_of_a_label_are_the_hard_ones() -> None:
    predictions, labels = torch.tensor([3, 1, 2]), torch.tensor([3, 2, 2])
    one_hot = torch.nn.functional.one_hot(predictions, 4).float()
    for problem in ("enhance", "adversarial"):
        hard = success_targets(predictions, labels, problem)  # type: ignore[arg-type]
        assert torch.equal(success_targets(one_hot, labels, problem), hard)  # type: ignore[arg-type]


def test_least_squares_of_equations_7_and_8() -> None:
    expected_d = np.mean([(d - t) ** 2 for d, t in zip(OUTPUTS, TARGETS.tolist(), strict=True)])
    expected_g = np.mean([(d - 1) ** 2 for d in OUTPUTS])
    assert float(discriminator_loss(LOGITS, TARGETS, "least-squares")) == pytest.approx(expected_d, rel=1e-6)
    assert float(generator_loss(LOGITS, "least-squares")) == pytest.approx(expected_g, rel=1e-6)


def test_logistic_of_appendix_a2() -> None:
    pairs = zip(OUTPUTS, TARGETS.tolist(), strict=True)
    expected_d = -np.mean([t * math.log(d) + (1 - t) * math.log(1 - d) for d, t in pairs])
    expected_g = -np.mean([math.log(d) for d in OUTPUTS])
    assert float(discriminator_loss(LOGITS, TARGETS, "logistic")) == pytest.approx(expected_d, rel=1e-6)
    assert float(generator_loss(LOGITS, "logistic")) == pytest.approx(expected_g, rel=1e-6)


def test_logistic_loss_stays_finite_where_the_sigmoid_is_saturated() -> None:
    extreme = torch.tensor([-200.0, 200.0])
    assert float(generator_loss(extreme, "logistic")) == pytest.approx(100.0)
    assert float(discriminator_loss(extreme, torch.tensor([1.0, 0.0]), "logistic")) == pytest.approx(200.0)


def test_l2_is_the_mean_of_squares_over_batch_channels_and_pixels() -> None:
    perturbation = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = sum(value**2 for value in perturbation.flatten().tolist()) / (2 * 3 * 4 * 5)
    assert float(l2_term(perturbation)) == pytest.approx(expected, rel=1e-5)
