"""FGSM against the gradient of a linear classifier, written down by hand."""

from __future__ import annotations

import pytest
import torch

from pgn_studio.core.baselines.fgsm import Fgsm, FgsmOracle
from pgn_studio.core.baselines.preparing import BaselinePerturber
from pgn_studio.core.config import Problem
from pgn_studio.core.errors import ClassifierError
from tests.core.baselines.linear import (
    CLASSES,
    answering_classifier,
    context_of,
    gradient_by_hand,
    linear_classifier,
    pixels,
    space_of,
)


@pytest.mark.parametrize("space_name", ["pixel", "normalized"])
@pytest.mark.parametrize(("problem", "sign"), [("enhance", -1), ("adversarial", 1)])
@pytest.mark.parametrize("kind", [Fgsm, FgsmOracle])
def test_a_sign_step_is_that_of_the_gradient(
    space_name: str, problem: Problem, sign: int, kind: type[Fgsm]
) -> None:
    classifier, space, x = linear_classifier(), space_of(space_name), pixels(9)
    labels = torch.arange(9) % CLASSES
    told = labels if kind.oracle else classifier(x).argmax(1)
    assert not torch.equal(labels, classifier(x).argmax(1)), "else both variants would be one"
    result = BaselinePerturber("fgsm", kind(), context_of(classifier, space, problem)).perturb(x, labels)
    expected = sign * gradient_by_hand(classifier, space, x, told).sign()
    assert torch.equal(result.perturbation, expected)
    torch.testing.assert_close(result.perturbed, space.from_pixels(x) + expected)
    assert not result.perturbed.requires_grad


def test_steps_do_not_depend_on_the_batch() -> None:
    context = context_of(linear_classifier(), space_of("pixel"), "adversarial")
    x, labels = pixels(7), torch.arange(7) % 5
    whole = FgsmOracle().perturb(x, labels, context)
    parts = [FgsmOracle().perturb(x[i : i + 3], labels[i : i + 3], context) for i in (0, 3, 6)]
    torch.testing.assert_close(whole, torch.cat(parts), rtol=1e-4, atol=1e-6)


def test_gradients_are_exact_inside_autocast() -> None:
    context, x = context_of(linear_classifier(), space_of("pixel"), "adversarial"), pixels(7)
    plain = Fgsm().perturb(x, None, context)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(Fgsm().perturb(x, None, context), plain)


def test_a_classifier_that_only_answers_is_refused() -> None:
    context = context_of(answering_classifier(), space_of("pixel"), "adversarial")
    with pytest.raises(ClassifierError, match="gradients"):
        Fgsm().perturb(pixels(2), None, context)
