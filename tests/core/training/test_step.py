"""What a step changes, what it may not touch, and what it asks; its numbers: test_literal.py."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.perturbation.condition import PrincipalComponents
from pgn_studio.core.perturbation.discriminators.backbone import (
    BackboneDiscriminator,
    LearningBackboneDiscriminator,
)
from pgn_studio.core.perturbation.discriminators.base import DiscriminatorBatch
from pgn_studio.core.perturbation.discriminators.surrogate import SurrogateDiscriminator
from pgn_studio.core.perturbation.losses import generator_loss, success_targets
from pgn_studio.core.perturbation.modulation import step_gammas
from pgn_studio.core.training.builders import build_networks, fit_statistics
from pgn_studio.core.training.feature_cache import FeatureCache
from pgn_studio.core.training.loader import Batch
from pgn_studio.core.training.step import Networks, TrainStep

CPU = torch.device("cpu")


def make(settings: TrainingSettings, classifier: Classifier, digits: ImageDataset) -> Networks:
    torch.manual_seed(0)
    networks = build_networks(settings, classifier, image_size=8, device=CPU)
    fit_statistics(networks, digits.split("train"), seed=0, precision="fp32")
    return networks


def test_what_statistics_are_fitted_on_is_kept_for_the_steps(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = digits.split("train")
    networks = build_networks(
        settings.updated(encoder_training="frozen"), classifier, image_size=8, device=CPU
    )
    plain, kept = networks, copy.deepcopy(networks)
    fit_statistics(plain, train, seed=0, precision="fp32")
    memory = FeatureCache(kept.generator.encode, images=len(train), most_bytes=2**30)
    told: list[tuple[int, int]] = []
    fit_statistics(
        kept, train, seed=0, precision="fp32", memory=memory, progress=lambda *args: told.append(args)
    )
    assert told[-1] == (len(train), len(train))
    image, same = kept.discriminator.condition.image, plain.discriminator.condition.image
    assert isinstance(image, PrincipalComponents)
    assert isinstance(same, PrincipalComponents)
    torch.testing.assert_close(image.center, same.center)
    monkeypatch.setattr(memory, "_compute", None)  # nothing is left to be computed
    rows = np.arange(40)
    features = memory(to_pixels(train.images(rows), CPU), rows, None)
    assert features is not None
    assert features.shape[0] == 40


def batch(digits: ImageDataset, count: int = 16) -> tuple[Tensor, Tensor]:
    train = digits.split("train")
    rows = np.arange(count)
    return to_pixels(train.images(rows), CPU), torch.from_numpy(train.labels[rows])


@pytest.mark.parametrize("told", [True, False])
def test_known_outputs_change_nothing(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset, told: bool
) -> None:
    settings = settings.updated(classifier_conditioning=told)
    pixels, labels = batch(digits)
    outcomes = []
    for known in (True, False):
        torch.manual_seed(0)
        networks = make(settings, classifier, digits)
        step = TrainStep(networks, settings, precision="fp32")
        outputs = step.outputs(pixels) if known else None
        networks.train(True)
        given = Batch(pixels, labels, pixels, outputs=outputs)
        result = step(given, gamma=1.0, noise=torch.Generator().manual_seed(0))
        outcomes.append((result, [value.detach().clone() for value in networks.learning_in_g()]))
    (first, weights), (second, others) = outcomes
    assert first.clean_right > 0
    torch.testing.assert_close(torch.stack(list(map(torch.Tensor.float, first))),
                               torch.stack(list(map(torch.Tensor.float, second))))  # fmt: skip
    for one, other in zip(weights, others, strict=True):
        torch.testing.assert_close(one, other)


VARIANTS: list[dict[str, Any]] = [
    {},
    {"problem": "adversarial"},
    {"discriminator": "known"},
    {"discriminator": "blackbox"},
    {"discriminator": "blackbox", "image_conditioning": False, "loss": "logistic"},
    {"input_space": "normalized", "encoder_training": "frozen"},
    {"image_conditioning": False, "head": "linear"},
    {"label_conditioning": False},
    {"image_conditioning": False, "label_conditioning": False},
    {"gamma": (0.3, 30.0)},
    {"gamma": (0.3, 30.0), "classifier_conditioning": True, "decoder_norm": "group"},
    {"discriminator": "blackbox", "gamma": (1.8, 180.0), "classifier_conditioning": True},
    {"l2": "sum"},
    {"l2": "norm", "damped_output": False, "standardize_features": False},
]


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_both_players_learn_and_the_classifier_does_not(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset, variant: dict[str, Any]
) -> None:
    settings = settings.updated(**variant)
    networks = make(settings, classifier, digits)
    frozen = {name: value.clone() for name, value in classifier.state_dict().items()}
    learning = [*networks.discriminator.learning(), *networks.learning_in_g()]
    before = [value.detach().clone() for value in learning]
    step = TrainStep(networks, settings, precision="fp32")
    networks.train(True)
    pixels, labels = batch(digits)
    for number in range(2):
        step(Batch(pixels, labels, pixels), gamma=1.0, noise=torch.Generator().manual_seed(number))
    assert len(learning) > 10 or not settings.image_conditioning
    changed = [not torch.equal(old, new) for old, new in zip(before, learning, strict=True)]
    assert all(changed), f"{changed.count(False)} of {len(changed)} learning tensors stood still"
    for name, value in classifier.state_dict().items():
        assert torch.equal(value, frozen[name]), name
    assert all(parameter.grad is None for parameter in classifier.parameters())


class LabelsOnly(torch.nn.Module):
    """A classifier that lets nothing through but its labels: other logits, no gradient, no features."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.inside = [classifier]  # in a list: its parameters are not ours
        self.info = classifier.info
        self.has_features = False
        self.asked = 0

    def logits_normalized(self, normalized: Tensor) -> Tensor:
        assert not torch.is_grad_enabled(), "the black box was asked with gradients"
        self.asked += len(normalized)
        labels = self.inside[0].logits_normalized(normalized).argmax(1)
        return torch.nn.functional.one_hot(labels, len(self.info.classes)).float() * 1e-3

    def logits_and_features(self, normalized: Tensor) -> tuple[Tensor, Tensor]:
        raise AssertionError("the black box was asked for features")


