"""The next batches of images made ready in a thread while the one before is computed with."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pgn_studio.core.protocols import LabeledImages

Indices = npt.NDArray[np.int64]

_AHEAD = 3  # batches: a slow file, or a busy machine, is made up for


def prefetched(
    split: LabeledImages, batches: Iterable[Indices], *, pin: bool = False
) -> Generator[tuple[Tensor, Tensor], None, None]:
    """Pairs of uint8 images (B, H, W, 3) and labels (B,) on the CPU; three batches are decoded ahead.

    `pin`: in page-locked memory, so that the copy to a GPU does not wait.
    """

    def make(indices: Indices) -> tuple[Tensor, Tensor]:
        images = torch.from_numpy(split.images(indices))
        labels = torch.from_numpy(np.asarray(split.labels)[indices])
        return (images.pin_memory(), labels.pin_memory()) if pin else (images, labels)

    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pgn-batches")
    upcoming = iter(batches)
    ahead = deque(pool.submit(make, indices) for indices in islice(upcoming, _AHEAD))
    try:
        while ahead:
            ready = ahead.popleft().result()
            ahead.extend(pool.submit(make, indices) for indices in islice(upcoming, 1))
            yield ready
    finally:  # what has not begun is dropped
        pool.shutdown(wait=True, cancel_futures=True)
