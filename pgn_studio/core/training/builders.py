"""From settings to networks: the networks of a run, and the statistics they need before step one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgn_studio.core.classifiers import Classifier, SmallCNN
from pgn_studio.core.classifiers.programs.network import ExportedNetwork
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.device import autocast, to_pixels
from pgn_studio.core.encoders import default_size, imagenet_backbone
from pgn_studio.core.errors import ConfigError, WeightsError
from pgn_studio.core.perturbation.condition import ConditionEncoder, PrincipalComponents
from pgn_studio.core.perturbation.discriminator import (
    Discriminator,
    DiscriminatorBackbone,
    SurrogateDiscriminator,
)
from pgn_studio.core.perturbation.feature_noise import FeatureNoise
from pgn_studio.core.perturbation.generator import Generator, SmallEncoder
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.pgn import build_generator
from pgn_studio.core.protocols import LabeledImages, Progress
from pgn_studio.core.training.batches import Order
from pgn_studio.core.training.feature_cache import FeatureCache
from pgn_studio.core.training.step import Networks

_FIT_IMAGES = 2048  # enough for 64 principal components; more would only cost time
_FIT_BATCH = 128
_NO_WEIGHTS = (
    "Without a network: download the weights elsewhere and pass them as --discriminator-weights FILE, or let"
    " the discriminator learn from random ones, --discriminator-weights none."
)


def build_networks(
    settings: TrainingSettings, classifier: Classifier, *, image_size: int, device: torch.device
) -> Networks:
    """All networks on `device`. Raises ConfigError where settings and classifier do not go together."""
    info = classifier.info
    space = InputSpace(settings.input_space, mean=info.mean, std=info.std)
    generator = build_generator(settings, image_size=image_size, classes=len(info.classes))
    classes = len(info.classes) if settings.label_conditioning else 0
    learns = backbone_learns(settings, classifier)
    head = head_name(settings, learns=learns)
    named = len(info.classes) if learns and head != "surrogate" else 0
    backbone = _build_backbone(settings, classifier, image_size, learns=learns, named=named)
    if backbone is None:
        if not classifier.has_features:
            why = info.facts.get("Features", "none").removeprefix("none").strip(": ")
            raise ConfigError(
                f"A shared discriminator needs the features of {info.arch}, which gives none"
                f"{f' ({why})' if why else ''}.",
                hint="Use --discriminator blackbox: it only asks for labels.",
            )
        feature_dim = classifier.feature_dim
    else:
        feature_dim = backbone.feature_dim
    feature_noise = build_feature_noise(settings, generator)
    condition: PrincipalComponents | ConditionEncoder | None = None
    discriminator: Discriminator | SurrogateDiscriminator
    if head == "surrogate":
        discriminator = SurrogateDiscriminator(
            feature_dim=feature_dim, classes=classes, problem=settings.problem
        )
    else:
        condition = _build_condition(settings, generator, image_size)
        told = classes + (0 if condition is None else condition.dim)
        discriminator = Discriminator(feature_dim=feature_dim, condition_dim=told, classes=classes, head=head)
    classifier.to(device)
    for module in (space, generator, discriminator, backbone, condition, feature_noise):
        if module is not None:
            module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Networks(classifier, space, generator, discriminator, backbone, condition, feature_noise)


def build_feature_noise(settings: TrainingSettings, generator: Generator) -> FeatureNoise | None:
    """None where it is off, and where the encoder learns: its features have no lasting size."""
    if not settings.feature_noise or generator.encoder_trained:
        return None
    return FeatureNoise(generator.encoder.feature_dim, strength=settings.feature_noise)


def _build_condition(
    settings: TrainingSettings, generator: Generator, image_size: int
) -> PrincipalComponents | ConditionEncoder | None:
    if not settings.image_conditioning:
        return None
    if generator.encoder_trained:  # its features move: D learns its own instead
        return ConditionEncoder(image_size=image_size, dim=settings.condition_dim)
    return PrincipalComponents(generator.encoder.feature_dim, components=settings.condition_dim)


def head_name(settings: TrainingSettings, *, learns: bool) -> Literal["linear", "mlp", "surrogate"]:
    """What D's head is. `learns`: whether D has a backbone of its own that does."""
    names = learns and settings.label_conditioning
    if settings.head == "auto":
        return "surrogate" if names else "mlp"
    if settings.head == "surrogate" and not names:
        raise ConfigError(
            "A head that names labels needs a backbone of D's own that learns, and the true label.",
            hint="Use --discriminator blackbox and leave label_conditioning on, or leave head at auto.",
        )
    return settings.head