@pytest.mark.parametrize("problem", ["enhance", "adversarial"])
def test_a_black_box_is_only_asked_for_labels(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset, problem: str
) -> None:
    settings = settings.updated(discriminator="blackbox", problem=problem)
    pixels, labels = batch(digits)
    weights = []
    for opponent in (classifier, LabelsOnly(classifier)):
        networks = make(settings, opponent, digits)  # type: ignore[arg-type]
        step = TrainStep(networks, settings, precision="fp32")
        networks.train(True)
        for number in range(3):
            step(Batch(pixels, labels, pixels), gamma=1.0, noise=torch.Generator().manual_seed(number))
        weights.append([value.clone() for value in networks.generator.state_dict().values()])
    assert opponent.asked > 0  # type: ignore[union-attr]
    for real, hidden in zip(*weights, strict=True):
        assert torch.equal(real, hidden)


def test_soft_targets_are_what_the_classifier_says_of_the_label(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset
) -> None:
    networks = make(settings, classifier, digits)
    assert networks.f.soft  # D looks through the classifier
    pixels, labels = batch(digits, 4)
    about = DiscriminatorBatch(pixels, labels, networks.generator.encode(pixels), pixels, labels)
    seen = networks.discriminator.observe(pixels, about)
    targets = success_targets(seen.outputs, labels, settings.problem)
    expected = classifier(pixels).softmax(1)[torch.arange(4), labels]
    assert targets.tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    assert not targets.requires_grad
    assert torch.equal(seen.predictions, classifier(pixels).argmax(1))


def test_perturbations_come_at_random_scales_where_targets_are_labels(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset
) -> None:
    perturbation = torch.ones(500, 3, 2, 2)
    for options, least in (
        ({}, 1.0),
        ({"discriminator": "blackbox"}, 0.4),
        ({"min_scale": 0.8}, 0.8),
        ({"recipe": "paper", "encoder": "small"}, 1.0),
    ):
        given = TrainingSettings.make(**{**settings.model_dump(exclude_unset=True), **options})
        step = TrainStep(make(given, classifier, digits), given, precision="fp32")
        scales = step._applied(perturbation, torch.zeros_like(perturbation), torch.Generator().manual_seed(0))
        assert scales.shape == perturbation.shape
        assert least <= scales.min() <= least + 0.01
        assert scales.max() > 0.99
        assert torch.equal(scales.amin((1, 2, 3)), scales.amax((1, 2, 3)))  # one for each image


