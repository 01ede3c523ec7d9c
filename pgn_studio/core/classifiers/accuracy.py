"""Share of images that a network classifies rightly, always in float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pgn_studio.core.classifiers.classifier import Classifier
from pgn_studio.core.device import full_precision, pick_device, to_pixels
from pgn_studio.core.protocols import LabelledImages, Labels, Progress

Indices = npt.NDArray[np.int64]


def measure_accuracy(
    classifier: Classifier,
    split: LabelledImages,
    *,
    batch_size: int = 256,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> float:
    """Share (0…1) of the split's images that the classifier gets right; moves it to `device`.

    `progress` is told after each batch and may raise Cancelled.
    """
    target = pick_device(device) if isinstance(device, str) else device
    return accuracy_of(
        classifier.to(target),
        split,
        np.arange(len(split)),
        batch_size=batch_size,
        device=target,
        progress=progress,
    )


def accuracy_of(
    logits_of: Callable[[Tensor], Tensor],
    split: LabelledImages,
    indices: Indices,
    *,
    batch_size: int,
    device: torch.device,
    progress: Progress | None = None,
) -> float:
    """As `measure_accuracy`, for any function of pixels (N, 3, H, W) in [0, 1] and chosen images."""
    predicted = predictions_of(
        logits_of, split, indices, batch_size=batch_size, device=device, progress=progress
    )
    return int((predicted == split.labels[indices]).sum()) / max(1, len(indices))


@torch.no_grad()
def predictions_of(
    logits_of: Callable[[Tensor], Tensor],
    split: LabelledImages,
    indices: Indices,
    *,
    batch_size: int,
    device: torch.device,
    progress: Progress | None = None,
) -> Labels:
    """The predicted class of each of the chosen images (N,)."""
    parts = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(indices), batch_size):
        batch = indices[start : start + batch_size]
        with full_precision(device):
            logits = logits_of(to_pixels(split.images(batch), device))
        parts.append(logits.argmax(dim=1).cpu().numpy().astype(np.int64))
        if progress is not None:
            progress(min(start + batch_size, len(indices)), len(indices))
    return np.concatenate(parts)


def evenly_spaced(indices: Sequence[int] | Indices, limit: int) -> Indices:
    """At most `limit` of `indices`, spread over all of them: enough to estimate a mean."""
    step = max(1, -(-len(indices) // limit))
    return np.asarray(indices, dtype=np.int64)[::step]
