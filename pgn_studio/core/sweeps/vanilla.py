"""A classifier alone on a split: accuracy and macro average precision."""

from __future__ import annotations

import numpy as np
import torch

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.device import full_precision, to_pixels
from pgn_studio.core.evaluation.metrics import accuracy, macro_average_precision
from pgn_studio.core.protocols import LabeledImages, Progress
from pgn_studio.core.sweeps.jobs import Figures

_BATCH = 64


@torch.inference_mode()
def measure_vanilla(
    classifier: Classifier,
    split: LabeledImages,
    *,
    device: torch.device,
    progress: Progress | None = None,
) -> Figures:
    """clean_accuracy and map_clean of images as they are; brings the classifier to `device`."""
    classifier.to(device)
    scores = []
    for start in range(0, len(split), _BATCH):
        chosen = np.arange(start, min(start + _BATCH, len(split)))
        with full_precision(device):
            logits = classifier(to_pixels(split.images(chosen), device))
        scores.append(torch.softmax(logits.float(), dim=1).cpu().numpy())
        if progress is not None:
            progress(int(chosen[-1]) + 1, len(split))
    whole = np.concatenate(scores)
    labels = np.asarray(split.labels, dtype=np.int64)
    return {
        "precision": "fp32",
        "n": len(labels),
        "clean_accuracy": accuracy(whole.argmax(1), labels),
        "map_clean": macro_average_precision(whole, labels),
    }
