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
from pgn_studio.core.perturbation.discriminator import DiscriminatorBackbone
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


NAMING = {"label_conditioning": True, "head": "surrogate", "logit_temperature": 4.0}


class Literal:
    """Algorithm 1 line by line, each quantity computed where it is named, with copies of the networks.

    A backbone that learns also names f's labels, of the clean images too (equation 7 alone would teach it
    too slowly), and judges for G in evaluation mode; where D's head names them, D is what that says of the
    true label, and its odds are brought nearer to one for G; all else is the paper's.
    """

    def __init__(self, networks: Networks, settings: TrainingSettings, *, gamma: float) -> None:
        self.settings = settings
        self.gamma = gamma
        self.classifier = networks.classifier
        self.space = networks.space
        self.generator = copy.deepcopy(networks.generator)
        self.head = copy.deepcopy(networks.discriminator)
        self.backbone = copy.deepcopy(networks.backbone)
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
            return torch.sigmoid(self.head(features))
        right = self.named(features).softmax(1)[torch.arange(len(labels)), labels]
        return right if self.settings.problem == "enhance" else 1 - right

    def named(self, features: Tensor) -> Tensor:
        names = self.head if self.settings.head == "surrogate" else self.backbone
        assert names is not None
        logits: Tensor = names.surrogate(features)  # type: ignore[operator,union-attr]
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

        answers, named_labels, naming, shown = predictions, labels, torch.zeros(()), p.detach()
        if self.backbone is not None and self.backbone.trained:  # it learns from the clean images, too
            clean = self.classifier.logits_normalized(self.input_of_f(pixels, torch.zeros_like(p))).argmax(1)
            answers, named_labels = torch.cat([predictions, clean]), labels.repeat(2)
            pixels_d, shown = pixels.repeat(2, 1, 1, 1), torch.cat([p.detach(), torch.zeros_like(p)])
            features = self.features(pixels_d, shown)
            naming = F.cross_entropy(self.named(features), answers)
        else:
            features = self.features(pixels, shown)
        successes = answers == named_labels
        t_d = (successes if self.settings.problem == "enhance" else ~successes).double()
        loss_d = self.losses(self.judged(features, named_labels), t_d)[0]
        self.adam_d.zero_grad()
        (loss_d + naming).backward()
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


def frozen(networks: Networks) -> Networks:
    """With D's own backbone as pretrained ones are: only its head learns."""
    assert networks.backbone is not None
    return replace(networks, backbone=DiscriminatorBackbone(networks.backbone.network, size=8, trained=False))


def in_double(networks: Networks) -> None:
    for module in (networks.classifier, networks.space, networks.generator, networks.discriminator):
        module.double()
    if networks.backbone is not None:
        networks.backbone.double()


@pytest.mark.parametrize(
    "kind", ["shared", "known", "blackbox", "known, learns", "blackbox, learns", "blackbox, names"]
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
    settings = settings.updated(**changes, **{**LITERAL, **(NAMING if learns == "names" else {})})
    torch.manual_seed(0)
    networks = build_networks(settings, classifier, image_size=8, device=CPU)
    if networks.backbone is not None and not learns:
        networks = frozen(networks)
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
    if networks.backbone is not None:
        networks = frozen(networks)
    fit_statistics(
        networks, digits.split("train"), seed=0, precision="fp32", standardized=settings.standardize_features
    )
    assert all(parameter.requires_grad for parameter in networks.generator.parameters())
    features = torch.randn(4, networks.discriminator.feature_dim)
    weight, bias = networks.discriminator.parameters()
    torch.testing.assert_close(networks.discriminator(features), (features @ weight.T + bias).squeeze(1))
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
        (networks.discriminator, literal.head),
        (networks.backbone, literal.backbone),
    ]
    for ours, written in pairs:
        if ours is None or written is None:
            continue
        theirs = written.state_dict()
        for name, value in ours.state_dict().items():
            torch.testing.assert_close(
                value, theirs[name], rtol=1e-8, atol=1e-10, msg=lambda text, name=name: f"{name}: {text}"
            )
