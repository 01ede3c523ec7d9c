"""From settings to networks: the networks of a run, and the statistics they need before step one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.classifiers import Classifier, SmallCNN
from pgn_studio.core.classifiers.programs.network import ExportedNetwork
from pgn_studio.core.config import DiscriminatorKind, HeadName, TrainingSettings, soft_targets
from pgn_studio.core.device import autocast, to_pixels
from pgn_studio.core.encoders import default_size, imagenet_backbone
from pgn_studio.core.errors import ConfigError, WeightsError
from pgn_studio.core.perturbation.condition import (
    Condition,
    ConditionEncoder,
    ImageCondition,
    PrincipalComponents,
)
from pgn_studio.core.perturbation.discriminators.backbone import (
    DiscriminatorBackbone,
    FrozenBackboneDiscriminator,
    LearningBackboneDiscriminator,
)
from pgn_studio.core.perturbation.discriminators.base import Discriminator, FrozenClassifier, SuccessHead
from pgn_studio.core.perturbation.discriminators.shared import SharedDiscriminator
from pgn_studio.core.perturbation.discriminators.surrogate import SurrogateDiscriminator, SurrogateHead
from pgn_studio.core.perturbation.feature_noise import FeatureNoise, NoFeatureNoise
from pgn_studio.core.perturbation.generator import Generator, SmallEncoder
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.pgn import build_generator
from pgn_studio.core.protocols import LabeledImages, Progress
from pgn_studio.core.training.feature_cache import FeatureCache
from pgn_studio.core.training.schedule import Order
from pgn_studio.core.training.step import Networks

_FIT_IMAGES = 2048  # enough for 64 principal components; more would only cost time
_FIT_BATCH = 128
_NO_WEIGHTS = Advice(
    "Without a network: download the weights elsewhere and give their file as {}, or let the discriminator"
    " learn from random ones: {}.",
    Setting("discriminator_weights"),
    Setting("discriminator_weights", "none"),
)


def build_networks(
    settings: TrainingSettings, classifier: Classifier, *, image_size: int, device: torch.device
) -> Networks:
    """All networks on `device`. Raises ConfigError where settings and classifier do not go together."""
    info = classifier.info
    space = InputSpace(settings.input_space, mean=info.mean, std=info.std)
    f = FrozenClassifier(classifier, space, soft=soft_targets(settings))
    generator = build_generator(settings, image_size=image_size, classes=len(info.classes))
    plan = DiscriminatorPlan(settings, classifier, f, generator, image_size)
    discriminator = DISCRIMINATORS[settings.discriminator](plan)
    feature_noise = build_feature_noise(settings, generator)
    classifier.to(device)
    for module in (space, generator, discriminator, feature_noise):
        module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Networks(f, generator, discriminator, feature_noise)


def build_feature_noise(settings: TrainingSettings, generator: Generator) -> NoFeatureNoise:
    """It is off where the encoder learns: its features have no lasting size."""
    if not settings.feature_noise or generator.encoder_trained:
        return NoFeatureNoise()
    return FeatureNoise(generator.encoder.feature_dim, strength=settings.feature_noise)


@dataclass(frozen=True)
class DiscriminatorPlan:
    """What a discriminator is built for."""

    settings: TrainingSettings
    classifier: Classifier
    f: FrozenClassifier
    generator: Generator
    image_size: int

    @property
    def classes(self) -> int:
        """How many labels D is told one of; 0: it is not told the label."""
        return len(self.classifier.info.classes) if self.settings.label_conditioning else 0

    def condition(self) -> Condition:
        return Condition(self._image_condition(), classes=self.classes)

    def _image_condition(self) -> ImageCondition:
        settings, generator = self.settings, self.generator
        if not settings.image_conditioning:
            return ImageCondition()
        if generator.encoder_trained:  # its features move: D learns its own instead
            return ConditionEncoder(image_size=self.image_size, dim=settings.condition_dim)
        return PrincipalComponents(generator.encoder.feature_dim, components=settings.condition_dim)

    def success_head(self, feature_dim: int, condition: Condition, head: HeadName) -> SuccessHead:
        return SuccessHead(
            feature_dim=feature_dim,
            condition_dim=condition.dim,
            classes=self.classes,
            head="linear" if head == "linear" else "mlp",
        )


def _shared(plan: DiscriminatorPlan) -> Discriminator:
    head, classifier = head_name(plan.settings, learns=False), plan.classifier
    if not classifier.has_features:
        why = classifier.info.facts.get("Features", "none").removeprefix("none").strip(": ")
        raise ConfigError(
            f"A shared discriminator needs the features of {classifier.info.arch}, which gives none"
            f"{f' ({why})' if why else ''}.",
            hint=Advice("Use {}: it only asks for labels.", Setting("discriminator", "blackbox")),
        )
    condition = plan.condition()
    return SharedDiscriminator(
        plan.settings,
        plan.f,
        head=plan.success_head(classifier.feature_dim, condition, head),
        condition=condition,
    )


def _with_backbone(plan: DiscriminatorPlan) -> Discriminator:
    """Weights are drawn in this order: the backbone's, the condition's, the head's."""
    settings, classes = plan.settings, len(plan.classifier.info.classes)
    learns = backbone_learns(settings, plan.classifier)
    head = head_name(settings, learns=learns)
    backbone = _build_backbone(plan, learns=learns, classes=classes if learns and head != "surrogate" else 0)
    if head == "surrogate":
        return SurrogateDiscriminator(
            settings,
            plan.f,
            backbone=backbone,
            head=SurrogateHead(feature_dim=backbone.feature_dim, classes=classes, problem=settings.problem),
            condition=Condition(ImageCondition(), classes=classes),
        )
    condition = plan.condition()
    kind = LearningBackboneDiscriminator if learns else FrozenBackboneDiscriminator
    return kind(
        settings,
        plan.f,
        backbone=backbone,
        head=plan.success_head(backbone.feature_dim, condition, head),
        condition=condition,
    )


