"""DeepFool on a linear classifier is one step to the nearest of the boundaries."""

from __future__ import annotations

import pytest
import torch

from pgn_studio.core.baselines.deepfool import deepfool
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.perturbation.input_space import InputSpace
from tests.core.baselines.conftest import MakeContext
from tests.core.baselines.linear import answering_classifier, linear_classifier, pixels, space_of, weights_in
from tests.core.evaluation.samples import ArraySplit


def nearest_boundary(classifier: Classifier, space: InputSpace, x: torch.Tensor) -> torch.Tensor:
    """For each image the shortest p that makes another class as good as f's own answer."""
    weight, found = weights_in(classifier, space), []
    for logits in classifier(x):
        own = int(logits.argmax())
        ways = []
        for other in range(len(logits)):
            if other != own:
                normal = weight[other] - weight[own]
                ways.append(float(logits[own] - logits[other]) / normal.square().sum() * normal)
        found.append(min(ways, key=lambda way: float(way.norm())))
    return torch.stack(found).view_as(x)


@pytest.mark.parametrize("space_name", ["pixel", "normalized"])
@pytest.mark.parametrize("overshoot", [0.02, 0.3])
def test_a_linear_classifier_is_crossed_in_one_step(space_name: str, overshoot: float) -> None:
    classifier, space, x = linear_classifier(), space_of(space_name), pixels(20)
    p = deepfool(classifier, space, space.from_pixels(x), overshoot=overshoot)
    torch.testing.assert_close(
        p, (1 + overshoot) * nearest_boundary(classifier, space, x), rtol=1e-3, atol=1e-6
    )
    changed = classifier.logits_normalized(space.normalized(space.from_pixels(x) + p)).argmax(1)
    assert not (changed == classifier(x).argmax(1)).any()


def test_few_candidates_look_at_the_likeliest_classes_only() -> None:
    classifier, space, x = linear_classifier(), space_of("pixel"), pixels(20)
    p = deepfool(classifier, space, x, candidates=2)
    second = classifier(x).topk(2).indices[:, 1]
    assert torch.equal(classifier(x + p).argmax(1), second)


def test_every_digit_changes_its_class_by_little(
    classifier: Classifier, make_context: MakeContext, splits: dict[str, ArraySplit]
) -> None:
    x = torch.from_numpy(splits["test"].images(range(40))).permute(0, 3, 1, 2).float() / 255
    p = deepfool(classifier, make_context().space, x)
    assert not (classifier(x + p).argmax(1) == classifier(x).argmax(1)).any()
    assert float(p.square().mean().sqrt()) < 0.05
    parts = torch.cat([deepfool(classifier, make_context().space, part) for part in x.split(7)])
    torch.testing.assert_close(p, parts, rtol=1e-3, atol=1e-4)


def test_a_classifier_that_only_answers_is_refused() -> None:
    with pytest.raises(ClassifierError, match="gradients"):
        deepfool(answering_classifier(), space_of("pixel"), pixels(2))
