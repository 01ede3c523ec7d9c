"""Share of images that a network classifies rightly, always in float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pgn_studio.core.classifiers.classifier import Classifier
from pgn_studio.core.device import full_precision, pick_device, to_pixels
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.protocols import LabeledImages, Labels, Progress

Indices = npt.NDArray[np.int64]


def measure_accuracy(
    classifier: Classifier,
    split: LabeledImages,
    *,
    batch_size: int = 256,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
    split_name: str = "",
) -> float:
    """Share (0…1) of the split's images that the classifier gets right; moves it to `device`.

    `progress` is told after each batch and may raise Canceled.
    """
    target = pick_device(device) if isinstance(device, str) else device
    return accuracy_of(
        classifier.to(target),
        split,
        np.arange(len(split)),
        batch_size=batch_size,
        device=target,
        progress=progress,
        split_name=split_name,
    )


def accuracy_of(
    logits_of: Callable[[Tensor], Tensor],
    split: LabeledImages,
    indices: Indices,
    *,
    batch_size: int,
    device: torch.device,
    progress: Progress | None = None,
    split_name: str = "",
) -> float:
    """As `measure_accuracy`, for any function of pixels (N, 3, H, W) in [0, 1] and chosen images."""
    predicted = predictions_of(
        logits_of,
        split,
        indices,
        batch_size=batch_size,
        device=device,
        progress=progress,
        split_name=split_name,
    )
    return int((predicted == split.labels[indices]).sum()) / max(1, len(indices))


@torch.no_grad()
def predictions_of(
    logits_of: Callable[[Tensor], Tensor],
    split: LabeledImages,
    indices: Indices,
    *,
    batch_size: int,
    device: torch.device,
    progress: Progress | None = None,
    split_name: str = "",
) -> Labels:
    """The predicted class of each of the chosen images (N,).

    Raises ClassifierError for scores that are not finite (`check_finite`): NaN would count as class 0.
    """
    parts = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(indices), batch_size):
        batch = indices[start : start + batch_size]
        with full_precision(device):
            logits = logits_of(to_pixels(split.images(batch), device))
        check_finite(logits, partial(_name, split, batch, split_name))
        parts.append(logits.argmax(dim=1).cpu().numpy().astype(np.int64))
        if progress is not None:
            progress(min(start + batch_size, len(indices)), len(indices))
    return np.concatenate(parts)


def check_finite(scores: Tensor, name_of: Callable[[int], str]) -> None:
    """Raise ClassifierError, with the name of the first row of (N, K) that gives no probabilities.

    A single -inf is a class that cannot be.
    """
    bad = ~torch.isfinite(torch.softmax(scores.float(), dim=1)).all(dim=1)
    if bool(bad.any()):
        raise ClassifierError(
            f"The classifier's scores of {name_of(int(bad.nonzero()[0]))} are not finite (NaN or infinity).",
            hint="Check its weights, mean and std, and what it does with such an image: one color all over,"
            " divided by its own spread, is NaN.",
        )


def _name(split: LabeledImages, batch: Indices, split_name: str, row: int) -> str:
    return f"the image {split.names[int(batch[row])]!r}" + (f" of {split_name}" if split_name else "")


def evenly_spaced(indices: Sequence[int] | Indices, limit: int) -> Indices:
    """At most `limit` of `indices`, spread over all of them: enough to estimate a mean."""
    step = max(1, -(-len(indices) // limit))
    return np.asarray(indices, dtype=np.int64)[::step]
