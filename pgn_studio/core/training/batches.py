"""The order of images, batch by batch, and the next batch made ready while this one is computed.

Order, augmentation and noise are functions of (seed, epoch, step) alone, so a resumed run draws
what an uninterrupted one would have drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pgn_studio.core.protocols import LabelledImages

_SMALLEST_BATCH = 2  # batch norm needs two


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Batches in an epoch; a last one of a single image is left out."""
    full, rest = divmod(count, batch_size)
    return full + (rest >= _SMALLEST_BATCH)


def generator_for(*numbers: int) -> torch.Generator:
    """A CPU generator seeded by several numbers together."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(seed)


def epoch_batches(count: int, batch_size: int, *, seed: int, epoch: int) -> list[npt.NDArray[np.int64]]:
    """Every image once in the order that (seed, epoch) draw, cut into batches."""
    order = np.random.default_rng([seed, epoch]).permutation(count)
    steps = steps_per_epoch(count, batch_size)
    return [order[start * batch_size : (start + 1) * batch_size] for start in range(steps)]


def prefetched(
    split: LabelledImages, batches: list[npt.NDArray[np.int64]], *, pin: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of uint8 images (B, H, W, 3) and labels (B,) on the CPU; one batch is decoded ahead.

    `pin`: in page-locked memory, so that the copy to a GPU does not wait.
    """

    def make(indices: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        images = torch.from_numpy(split.images(indices))
        labels = torch.from_numpy(np.asarray(split.labels)[indices])
        return (images.pin_memory(), labels.pin_memory()) if pin else (images, labels)

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="pgn-batches") as pool:
        ahead = pool.submit(make, batches[0]) if batches else None
        for following in [*batches[1:], None]:
            if ahead is None:
                return
            ready = ahead.result()
            ahead = None if following is None else pool.submit(make, following)
            yield ready
