from __future__ import annotations

import copy
from typing import NamedTuple

import pytest
import torch

from pgn_studio.core.baselines.context import BaselineContext, settings_in_force
from pgn_studio.core.baselines.matching import mean_rms
from pgn_studio.core.baselines.preparing import make_baseline
from pgn_studio.core.baselines.white_box import train_white_box, white_box_loss
from pgn_studio.core.errors import Canceled, ClassifierError, ConfigError
from pgn_studio.core.evaluation.evaluate import evaluate_perturber
from pgn_studio.core.protocols import LabeledImages
from tests.core.baselines.conftest import MakeContext
from tests.core.baselines.linear import answering_classifier
from tests.core.evaluation.samples import ArraySplit, make_dial


def accuracy(context_maker: MakeContext, perturber: object, split: ArraySplit) -> tuple[float, float]:
    context = context_maker()
    metrics = evaluate_perturber(
        perturber,  # type: ignore[arg-type]
        context.classifier,
        split,
        split_name="test",
        dataset_name="digits",
        space=context.space,
    ).metrics
    return metrics.clean_accuracy, metrics.perturbed_accuracy_8bit


def test_losses_are_minus_log_p_and_minus_log_not_p() -> None:
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)) * 3
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    own = logits.softmax(1)[torch.arange(6), labels]
    torch.testing.assert_close(white_box_loss(logits, labels, "enhance"), -own.log().mean())
    torch.testing.assert_close(white_box_loss(logits, labels, "adversarial"), -(1 - own).log().mean())
    sure = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)  # 1 - P(y) is 0 in float32
    white_box_loss(sure, torch.tensor([0]), "adversarial").backward()
    assert float(sure.grad[0, 0]) == pytest.approx(1.0)  # type: ignore[index]


@pytest.mark.parametrize("space", ["pixel", "normalized"])
def test_direct_attacks_images_that_it_has_not_seen(
    make_context: MakeContext, splits: dict[str, ArraySplit], space: str
) -> None:
    rms = 0.1 if space == "pixel" else 0.35
    context = make_context(problem="adversarial", space=space, rms=rms, settings={"epochs": 8})
    f = copy.deepcopy(context.classifier.state_dict())
    made = make_baseline("white-box", context)
    assert made.classifier is context.classifier
    assert all(torch.equal(value, f[name]) for name, value in context.classifier.state_dict().items())
    metrics = evaluate_perturber(
        made.perturber,
        made.classifier,
        splits["test"],
        split_name="test",
        dataset_name="digits",
        space=context.space,
    ).metrics
    assert metrics.perturbed_accuracy < metrics.clean_accuracy - 0.2
    assert made.rms is not None
    assert made.rms <= rms * (1 + 1e-5)
    assert mean_rms(made.perturber, context) == pytest.approx(made.rms, rel=1e-4)


def test_direct_helps(make_context: MakeContext, splits: dict[str, ArraySplit]) -> None:
    perturber, _ = train_white_box(make_context(settings={"epochs": 8, "gamma": 0.01}, rms=0.15))
    clean, perturbed = accuracy(make_context, perturber, splits["train"])
    assert perturbed > clean


def test_direct_is_never_enlarged(make_context: MakeContext) -> None:
    context = make_context(rms=50.0, settings={"epochs": 1})
    perturber, rms = train_white_box(context)
    assert rms < 1.0
    assert perturber.alpha == 1.0  # type: ignore[attr-defined]


def test_the_seed_decides(make_context: MakeContext, splits: dict[str, ArraySplit]) -> None:
    x = torch.from_numpy(splits["test"].images(range(8))).permute(0, 3, 1, 2).float() / 255
    labels = torch.zeros(8).long()

    def p(seed: int, average: float) -> torch.Tensor:
        context = make_context(seed=seed, settings={"epochs": 1, "ema_decay": average})
        return train_white_box(context)[0].perturb(x, labels).perturbation

    assert torch.equal(p(0, 0.9), p(0, 0.9))
    assert not torch.equal(p(0, 0.9), p(1, 0.9))
    assert not torch.equal(p(0, 0.9), p(0, 0.0))


