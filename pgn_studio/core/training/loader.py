"""Training batches as G and f get them: augmented, mixed, encoded where the encoder is frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from pgn_studio.core.augment import augment, draw_mirrored, mirror
from pgn_studio.core.config import TrainingSettings, augmentation
from pgn_studio.core.device import Machine, autocast, to_pixels
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.prefetch import prefetched
from pgn_studio.core.protocols import LabeledImages
from pgn_studio.core.training.feature_cache import FeatureCache
from pgn_studio.core.training.input_mixup import mixed_inputs
from pgn_studio.core.training.schedule import BatchSchedule, generator_for

AUGMENTATION, NOISE = 1, 2  # a step's random streams are kept apart by numbers


class Batch(NamedTuple):
    """Everything on the device of training."""

    pixels: Tensor  # (B, 3, S, S) in [0, 1], what G sees
    labels: Tensor  # (B,)
    classifier_input: Tensor  # (B, 3, S, S) in [0, 1], what p is added to: `pixels` where nothing is mixed
    encoded: Tensor | None = None  # (B, C, h, w), the frozen encoder's features of `pixels` where kept
    outputs: Tensor | None = None  # f's for `classifier_input` where kept: (B,) or (B, K)


def lasting_features(generator: Generator, machine: Machine) -> Callable[[Tensor], Tensor] | None:
    """A frozen encoder's features of pixels, to be kept; None where it learns and says ever other things."""
    if generator.encoder_trained:
        return None

    def encode(pixels: Tensor) -> Tensor:
        with autocast(machine.precision, machine.device):
            return generator.encode(pixels)

    return encode


def feature_cache_for(
    split: LabeledImages, compute: Callable[[Tensor], Tensor] | None, settings: TrainingSettings
) -> FeatureCache | None:
    """Of what `compute` says of the images of a split; None where each comes in ever other forms."""
    few = augmentation(settings.augment, settings.dataset) in ("none", "flip")
    if compute is None or not few:
        return None
    return FeatureCache(compute, images=len(split), most_bytes=settings.cache_mb * 2**20)


class Loader:
    """A function of (seed, step) alone: PGN and white-box learn from the same batches."""

    def __init__(
        self,
        split: LabeledImages,
        settings: TrainingSettings,
        *,
        encoded: FeatureCache | None,
        outputs: Callable[[Tensor], Tensor] | None,
        seed: int,
        input_mixup: float,
        device: torch.device,
        schedule: BatchSchedule | None = None,
    ) -> None:
        """`encoded`, `outputs`: a frozen encoder's features and f's outputs for pixels, where worth keeping.

        `schedule` is that of a run whose batch has shrunk; by default it is the settings' all along.
        """
        self.split, self.settings, self.device = split, settings, device
        self.seed, self.input_mixup = seed, input_mixup
        self._schedule = schedule or BatchSchedule(len(split), settings.batch_size)
        self.steps_per_epoch = self._schedule.per_epoch
        self._changes = augmentation(settings.augment, settings.dataset)
        self._encoded = encoded
        self._outputs = None if input_mixup else feature_cache_for(split, outputs, settings)

    def epoch(self, epoch: int, *, done: int = 0) -> Iterator[Batch]:
        """The batches of a 0-based epoch after its first `done` ones."""
        batches = self._schedule.batches(epoch, seed=self.seed, done=done)
        ahead = prefetched(self.split, batches, pin=self.device.type == "cuda")
        first = self._schedule.first_step(epoch) + done
        for step, (indices, (images, labels)) in enumerate(zip(batches, ahead, strict=True), start=first):
            draws = generator_for(self.seed, step, AUGMENTATION)
            pixels, mirrored = to_pixels(images, self.device), None
            if self._changes == "flip":
                mirrored = draw_mirrored(len(pixels), draws)
                pixels = mirror(pixels, mirrored)
            else:
                pixels = augment(pixels, self._changes, draws)
            encoded, outputs = (
                None if cache is None else cache(pixels, indices, mirrored)
                for cache in (self._encoded, self._outputs)
            )
            shown = mixed_inputs(pixels, self.input_mixup, draws)
            yield Batch(pixels, labels.to(self.device, non_blocking=True), shown, encoded, outputs)