def backbone_learns(settings: TrainingSettings, classifier: Classifier) -> bool:
    if settings.discriminator == "shared":
        return False
    return backbone_name(settings, classifier) == "small" or settings.discriminator_weights == "none"


def _build_backbone(
    settings: TrainingSettings, classifier: Classifier, image_size: int, *, learns: bool, named: int
) -> DiscriminatorBackbone | None:
    """`named`: how many labels of f the backbone itself names; 0 where it is frozen, or D's head does."""
    if settings.discriminator == "shared":
        return None
    name, weights = backbone_name(settings, classifier), settings.discriminator_weights
    if name != "small":
        size = default_size(name, image_size)
        try:
            network = imagenet_backbone(name, weights, size=size)
        except WeightsError as error:
            raise WeightsError(error.message, hint=_NO_WEIGHTS, details=error.details) from error
        return DiscriminatorBackbone(network, size=size, trained=learns, classes=named)
    if weights not in ("auto", "none"):
        raise ConfigError(
            f"There are no weights for a small discriminator backbone, got {weights!r}.",
            hint="Use --discriminator-weights none, so that it learns, or another --discriminator-backbone.",
        )
    if settings.discriminator == "blackbox":
        encoder = SmallEncoder.fitting(image_size)
        return DiscriminatorBackbone(encoder, size=image_size, trained=learns, classes=named)
    twin = SmallCNN(len(classifier.info.classes), image_size=image_size)
    del twin.fc  # D has a head of its own
    return DiscriminatorBackbone(twin, size=image_size, trained=learns, classes=named)


def backbone_name(settings: TrainingSettings, classifier: Classifier) -> str:
    """known: f's own architecture. blackbox: the paper's ResNet-101, or a small one that learns (§3.4)."""
    if settings.discriminator_backbone != "auto":
        return settings.discriminator_backbone
    if settings.discriminator == "known":
        if isinstance(classifier.net, ExportedNetwork):
            raise ConfigError(
                "--discriminator known needs the classifier's architecture: an exported program says none.",
                hint="Name it with --discriminator-backbone, or use --discriminator shared.",
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
    frozen = networks.backbone is None or not networks.backbone.trained
    needs_scale = frozen and standardized
    needs_encoded = isinstance(networks.condition, PrincipalComponents) or networks.feature_noise is not None
    if not needs_scale and not needs_encoded:
        return
    device = networks.space.mean.device
    encoded, features = [], []
    networks.train(False)
    images = min(len(split), _FIT_IMAGES)
    done = 0
    for sample in sampled(split, seed=seed, device=device):
        if needs_encoded:
            pooled = pooled_features(networks.generator, sample, precision=precision, memory=memory)
            encoded.append(pooled)
        if needs_scale:
            with autocast(precision, device):
                features.append(_features_of(networks, sample.pixels).float())
        done += len(sample.indices)
        if progress is not None:
            progress(done, images)
        if stopping():
            break
    if isinstance(networks.condition, PrincipalComponents):
        networks.condition.fit(torch.cat(encoded))
    if networks.feature_noise is not None:
        networks.feature_noise.fit(torch.cat(encoded))
    if needs_scale:
        assert isinstance(networks.discriminator, Discriminator)  # a head that names looks at what learns
        networks.discriminator.scale.fit(torch.cat(features))


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


def _features_of(networks: Networks, pixels: Tensor) -> Tensor:
    if networks.backbone is not None:
        features: Tensor = networks.backbone(pixels)
        return features
    normalized = networks.space.normalized(networks.space.enter(pixels))
    return networks.classifier.logits_and_features(normalized)[1]
