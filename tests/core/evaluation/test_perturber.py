"""Whatever perturbs is measured alike: a PGN, one at another strength, or something that knows labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pgn_studio.core.classifiers import Classifier, ClassifierInfo
from pgn_studio.core.evaluation.evaluate import Evaluation, evaluate, evaluate_perturber
from pgn_studio.core.evaluation.perturber import Perturber, PgnPerturber, Scaled, added
from pgn_studio.core.perturbation.pgn import Perturbation
from tests.core.evaluation.samples import (
    CLASSES,
    SIZE,
    BrightestChannel,
    Shift,
    make_classifier,
    make_pgn,
    make_split,
)

SHIFT = Shift(red=0.02, blue=-0.01, noise=0.03)


def measure(perturber: Perturber, space: Any, **options: Any) -> Evaluation:
    options = {
        "classifier": make_classifier(),
        "split": make_split(40),
        "split_name": "test",
        "dataset_name": "noise",
        **options,
    }
    return evaluate_perturber(perturber, space=space, **options)


@pytest.mark.parametrize("input_space", ["pixel", "normalized"])
def test_a_pgn_is_measured_as_by_evaluate(input_space: str) -> None:
    pgn = make_pgn(SHIFT, input_space=input_space)
    expected = evaluate(
        pgn, make_classifier(), make_split(40), split_name="test", dataset_name="noise"
    ).metrics
    assert measure(PgnPerturber(pgn), pgn.space).metrics == expected
    assert expected.fixed + expected.broken > 0


@pytest.mark.parametrize("input_space", ["pixel", "normalized"])
def test_strength_one_is_the_perturber_and_zero_the_image(input_space: str) -> None:
    pgn = make_pgn(SHIFT, input_space=input_space)
    own = measure(PgnPerturber(pgn), pgn.space).metrics
    one, none, half = (
        measure(Scaled(PgnPerturber(pgn), pgn.space, alpha), pgn.space).metrics for alpha in (1.0, 0.0, 0.5)
    )
    assert one == own
    assert (none.fooling_rate, none.rms_mean, none.perturbed_accuracy) == (0.0, 0.0, own.clean_accuracy)
    assert half.rms_mean == pytest.approx(own.rms_mean / 2, rel=1e-5)
    assert half.l2_mean == pytest.approx(own.l2_mean / 2, rel=1e-5)


class TowardsLabel:
    """An oracle: brightens the labeled channel."""

    def __init__(self, space: Any) -> None:
        self.space = space

    def perturb(self, pixels: Tensor, labels: Tensor) -> Perturbation:
        return added(self.space, pixels, 0.5 * torch.eye(3)[labels].view(-1, 3, 1, 1).expand_as(pixels))


def test_labels_of_each_batch_reach_the_perturber() -> None:
    space = make_pgn(Shift()).space
    evaluation = measure(TowardsLabel(space), space, batch_size=7)
    assert evaluation.metrics.perturbed_accuracy == 1.0
    assert evaluation.metrics.clean_accuracy < 1.0


def test_another_classifier_may_answer_for_clean_images() -> None:
    """Right on nothing clean, all right perturbed: every image counts as fixed."""
    space = make_pgn(Shift()).space
    evaluation = measure(
        TowardsLabel(space), space, clean_classifier=_rotated(), facts={"baseline": "x", "seed": 3}
    )
    wrong = evaluation.metrics.n - round(evaluation.metrics.clean_accuracy * evaluation.metrics.n)
    assert evaluation.metrics.fixed == wrong > 20
    record = evaluation.to_json()
    assert (record["baseline"], record["seed"], record["classifier"]) == ("x", 3, "rotated")


def _rotated() -> Classifier:
    class Rotated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = BrightestChannel()

        def forward(self, normalized: Tensor) -> Tensor:
            return self.net(normalized).roll(1, dims=1)

    info = make_classifier().info
    return Classifier(
        Rotated(), ClassifierInfo("rotated", CLASSES, info.mean, info.std, SIZE, path="rotated")
    )


class MeanOfNormalized(nn.Module):
    """Logits are the channel means of its own input: with another mean and std another function of pixels."""

    def forward(self, normalized: Tensor) -> Tensor:
        return 20 * normalized.float().mean((2, 3))


@pytest.mark.parametrize("input_space", ["pixel", "normalized"])
def test_a_classifier_that_normalizes_otherwise_sees_the_same_picture(input_space: str) -> None:
    pgn = make_pgn(SHIFT, input_space=input_space)
    other = Classifier(
        MeanOfNormalized(), ClassifierInfo("other", CLASSES, (0.1, 0.2, 0.3), (1.0, 0.5, 0.7), SIZE)
    )
    split = make_split(40)
    found = measure(PgnPerturber(pgn), pgn.space, classifier=other, split=split).per_image
    x = torch.from_numpy(split.images(np.arange(40))).permute(0, 3, 1, 2) / 255
    expected = other(pgn.perturb(x).pixels).argmax(1).numpy()
    assert np.array_equal(found.perturbed_prediction, expected)
