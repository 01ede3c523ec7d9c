"""Equal strength: one factor for all images, found on the validation split."""

from __future__ import annotations

import numpy as np
import torch

from pgn_studio.core.baselines.context import BaselineContext
from pgn_studio.core.device import full_precision, to_pixels
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.evaluation.batch import perturbation_sizes
from pgn_studio.core.evaluation.perturber import Perturber, Scaled
from pgn_studio.core.protocols import Progress

BATCH = 64


def mean_rms(perturber: Perturber, context: BaselineContext, progress: Progress | None = None) -> float:
    """Mean over the validation images of the RMS per value of p."""
    val, device = context.val, context.device
    labels = np.asarray(val.labels)
    total = 0.0
    for start in range(0, len(val), BATCH):
        chosen = np.arange(start, min(start + BATCH, len(val)))
        pixels = to_pixels(val.images(chosen), device)
        with full_precision(device):
            result = perturber.perturb(pixels, torch.from_numpy(labels[chosen]).to(device))
        total += float(perturbation_sizes(result.perturbation.float())[1].sum(dtype=np.float64))
        if progress is not None:
            progress(int(chosen[-1]) + 1, len(val))
    return total / len(val)


def matched(
    perturber: Perturber,
    context: BaselineContext,
    *,
    enlarge: bool = True,
    progress: Progress | None = None,
) -> tuple[Scaled, float]:
    """The perturber times the factor that brings its mean RMS to the target; and the RMS that it has then.

    Without `enlarge` the factor is 1 at most. Raises ClassifierError where p is zero, or not finite,
    on all validation images: no factor helps there.
    """
    own = mean_rms(perturber, context, progress)
    if context.rms > 0 and enlarge and not (np.isfinite(own) and own > 0):
        raise ClassifierError(
            f"This baseline's perturbations have the size {own} on validation: nothing to scale.",
            hint="The classifier's gradients vanish or are not finite: check its weights and normalization.",
        )
    factor = context.rms / own if own > 0 else 0.0
    if not enlarge:
        factor = min(1.0, factor)
    return Scaled(perturber, context.space, factor), factor * own
