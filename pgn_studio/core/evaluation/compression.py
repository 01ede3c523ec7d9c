"""What is left of a perturbation after saving, and what more or less of it does.

One pass over a split: each batch is perturbed once, then the classifier is asked about all variants of
it. Only predictions are kept, so memory does not grow with the image size.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.device import full_precision, to_pixels
from pgn_studio.core.errors import DataError
from pgn_studio.core.evaluation.batch import ClassifiedBatch, classify_batch, to_8bit, to_uint8
from pgn_studio.core.evaluation.evaluate import place
from pgn_studio.core.evaluation.metrics import Scores
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.core.protocols import LabeledImages, Progress, UInt8Images

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
JPEG_QUALITIES = (95, 75)

Predictions = npt.NDArray[np.int64]  # (variants, N)


@dataclass(frozen=True)
class Variants:
    """Predictions for every image of a split in other forms, and the class probabilities."""

    strength: Predictions  # of x + αp, one row for each α
    strength_8bit: Predictions  # the same clamped and rounded to 8 bits
    clean_jpeg: Predictions  # of the original as JPEG, one row for each quality
    perturbed_jpeg: Predictions  # of the perturbed image as JPEG
    clean_scores: Scores  # (N, K)
    perturbed_scores: Scores
    perturbed_8bit_scores: Scores  # of the perturbed images clamped and rounded to 8 bits


def measure_variants(
    pgn: Pgn,
    classifier: Classifier,
    split: LabeledImages,
    *,
    alphas: Sequence[float] = ALPHAS,
    qualities: Sequence[int] = JPEG_QUALITIES,
    batch_size: int = 64,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> Variants:
    """Ask the classifier about every image of `split` at all strengths and as JPEG.

    α = 0 is the clean image and α = 1 the perturbed one of `evaluate`, exactly. `progress(images
    done, images)` comes once per batch; its Canceled passes through. Raises DataError for an empty
    split.
    """
    if len(split) == 0:
        raise DataError("The split has no images.", hint="Choose another split.")
    device = place(pgn, classifier, device)
    parts = []
    for start in range(0, len(split), batch_size):
        chosen = np.arange(start, min(start + batch_size, len(split)))
        originals = split.images(chosen)
        pixels = to_pixels(originals, device)  # (B, 3, H, W)
        batch = classify_batch(pgn, classifier, pixels)
        with torch.inference_mode(), full_precision(device):
            parts.append(_batch(pgn, classifier, originals, pixels, batch, alphas, qualities))
        if progress is not None:
            progress(int(chosen[-1]) + 1, len(split))
    names = [item.name for item in fields(Variants)]
    return Variants(
        **{
            name: np.concatenate(
                [getattr(part, name) for part in parts], axis=0 if name.endswith("scores") else 1
            )
            for name in names
        }
    )


def jpeg(pixels: UInt8Images, quality: int) -> UInt8Images:
    """Encode images (B, H, W, 3) as JPEG and decode them again, as Pillow saves them: 4:2:0 chroma."""
    return np.stack([_jpeg(image, quality) for image in pixels])


def _jpeg(image: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="JPEG", quality=quality)
    with Image.open(stream) as decoded:
        return np.asarray(decoded.convert("RGB"))


def _batch(
    pgn: Pgn,
    classifier: Classifier,
    originals: UInt8Images,
    pixels: Tensor,
    batch: ClassifiedBatch,
    alphas: Sequence[float],
    qualities: Sequence[int],
) -> Variants:
    entered = pgn.space.from_pixels(pixels)
    raw, rounded = [], []
    for alpha in alphas:
        if alpha == 0.0:
            pair = batch.clean, batch.clean
        elif alpha == 1.0:
            pair = batch.perturbed, batch.perturbed_8bit
        else:
            perturbed = entered + alpha * batch.perturbation
            pixels_8bit = to_8bit(pgn.space.to_pixels(perturbed))
            pair = pgn.logits(classifier, perturbed), classifier(pixels_8bit)
        raw.append(_predicted(pair[0]))
        rounded.append(_predicted(pair[1]))
    perturbed_files = to_uint8(batch.pixels_8bit)

    def as_jpeg(images: UInt8Images, quality: int) -> npt.NDArray[np.int64]:
        return _predicted(classifier(to_pixels(jpeg(images, quality), pixels.device)))

    return Variants(
        strength=np.stack(raw),
        strength_8bit=np.stack(rounded),
        clean_jpeg=np.stack([as_jpeg(originals, quality) for quality in qualities]),
        perturbed_jpeg=np.stack([as_jpeg(perturbed_files, quality) for quality in qualities]),
        clean_scores=batch.clean.cpu().numpy(),
        perturbed_scores=batch.perturbed.cpu().numpy(),
        perturbed_8bit_scores=batch.perturbed_8bit.cpu().numpy(),
    )


def _predicted(outputs: Tensor) -> npt.NDArray[np.int64]:
    return np.asarray(outputs.float().argmax(dim=1).cpu().numpy(), dtype=np.int64)