DISCRIMINATORS: Mapping[DiscriminatorKind, Callable[[DiscriminatorPlan], Discriminator]] = {
    "shared": _shared,
    "known": _with_backbone,
    "blackbox": _with_backbone,
}


def head_name(settings: TrainingSettings, *, learns: bool) -> Literal["linear", "mlp", "surrogate"]:
    """What D's head is. `learns`: whether D has a backbone of its own that does."""
    predicts = learns and settings.label_conditioning
    if settings.head == "auto":
        return "surrogate" if predicts else "mlp"
    if settings.head == "surrogate" and not predicts:
        raise ConfigError(
            "A head that names labels needs a backbone of D's own that learns, and the true label.",
            hint=Advice(
                "Use {} and leave {} on, or leave {} at auto.",
                Setting("discriminator", "blackbox"),
                Setting("label_conditioning"),
                Setting("head"),
            ),
        )
    return settings.head


def backbone_learns(settings: TrainingSettings, classifier: Classifier) -> bool:
    if settings.discriminator == "shared":
        return False
    return backbone_name(settings, classifier) == "small" or settings.discriminator_weights == "none"


def _build_backbone(plan: DiscriminatorPlan, *, learns: bool, classes: int) -> DiscriminatorBackbone:
    """`classes`: how many labels of f it predicts itself; 0 where it is frozen, or D's head does."""
    settings, image_size = plan.settings, plan.image_size
    name, weights = backbone_name(settings, plan.classifier), settings.discriminator_weights
    if name != "small":
        size = default_size(name, image_size)
        try:
            network = imagenet_backbone(name, weights, size=size)
        except WeightsError as error:
            raise WeightsError(error.message, hint=_NO_WEIGHTS, details=error.details) from error
        return DiscriminatorBackbone(network, size=size, trained=learns, classes=classes)
    if weights not in ("auto", "none"):
        raise ConfigError(
            f"There are no weights for a small discriminator backbone, got {weights!r}.",
            hint=Advice(
                "Use {}, so that it learns, or another {}.",
                Setting("discriminator_weights", "none"),
                Setting("discriminator_backbone"),
            ),
        )
    if settings.discriminator == "blackbox":
        encoder = SmallEncoder.fitting(image_size)
        return DiscriminatorBackbone(encoder, size=image_size, trained=learns, classes=classes)
    twin = SmallCNN(len(plan.classifier.info.classes), image_size=image_size)
    del twin.fc  # D has a head of its own
    return DiscriminatorBackbone(twin, size=image_size, trained=learns, classes=classes)


