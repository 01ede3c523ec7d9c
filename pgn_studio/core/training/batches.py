"""The order of images, batch by batch.

Order, augmentation and noise are functions of (seed, epoch, step) alone, so a resumed run draws
what an uninterrupted one would have drawn.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from pgn_studio.core.config import TrainingSettings, default_steps

Order = npt.NDArray[np.int64]  # images, by their numbers

_USUAL_EPOCHS, _MOST_EPOCHS = 15, 200
SMALLEST_BATCH = 2  # batch norm needs two


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Batches in an epoch; a last one of a single image is left out."""
    full, rest = divmod(count, batch_size)
    return full + (rest >= SMALLEST_BATCH)


def training_epochs(settings: TrainingSettings, train_images: int) -> int:
    """What the settings say; else 15, or on few images as many as make the usual steps, but at most 200."""
    if settings.epochs is not None:
        return settings.epochs
    per_epoch = max(1, steps_per_epoch(train_images, settings.batch_size))
    steps = default_steps(settings.problem, settings.discriminator)
    return min(_MOST_EPOCHS, max(_USUAL_EPOCHS, -(-steps // per_epoch)))


def generator_for(*numbers: int) -> torch.Generator:
    """A CPU generator seeded by several numbers together."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(seed)


def epoch_batches(count: int, batch_size: int, *, seed: int, epoch: int, taken: int = 0) -> list[Order]:
    """Every image but the first `taken` once, in the order that (seed, epoch) draw, cut into batches."""
    order = np.random.default_rng([seed, epoch]).permutation(count)[taken:]
    steps = steps_per_epoch(len(order), batch_size)
    return [order[start * batch_size : (start + 1) * batch_size] for start in range(steps)]