def test_d_is_told_the_label_and_g_is_not(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset
) -> None:
    networks = make(settings.updated(label_conditioning=True, image_conditioning=False), classifier, digits)
    condition, head = networks.discriminator.condition, networks.discriminator.head
    pixels, labels = batch(digits, 4)
    encoded = networks.generator.encode(pixels)
    told = condition(pixels, encoded, labels)
    assert torch.equal(told.argmax(1), labels)
    assert told.shape == (4, len(classifier.info.classes))
    assert condition.dim == len(classifier.info.classes)
    other = condition(pixels, encoded, (labels + 1) % 10)
    features = torch.randn(4, classifier.feature_dim)
    assert not torch.equal(head(features, told), head(features, other))


@pytest.mark.parametrize("kind", ["known", "blackbox"])
def test_g_s_update_computes_no_gradients_of_d(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset, kind: str
) -> None:
    settings = settings.updated(discriminator=kind)
    networks = make(settings, classifier, digits)
    step = TrainStep(networks, settings, precision="fp32")
    networks.train(True)
    assert isinstance(networks.discriminator, BackboneDiscriminator)
    computed: list[int] = []
    first = next(value for value in networks.discriminator.backbone.parameters() if value.requires_grad)
    first.register_hook(lambda _gradient: computed.append(1))
    pixels, labels = batch(digits)
    step(Batch(pixels, labels, pixels), gamma=1.0, noise=torch.Generator().manual_seed(0))
    assert len(computed) == 1  # D's own update, not G's


@pytest.mark.parametrize(("kind", "examples"), [("shared", 16), ("known", 32), ("blackbox", 32)])
def test_a_backbone_that_learns_learns_from_the_clean_images_too(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset, kind: str, examples: int
) -> None:
    networks = make(settings.updated(discriminator=kind), classifier, digits)
    pixels, labels = batch(digits)
    outputs = networks.f.outputs(pixels)
    about = DiscriminatorBatch(pixels, labels, networks.generator.encode(pixels), pixels, outputs)
    seen = networks.discriminator.observe(pixels, about).detach()
    targets = success_targets(seen.outputs, labels, settings.problem)
    judged = networks.discriminator.loss(seen, targets, about)
    assert len(judged.logits) == len(judged.targets) == examples
    assert (float(judged.auxiliary.detach()) > 0) is (examples == 32)
    assert torch.equal(judged.targets[:16], judged.targets[-16:])  # here x̃ is x


PAPER_BLACK_BOX = {"recipe": "paper", "discriminator": "blackbox"}


@pytest.mark.parametrize(
    ("options", "surrogate"),
    [
        ({}, False),
        ({"discriminator": "blackbox"}, True),
        ({"discriminator": "known"}, True),  # f is small: so is D's backbone, which learns
        ({"discriminator": "blackbox", "head": "mlp"}, False),
        ({"discriminator": "blackbox", "label_conditioning": False}, False),
        ({**PAPER_BLACK_BOX, "discriminator_backbone": "small", "discriminator_weights": "none"}, False),
    ],
    ids=str,
)
def test_d_is_a_surrogate_where_its_own_backbone_learns_and_is_told_labels(
    settings: TrainingSettings,
    classifier: Classifier,
    digits: ImageDataset,
    options: dict[str, Any],
    surrogate: bool,
) -> None:
    given = TrainingSettings.make(**{**settings.model_dump(exclude_unset=True), **options})
    networks = make(given, classifier, digits)
    assert isinstance(networks.discriminator, SurrogateDiscriminator) == surrogate
    if isinstance(
        networks.discriminator, LearningBackboneDiscriminator
    ):  # one of the two predicts f's labels
        assert (networks.discriminator.backbone.surrogate is None) == surrogate
    learning = {id(parameter) for parameter in networks.discriminator.learning()}
    assert all(id(parameter) in learning for parameter in networks.discriminator.head.parameters())


@pytest.mark.parametrize(
    "options", [{}, {"discriminator": "blackbox", "label_conditioning": False}], ids=["shared", "not told"]
)
def test_a_surrogate_head_without_its_needs_is_refused(
    settings: TrainingSettings, classifier: Classifier, options: dict[str, Any]
) -> None:
    given = settings.updated(head="surrogate", **options)
    with pytest.raises(ConfigError, match="names labels") as refused:
        build_networks(given, classifier, image_size=8, device=CPU)
    assert "leave head at auto" in refused.value.hint


