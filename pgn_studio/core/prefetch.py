"""The next batch of images made ready in a thread while the one before is computed with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pgn_studio.core.protocols import LabelledImages

Indices = npt.NDArray[np.int64]


def prefetched(
    split: LabelledImages, batches: Sequence[Indices], *, pin: bool = False
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of uint8 images (B, H, W, 3) and labels (B,) on the CPU; one batch is decoded ahead.

    `pin`: in page-locked memory, so that the copy to a GPU does not wait.
    """

    def make(indices: Indices) -> tuple[Tensor, Tensor]:
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
