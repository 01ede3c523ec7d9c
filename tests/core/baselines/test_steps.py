"""Steps against the gradient of a linear classifier, written down by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pgn_studio.core.baselines.steps import IteratedSteps, SignStep, in_ball
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.perturbation.input_space import InputSpace
from tests.core.baselines.linear import (
    CLASSES,
    answering_classifier,
    linear_classifier,
    pixels,
    space_of,
    weights_in,
)


def gradient_by_hand(classifier: Classifier, space: InputSpace, x: Tensor, labels: Tensor) -> Tensor:
    """Wᵀ (softmax - one-hot)."""
    error = classifier(x).detach().softmax(1) - F.one_hot(labels, CLASSES)
    return (error @ weights_in(classifier, space)).view_as(x)


@pytest.mark.parametrize("space_name", ["pixel", "normalized"])
@pytest.mark.parametrize(("problem", "sign"), [("enhance", -1), ("adversarial", 1)])
@pytest.mark.parametrize("oracle", [True, False])
def test_a_sign_step_is_that_of_the_gradient(space_name: str, problem: str, sign: int, oracle: bool) -> None:
    classifier, space, x = linear_classifier(), space_of(space_name), pixels(9)
    labels = torch.arange(9) % CLASSES
    told = labels if oracle else classifier(x).argmax(1)
    assert not torch.equal(labels, classifier(x).argmax(1)), "else both variants would be one"
    result = SignStep(classifier, space, problem, oracle=oracle).perturb(x, labels)  # type: ignore[arg-type]
    expected = sign * gradient_by_hand(classifier, space, x, told).sign()
    assert torch.equal(result.perturbation, expected)
    torch.testing.assert_close(result.perturbed, space.from_pixels(x) + expected)
    assert not result.perturbed.requires_grad


def test_only_oracles_look_at_labels() -> None:
    classifier, x = linear_classifier(), pixels(9)
    step = SignStep(classifier, space_of("pixel"), "adversarial", oracle=False)
    first, second = (step.perturb(x, torch.full((9,), label)).perturbation for label in (0, 3))
    assert torch.equal(first, second)


@pytest.mark.parametrize(("problem", "sign"), [("enhance", -1), ("adversarial", 1)])
def test_one_iterated_step_is_the_normalized_gradient(problem: str, sign: int) -> None:
    classifier, space, x, labels = linear_classifier(), space_of("pixel"), pixels(6), torch.arange(6) % 5
    steps = IteratedSteps(classifier, space, problem, rms=0.02, steps=1)  # type: ignore[arg-type]
    p = steps.perturb(x, labels).perturbation
    radius = 0.02 * x[0].numel() ** 0.5
    expected = sign * radius * F.normalize(gradient_by_hand(classifier, space, x, labels).flatten(1))
    torch.testing.assert_close(p.flatten(1), expected, rtol=1e-4, atol=1e-7)


def test_many_steps_stay_in_the_ball_and_go_further_than_one() -> None:
    classifier, space, x, labels = linear_classifier(), space_of("pixel"), pixels(12), torch.arange(12) % 5
    loss = {}
    for count in (1, 20):
        p = IteratedSteps(classifier, space, "enhance", rms=0.1, steps=count).perturb(x, labels).perturbation
        assert float(p.square().mean((1, 2, 3)).sqrt().max()) <= 0.1 * (1 + 1e-5)
        loss[count] = float(F.cross_entropy(classifier(x + p), labels))
    assert loss[20] < loss[1] < float(F.cross_entropy(classifier(x), labels))


def test_steps_do_not_depend_on_the_batch() -> None:
    classifier, space, x, labels = linear_classifier(), space_of("pixel"), pixels(7), torch.arange(7) % 5
    for method in (
        SignStep(classifier, space, "adversarial", oracle=True),
        IteratedSteps(classifier, space, "adversarial", rms=0.1),
    ):
        whole = method.perturb(x, labels).perturbation
        parts = [method.perturb(x[i : i + 3], labels[i : i + 3]).perturbation for i in (0, 3, 6)]
        torch.testing.assert_close(whole, torch.cat(parts), rtol=1e-4, atol=1e-6)


def test_gradients_are_exact_inside_autocast() -> None:
    classifier, space, x, labels = linear_classifier(), space_of("pixel"), pixels(7), torch.arange(7) % 5
    step = SignStep(classifier, space, "adversarial", oracle=False)
    plain = step.perturb(x, labels).perturbation
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(step.perturb(x, labels).perturbation, plain)


def test_a_vanished_gradient_moves_nothing() -> None:
    classifier, x = linear_classifier(), pixels(2)
    classifier.net[1].weight.zero_()  # type: ignore[index]
    p = IteratedSteps(classifier, space_of("pixel"), "enhance", rms=0.1).perturb(x, torch.zeros(2).long())
    assert torch.equal(p.perturbation, torch.zeros_like(x))


def test_the_ball_keeps_what_is_inside() -> None:
    p = torch.stack([torch.full((3, 2, 2), 0.01), torch.full((3, 2, 2), 9.0), torch.zeros(3, 2, 2)])
    inside = in_ball(p, 1.0)
    torch.testing.assert_close(inside[0], p[0])
    assert float(inside[1].norm()) == pytest.approx(1.0)
    assert torch.equal(inside[2], p[2])


def test_a_classifier_that_only_answers_is_refused() -> None:
    step = SignStep(answering_classifier(), space_of("pixel"), "adversarial", oracle=False)
    with pytest.raises(ClassifierError, match="gradients"):
        step.perturb(pixels(2), torch.zeros(2).long())