def test_the_temperature_leaves_g_a_gradient_where_d_is_sure() -> None:
    logits = torch.tensor([-10.0, 10.0], requires_grad=True)
    steep = torch.autograd.grad(generator_loss(logits, "least-squares"), logits)[0]
    tempered = torch.autograd.grad(generator_loss(logits / 4, "least-squares"), logits)[0]
    assert (tempered.abs() > 20 * steep.abs()).all()


@pytest.mark.parametrize("space", ["pixel", "normalized"])
@pytest.mark.parametrize("clamp", [True, False])
def test_the_classifier_is_shown_what_a_picture_keeps(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset, space: str, clamp: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """x̃; but p itself, whose L2 counts in full, is as G said it."""
    settings = settings.updated(input_space=space, clip=clamp)
    networks = make(settings, classifier, digits)
    shown: list[Tensor] = []
    looked = classifier.logits_and_features

    def looking(normalized: Tensor) -> tuple[Tensor, Tensor]:
        shown.append(normalized * networks.f.space.std + networks.f.space.mean)
        return looked(normalized)

    monkeypatch.setattr(classifier, "logits_and_features", looking)
    far = torch.full((16, 3, 8, 8), 3.0)
    monkeypatch.setattr(networks.generator, "decode", lambda read, *_: far + 0 * read.mean())
    pixels, labels = batch(digits)
    step = TrainStep(networks, settings, precision="fp32")
    result = step(Batch(pixels, labels, pixels), gamma=1.0, noise=torch.Generator().manual_seed(0))
    seen = torch.cat([images.detach() for images in shown])
    assert len(seen) == 16
    assert (float(seen.max()) < 1.001) is clamp
    assert float(seen.min()) > -0.001
    assert float(result.l2) == pytest.approx(9.0)


def test_each_image_draws_its_own_gamma_of_the_range(settings: TrainingSettings) -> None:
    settings = settings.updated(gamma=(0.3, 30.0))
    drawn = step_gammas(settings.gammas, 3.0, 4000, torch.Generator().manual_seed(0), CPU)
    assert drawn.min() >= 0.3
    assert drawn.max() <= 30
    logs = drawn.log10()
    assert float(logs.mean()) == pytest.approx(np.log10(3), abs=0.05)  # log-uniform: the middle is 3
    assert float(logs.std()) == pytest.approx(2 / 12**0.5, abs=0.05)
    assert step_gammas(None, 7.0, 4, torch.Generator(), CPU).tolist() == [7.0] * 4


def test_where_g_serves_a_range_the_dial_changes_nothing_that_is_learned(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset
) -> None:
    settings = settings.updated(gamma=(0.3, 30.0))
    pixels, labels = batch(digits)
    weights = []
    for dial in (0.3, 30.0):
        networks = make(settings, classifier, digits)
        step = TrainStep(networks, settings, precision="fp32")
        networks.train(True)
        step(Batch(pixels, labels, pixels), gamma=dial, noise=torch.Generator().manual_seed(0))
        weights.append([value.clone() for value in networks.generator.state_dict().values()])
    assert all(map(torch.equal, *weights))


@pytest.mark.parametrize(("discriminator", "hot"), [("shared", False), ("blackbox", True)])
def test_g_is_told_the_classifier_s_answer_about_the_image_that_it_is_shown(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset, discriminator: str, hot: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Its probabilities, or where it is asked for labels only its label."""
    settings = settings.updated(classifier_conditioning=True, discriminator=discriminator)
    networks = make(settings, classifier, digits)
    told: list[Tensor] = []
    decode = networks.generator.decode

    def listening(features: Tensor, gamma: Tensor | None, outputs: Tensor) -> Tensor:
        told.append(outputs)
        return decode(features, gamma, outputs)

    monkeypatch.setattr(networks.generator, "decode", listening)
    pixels, labels = batch(digits)
    shown = pixels.flip(0).contiguous(memory_format=torch.channels_last)
    step = TrainStep(networks, settings, precision="fp32")
    step(Batch(pixels, labels, shown), gamma=1.0, noise=torch.Generator().manual_seed(0))
    expected = classifier(shown).softmax(1)
    if hot:
        expected = torch.nn.functional.one_hot(expected.argmax(1), expected.shape[1]).float()
    torch.testing.assert_close(told[0], expected, atol=1e-5, rtol=0)
