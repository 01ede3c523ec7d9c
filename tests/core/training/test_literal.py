"""The fused step against Algorithm 1 written out literally, in float64: the same numbers."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.device import to_pixels
from pgn_studio.core.perturbation.discriminators.backbone import (
    BackboneDiscriminator,
    DiscriminatorBackbone,
    FrozenBackboneDiscriminator,
)
from pgn_studio.core.training.builders import build_networks, fit_statistics
from pgn_studio.core.training.loader import Batch
from pgn_studio.core.training.step import Networks, TrainStep

CPU = torch.device("cpu")
GAMMA = 2.5
STEPS = 3
LITERAL: dict[str, Any] = {
    "image_conditioning": False,
    "label_conditioning": False,
    "soft_targets": False,
    "feature_noise": 0.0,
    "min_scale": 1.0,
    "clip": False,
    "head": "linear",
    "ema_decay": 0.0,
    "logit_temperature": 1.0,
    "classifier_conditioning": False,
}


SURROGATE = {"label_conditioning": True, "head": "surrogate", "logit_temperature": 4.0}


class Literal:
    """Algorithm 1 line by line, each quantity computed where it is named, with copies of the networks.

    A backbone that learns also predicts f's labels, of the clean images too (equation 7 alone would teach
    it too slowly), and judges for G in evaluation mode; where D's head predicts them, D is what that says of
    the true label, and its odds are brought nearer to one for G; all else is the paper's.
    """

    def __init__(self, networks: Networks, settings: TrainingSettings, *, gamma: float) -> None:
        self.settings = settings
        self.gamma = gamma
        self.classifier = networks.f.classifier
        self.space = networks.f.space
        self.generator = copy.deepcopy(networks.generator)
        self.head = copy.deepcopy(networks.discriminator.head)
        self.backbone = copy.deepcopy(backbone_of(networks))
        d: list[nn.Parameter] = [*self.head.parameters()]
        if self.backbone is not None and self.backbone.trained:
            d += self.backbone.parameters()
        self.adam_d = torch.optim.Adam(d, lr=settings.learning_rate_d)
        self.adam_g = torch.optim.Adam(self.generator.parameters(), lr=settings.learning_rate_g)
        self.generator.train()
        if self.backbone is not None:
            self.backbone.train()

    def input_of_f(self, pixels: Tensor, p: Tensor) -> Tensor:
        mean, std = self.space.mean, self.space.std
        if self.settings.input_space == "pixel":
            return (pixels + p - mean) / std
        return (pixels - mean) / std + p

    def features(self, pixels: Tensor, p: Tensor) -> Tensor:
        inputs = self.input_of_f(pixels, p)
        if self.backbone is None:
            return self.classifier.logits_and_features(inputs)[1]
        return self.backbone(inputs * self.space.std + self.space.mean)

    def judged(self, features: Tensor, labels: Tensor) -> Tensor:
        """D's output (equation 3): how likely a success is."""
        if self.settings.head != "surrogate":
            return torch.sigmoid(self.head(features, features.new_zeros(len(features), 0)))
        right = self.surrogate_logits(features).softmax(1)[torch.arange(len(labels)), labels]
        return right if self.settings.problem == "enhance" else 1 - right

    def surrogate_logits(self, features: Tensor) -> Tensor:
        surrogate: Any = self.head if self.settings.head == "surrogate" else self.backbone
        logits: Tensor = surrogate.surrogate(features)
        return logits

    def losses(self, d: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        if self.settings.loss == "least-squares":
            return ((d - t) ** 2).mean(), ((d - 1) ** 2).mean()
        return -(t * d.log() + (1 - t) * (1 - d).log()).mean(), -d.log().mean()

    def step(self, pixels: Tensor, labels: Tensor) -> dict[str, float]:
        p = self.generator(pixels)
        predictions = self.classifier.logits_normalized(self.input_of_f(pixels, p)).argmax(1)
        successes = predictions == labels if self.settings.problem == "enhance" else predictions != labels
        t = successes.double()

        outputs, labels_d, auxiliary, shown = predictions, labels, torch.zeros(()), p.detach()
        if self.backbone is not None and self.backbone.trained:  # it learns from the clean images, too
            clean = self.classifier.logits_normalized(self.input_of_f(pixels, torch.zeros_like(p))).argmax(1)
            outputs, labels_d = torch.cat([predictions, clean]), labels.repeat(2)
            pixels_d, shown = pixels.repeat(2, 1, 1, 1), torch.cat([p.detach(), torch.zeros_like(p)])
            features = self.features(pixels_d, shown)
            auxiliary = F.cross_entropy(self.surrogate_logits(features), outputs)
        else:
            features = self.features(pixels, shown)
        successes = outputs == labels_d
        t_d = (successes if self.settings.problem == "enhance" else ~successes).double()
        loss_d = self.losses(self.judged(features, labels_d), t_d)[0]
        self.adam_d.zero_grad()
        (loss_d + auxiliary).backward()
        self.adam_d.step()

        if self.backbone is not None:
            self.backbone.eval()
        d = self.judged(self.features(pixels, p), labels)  # the updated D
        if self.settings.head == "surrogate":
            d = torch.sigmoid(torch.log(d / (1 - d)) / 4)
        loss_g = self.losses(d, t)[1]
        if self.backbone is not None:
            self.backbone.train()
        l2 = (p**2).mean()
        self.adam_g.zero_grad()
        (loss_g + self.gamma * l2).backward()
        self.adam_g.step()
        return {
            "loss_g": loss_g.item(),
            "loss_d": loss_d.item(),
            "l2": l2.item(),
            "target_mean": t.mean().item(),
        }


def frozen(networks: Networks, settings: TrainingSettings) -> Networks:
    """With D's own backbone as pretrained ones are: only its head learns."""
    learning, backbone = networks.discriminator, backbone_of(networks)
    assert backbone is not None
    return replace(
        networks,
        discriminator=FrozenBackboneDiscriminator(
            settings,
            networks.f,
            backbone=DiscriminatorBackbone(backbone.network, size=8, trained=False),
            head=learning.head,
            condition=learning.condition,
        ),
    )


def backbone_of(networks: Networks) -> DiscriminatorBackbone | None:
    discriminator = networks.discriminator
    return discriminator.backbone if isinstance(discriminator, BackboneDiscriminator) else None


def in_double(networks: Networks) -> None:
    f: Any = networks.f
    for module in (f.classifier, f.space, networks.generator, networks.discriminator):
        module.double()


@pytest.mark.parametrize(
    "kind", ["shared", "known", "blackbox", "known, learns", "blackbox, learns", "blackbox, surrogate"]
)
@pytest.mark.parametrize("problem", ["enhance", "adversarial"])
@pytest.mark.parametrize("loss", ["least-squares", "logistic"])
@pytest.mark.parametrize("space", ["pixel", "normalized"])
def test_steps_are_algorithm_1_to_ten_digits(
    settings: TrainingSettings,
    classifier: Classifier,
    digits: ImageDataset,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    problem: str,
    loss: str,
    space: str,
) -> None:
    discriminator, _, learns = kind.partition(", ")
    changes = {"discriminator": discriminator, "problem": problem, "loss": loss, "input_space": space}
    settings = settings.updated(**changes, **{**LITERAL, **(SURROGATE if learns == "surrogate" else {})})
    torch.manual_seed(0)
    networks = build_networks(settings, classifier, image_size=8, device=CPU)
    if backbone_of(networks) is not None and not learns:
        networks = frozen(networks, settings)
    fit_statistics(networks, digits.split("train"), seed=0, precision="fp32")
    check_steps(networks, settings, digits, monkeypatch, gamma=GAMMA)


@pytest.mark.parametrize(
    ("problem", "discriminator", "gamma"),
    [("enhance", "shared", 0.0001), ("adversarial", "known", 3.0), ("adversarial", "blackbox", 3.0)],
)
def test_the_paper_s_recipe_is_algorithm_1(
    classifier: Classifier,
    digits: ImageDataset,
    monkeypatch: pytest.MonkeyPatch,
    problem: str,
    discriminator: str,
    gamma: float,
) -> None:
    """The recipe itself, but for small networks: an encoder that learns, and a linear D on plain features."""
    given: dict[str, Any] = {"recipe": "paper", "problem": problem, "classifier": "f.safetensors"}
    if discriminator == "blackbox":
        given["classifier"] = "http://f/"
    small = {"encoder": "small", "decoder_widths": (8, 8), "image_size": 8, "device": "cpu"}
    own = {"discriminator_backbone": "small", "discriminator_weights": "none"}
    settings = TrainingSettings.make(**given, **small, **(own if problem == "adversarial" else {}))
    assert (settings.discriminator, settings.gamma) == (discriminator, gamma)
    torch.manual_seed(0)
    networks = build_networks(settings, classifier, image_size=8, device=CPU)
    if backbone_of(networks) is not None:
        networks = frozen(networks, settings)
    fit_statistics(
        networks, digits.split("train"), seed=0, precision="fp32", standardized=settings.standardize_features
    )
    assert all(parameter.requires_grad for parameter in networks.generator.parameters())
    weight, bias = networks.discriminator.head.parameters()
    features = torch.randn(4, weight.shape[1])
    logits = networks.discriminator.head(features, torch.empty(4, 0))
    torch.testing.assert_close(logits, (features @ weight.T + bias).squeeze(1))
    check_steps(networks, settings, digits, monkeypatch, gamma=settings.first_gamma)


def check_steps(
    networks: Networks,
    settings: TrainingSettings,
    digits: ImageDataset,
    monkeypatch: pytest.MonkeyPatch,
    *,
    gamma: float,
) -> None:
    in_double(networks)
    # `.float()` takes half precision up to float32; here everything is to stay in float64.
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    literal = Literal(networks, settings, gamma=gamma)
    step = TrainStep(networks, settings, precision="fp32")
    networks.train(True)
    train = digits.split("train")
    for number in range(STEPS):
        rows = np.arange(16) + 16 * number
        pixels, labels = to_pixels(train.images(rows), CPU), torch.from_numpy(train.labels[rows])
        assert pixels.dtype == torch.float64
        expected = literal.step(pixels, labels)
        noise = torch.Generator().manual_seed(number)
        result = step(Batch(pixels, labels, pixels), gamma=gamma, noise=noise)
        for name, value in expected.items():
            assert float(getattr(result, name)) == pytest.approx(value, rel=1e-10, abs=1e-15), name
        assert result.loss_g.dtype == torch.float64
    pairs: list[tuple[nn.Module | None, nn.Module | None]] = [
        (networks.generator, literal.generator),
        (networks.discriminator.head, literal.head),
        (backbone_of(networks), literal.backbone),
    ]
    for ours, written in pairs:
        if ours is None or written is None:
            continue
        theirs = written.state_dict()
        for name, value in ours.state_dict().items():
            torch.testing.assert_close(
                value, theirs[name], rtol=1e-8, atol=1e-10, msg=lambda text, name=name: f"{name}: {text}"
            )