def backbone_name(settings: TrainingSettings, classifier: Classifier) -> str:
    """known: f's own architecture. blackbox: the paper's ResNet-101, or a small one that learns (§3.4)."""
    if settings.discriminator_backbone != "auto":
        return settings.discriminator_backbone
    if settings.discriminator == "known":
        if isinstance(classifier.net, ExportedNetwork):
            raise ConfigError(
                "A known discriminator needs the classifier's architecture: an exported program says none.",
                hint=Advice(
                    "Name it with {}, or use {}.",
                    Setting("discriminator_backbone"),
                    Setting("discriminator", "shared"),
                ),
            )
        return classifier.info.arch
    return "resnet101" if settings.recipe == "paper" else "small"


@torch.no_grad()
def fit_statistics(
    networks: Networks,
    split: LabeledImages,
    *,
    seed: int,
    precision: str,
    standardized: bool = True,
    memory: FeatureCache | None = None,
    progress: Progress | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Fit what must stand still: the condition's components, the scales of D's features and of the noise.

    `standardized`: whether D's frozen features are scaled. `memory` keeps what the encoder says for the
    steps to come. Once `stopping`, the images so far must do.
    """
    discriminator = networks.discriminator
    parts: list[ImageCondition | NoFeatureNoise] = [discriminator.condition.image, networks.feature_noise]
    of_encoder = [part for part in parts if part.reads_encoder]
    needs_scale = standardized and discriminator.scales_features
    if not needs_scale and not of_encoder:
        return
    device = networks.f.space.mean.device
    encoded, features = [], []
    networks.train(False)
    images = min(len(split), _FIT_IMAGES)
    done = 0
    for sample in sampled(split, seed=seed, device=device):
        if of_encoder:
            pooled = pooled_features(networks.generator, sample, precision=precision, memory=memory)
            encoded.append(pooled)
        if needs_scale:
            with autocast(precision, device):
                features.append(discriminator.clean_features(sample.pixels).float())
        done += len(sample.indices)
        if progress is not None:
            progress(done, images)
        if stopping():
            break
    for part in of_encoder:
        part.fit(torch.cat(encoded))
    if needs_scale:
        discriminator.fit_scale(torch.cat(features))


class Sample(NamedTuple):
    pixels: Tensor  # (B, 3, S, S)
    indices: Order  # (B,), in the split


def sampled(split: LabeledImages, *, seed: int, device: torch.device) -> Iterator[Sample]:
    """The training images that statistics are fitted on."""
    order = np.random.default_rng([seed, 0]).permutation(len(split))[:_FIT_IMAGES]
    for start in range(0, len(order), _FIT_BATCH):
        indices = order[start : start + _FIT_BATCH]
        yield Sample(to_pixels(split.images(indices), device), indices)


def pooled_features(
    generator: Generator, sample: Sample, *, precision: str, memory: FeatureCache | None
) -> Tensor:
    """What the encoder sees of the images, averaged over places: (B, C) float32."""
    features = None if memory is None else memory(sample.pixels, sample.indices, None)
    if features is None:
        with autocast(precision, sample.pixels.device):
            features = generator.encode(sample.pixels)
    return features.float().mean((2, 3))
