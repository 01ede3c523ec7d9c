"""Projected gradient steps against the gradient of a linear classifier, written down by hand."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from pgn_studio.core.baselines.gradients import in_ball
from pgn_studio.core.baselines.pgd import PgdOracle
from pgn_studio.core.config import Problem
from tests.core.baselines.linear import context_of, gradient_by_hand, linear_classifier, pixels, space_of


def pgd(steps: int) -> PgdOracle:
    made = PgdOracle()
    made.steps = steps
    return made


@pytest.mark.parametrize(("problem", "sign"), [("enhance", -1), ("adversarial", 1)])
def test_one_step_is_the_normalized_gradient(problem: Problem, sign: int) -> None:
    classifier, space, x, labels = linear_classifier(), space_of("pixel"), pixels(6), torch.arange(6) % 5
    p = pgd(1).perturb(x, labels, context_of(classifier, space, problem, rms=0.02))
    radius = 0.02 * x[0].numel() ** 0.5
    expected = sign * radius * F.normalize(gradient_by_hand(classifier, space, x, labels).flatten(1))
    torch.testing.assert_close(p.flatten(1), expected, rtol=1e-4, atol=1e-7)


def test_many_steps_stay_in_the_ball_and_go_further_than_one() -> None:
    classifier, space, x, labels = linear_classifier(), space_of("pixel"), pixels(12), torch.arange(12) % 5
    loss = {}
    for count in (1, 20):
        p = pgd(count).perturb(x, labels, context_of(classifier, space, "enhance", rms=0.1))
        assert float(p.square().mean((1, 2, 3)).sqrt().max()) <= 0.1 * (1 + 1e-5)
        loss[count] = float(F.cross_entropy(classifier(x + p), labels))
    assert loss[20] < loss[1] < float(F.cross_entropy(classifier(x), labels))


def test_steps_do_not_depend_on_the_batch() -> None:
    context = context_of(linear_classifier(), space_of("pixel"), "adversarial")
    x, labels = pixels(7), torch.arange(7) % 5
    whole = PgdOracle().perturb(x, labels, context)
    parts = [PgdOracle().perturb(x[i : i + 3], labels[i : i + 3], context) for i in (0, 3, 6)]
    torch.testing.assert_close(whole, torch.cat(parts), rtol=1e-4, atol=1e-6)


def test_a_vanished_gradient_moves_nothing() -> None:
    classifier, x = linear_classifier(), pixels(2)
    classifier.net[1].weight.zero_()  # type: ignore[index]
    context = context_of(classifier, space_of("pixel"), "enhance")
    assert not PgdOracle().perturb(x, torch.zeros(2).long(), context).any()


def test_the_ball_keeps_what_is_inside() -> None:
    p = torch.stack([torch.full((3, 2, 2), 0.01), torch.full((3, 2, 2), 9.0), torch.zeros(3, 2, 2)])
    inside = in_ball(p, 1.0)
    torch.testing.assert_close(inside[0], p[0])
    assert float(inside[1].norm()) == pytest.approx(1.0)
    assert torch.equal(inside[2], p[2])