def test_the_l2_term_is_that_of_the_settings(
    make_context: MakeContext, splits: dict[str, ArraySplit]
) -> None:
    x = torch.from_numpy(splits["test"].images(range(8))).permute(0, 3, 1, 2).float() / 255
    labels, values = torch.zeros(8).long(), 3 * 16 * 16

    def p(kind: str, gamma: float) -> torch.Tensor:
        settings = {"epochs": 2, "l2": kind, "gamma": gamma}
        return train_white_box(make_context(rms=1.0, settings=settings))[0].perturb(x, labels).perturbation

    mean, less = p("mean", 10.0), p("mean", 10.0 / values)
    torch.testing.assert_close(p("sum", 10.0 / values), mean, rtol=1e-3, atol=1e-5)
    assert less.norm() > 1.05 * mean.norm()
    assert not torch.allclose(p("norm", 10.0 / values), less, rtol=1e-3, atol=1e-5)


def test_progress_and_canceling(make_context: MakeContext) -> None:
    seen: list[tuple[int, int]] = []

    def cancel(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 5:
            raise Canceled

    with pytest.raises(Canceled):
        train_white_box(make_context(), cancel)
    assert seen == [(step, 6) for step in range(1, 6)]  # 160 images, 64 a step, 2 epochs


def test_what_does_not_train_is_refused(make_context: MakeContext) -> None:
    with pytest.raises(ConfigError, match="fp16"):
        train_white_box(make_context(precision="fp16"))
    one = ArraySplit(make_context().train.images([0]), [0], names=["-"])
    with pytest.raises(ConfigError, match="two images"):
        train_white_box(make_context(train=one, settings={"input_mixup": 0.0}))
    alone = {"input_mixup": 0.0, "classifier_conditioning": False}
    with pytest.raises(ClassifierError, match="gradients"):
        train_white_box(make_context(classifier=answering_classifier(), settings=alone))


def test_the_input_mixup_is_that_of_the_trainer(make_context: MakeContext) -> None:
    """Only where f fails less on its training images than on others, and only to enhance."""
    from pgn_studio.core.baselines.white_box import _input_mixup

    assert _input_mixup(make_context(settings={"input_mixup": 0.4})) == 0.4
    assert _input_mixup(make_context(problem="adversarial")) == 0.0
    assert 0.0 <= _input_mixup(make_context()) <= 0.8


@pytest.mark.parametrize("soft", [True, False])
def test_direct_is_told_what_the_pgn_is_told(
    make_context: MakeContext, splits: dict[str, ArraySplit], soft: bool
) -> None:
    context = make_context(settings={"classifier_conditioning": True, "soft_targets": soft}, rms=0.1)
    perturber, rms = train_white_box(context)
    assert 0 < rms <= 0.1 * (1 + 1e-5)
    pixels = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(6, dtype=torch.int64)
    first = perturber.perturb(pixels, labels).perturbation
    assert torch.equal(perturber.perturb(pixels, labels).perturbation, first)
    whole = perturber.perturb(pixels[:1], labels[:1]).perturbation
    torch.testing.assert_close(whole, first[:1], rtol=1e-4, atol=1e-6)


def test_of_a_range_a_baseline_is_compared_at_one_gamma() -> None:
    dial = make_dial(told="label")
    assert settings_in_force(dial).gamma == 3.0
    settings = settings_in_force(dial.at(10.0))
    assert settings.gamma == 10.0
    assert settings.classifier_conditioning
    assert settings_in_force(make_dial(gamma=2.0)).gamma == 2.0


def test_a_context_of_a_range_has_its_middle(make_context: MakeContext) -> None:
    fixed = make_context()
    context = BaselineContext.of(
        fixed.settings.updated(gamma=(0.1, 10.0)),
        classifier=fixed.classifier,
        space=fixed.space,
        dataset=FewDigits(fixed.train, fixed.val),  # type: ignore[arg-type]
        rms=0.1,
        device=fixed.device,
    )
    assert context.settings.gamma == 1.0


class FewDigits(NamedTuple):
    train: LabeledImages
    val: LabeledImages
    image_size: int = 16

    def split(self, name: str) -> LabeledImages:
        found: LabeledImages = getattr(self, name)
        return found
