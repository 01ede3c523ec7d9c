"""From settings to networks: the networks of a run, and the statistics they need before step one."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgn_studio.core.choices import DISCRIMINATORS
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import TrainingSettings, soft_targets
from pgn_studio.core.device import autocast, to_pixels
from pgn_studio.core.perturbation.condition import ImageCondition
from pgn_studio.core.perturbation.discriminators.base import Discriminator, FrozenClassifier
from pgn_studio.core.perturbation.discriminators.plan import DiscriminatorPlan
from pgn_studio.core.perturbation.feature_noise import FeatureNoise, NoFeatureNoise
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.pgn import build_generator
from pgn_studio.core.protocols import LabeledImages, Progress
from pgn_studio.core.training.feature_cache import FeatureCache
from pgn_studio.core.training.schedule import Order
from pgn_studio.core.training.step import Networks

_FIT_IMAGES = 2048  # enough for 64 principal components; more would only cost time
_FIT_BATCH = 128


def build_networks(
    settings: TrainingSettings, classifier: Classifier, *, image_size: int, device: torch.device
) -> Networks:
    """All networks on `device`. Raises ConfigError where settings and classifier do not go together."""
    info = classifier.info
    space = InputSpace(settings.input_space, mean=info.mean, std=info.std)
    f = FrozenClassifier(classifier, space, soft=soft_targets(settings))
    generator = build_generator(settings, image_size=image_size, classes=len(info.classes))
    plan = DiscriminatorPlan(settings, classifier, f, generator, image_size)
    discriminator = build_discriminator(plan)
    feature_noise = build_feature_noise(settings, generator)
    classifier.to(device)
    for module in (space, generator, discriminator, feature_noise):
        module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Networks(f, generator, discriminator, feature_noise)


def build_discriminator(plan: DiscriminatorPlan) -> Discriminator:
    choice = DISCRIMINATORS[plan.settings.discriminator]
    build: Callable[[DiscriminatorPlan], Discriminator] = pkgutil.resolve_name(choice.made_by)
    return build(plan)


def build_feature_noise(settings: TrainingSettings, generator: Generator) -> NoFeatureNoise:
    """It is off where the encoder learns: its features have no lasting size."""
    if not settings.feature_noise or generator.encoder_trained:
        return NoFeatureNoise()
    return FeatureNoise(generator.encoder.feature_dim, strength=settings.feature_noise)


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
