"""Which images each step takes: their order, how many at once, and where in which epoch a step is.

Order, augmentation and noise are functions of (seed, epoch, step) alone, so a resumed run draws
what an uninterrupted one would have drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pgn_studio.core.config import TrainingSettings, default_steps

Order = npt.NDArray[np.int64]  # images, by their numbers

_DEFAULT_EPOCHS, _MOST_EPOCHS = 15, 200
SMALLEST_BATCH = 2  # batch norm needs two


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Batches in an epoch; a last one of a single image is left out."""
    full, rest = divmod(count, batch_size)
    return full + (rest >= SMALLEST_BATCH)


def training_epochs(settings: TrainingSettings, train_images: int) -> int:
    """What the settings say; else 15, or on few images as many as make the default steps, but at most 200."""
    if settings.epochs is not None:
        return settings.epochs
    per_epoch = max(1, steps_per_epoch(train_images, settings.batch_size))
    steps = default_steps(settings.problem, settings.discriminator)
    return min(_MOST_EPOCHS, max(_DEFAULT_EPOCHS, -(-steps // per_epoch)))


def generator_for(*numbers: int) -> torch.Generator:
    """A CPU generator seeded by several numbers together."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(seed)


def epoch_batches(count: int, batch_size: int, *, seed: int, epoch: int, taken: int = 0) -> list[Order]:
    """Every image but the first `taken` once, in the order that (seed, epoch) draw, cut into batches."""
    order = np.random.default_rng([seed, epoch]).permutation(count)[taken:]
    steps = steps_per_epoch(len(order), batch_size)
    return [order[start * batch_size : (start + 1) * batch_size] for start in range(steps)]


@dataclass(frozen=True)
class BatchSchedule:
    """From `step` on, `batch_size` images a step.

    The 0-based `epoch` of that step had had `done` steps by then, which took `taken` of its images.
    """

    images: int  # in the training split
    batch_size: int
    step: int = 0
    epoch: int = 0
    done: int = 0
    taken: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for what no run can have written."""
        counts = (self.images, self.batch_size, self.step, self.epoch, self.done, self.taken)
        sound = all(isinstance(count, int) and count >= 0 for count in counts)
        if not sound or self.batch_size < SMALLEST_BATCH:
            raise ValueError(f"not a schedule: {self}")

    @property
    def per_epoch(self) -> int:
        """Steps in an epoch that is wholly at this batch size."""
        return steps_per_epoch(self.images, self.batch_size)

    def steps_in(self, epoch: int) -> int:
        """Steps in a 0-based epoch, not before the one in which this schedule began."""
        if epoch > self.epoch:
            return self.per_epoch
        return self.done + steps_per_epoch(self.images - self.taken, self.batch_size)

    def first_step(self, epoch: int) -> int:
        """Steps done before a 0-based epoch begins."""
        began = self.step - self.done
        if epoch == self.epoch:
            return began
        return began + self.steps_in(self.epoch) + (epoch - self.epoch - 1) * self.per_epoch

    def place(self, step: int) -> tuple[int, int]:
        """Epochs that are complete after `step` steps, and steps done in the next one."""
        first = self.steps_in(self.epoch)
        within = step - self.first_step(self.epoch)
        if within < first:
            return self.epoch, within
        more, done = divmod(within - first, self.per_epoch)
        return self.epoch + 1 + more, done

    def batches(self, epoch: int, *, seed: int, done: int) -> list[Order]:
        """The images of an epoch's steps after its first `done` ones."""
        if epoch > self.epoch:
            return epoch_batches(self.images, self.batch_size, seed=seed, epoch=epoch)[done:]
        rest = epoch_batches(self.images, self.batch_size, seed=seed, epoch=epoch, taken=self.taken)
        return rest[done - self.done :]

    def changed(self, batch_size: int, *, step: int) -> BatchSchedule:
        """The same run, but `batch_size` images a step after its first `step` steps."""
        if batch_size == self.batch_size:
            return self
        epoch, done = self.place(step)
        at_once = done if epoch > self.epoch else done - self.done  # steps of this epoch at this batch size
        taken = at_once * self.batch_size + (0 if epoch > self.epoch else self.taken)
        return BatchSchedule(self.images, batch_size, step, epoch, done, taken)
