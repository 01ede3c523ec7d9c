"""Triptychs: original | perturbation | perturbed, with what the classifier says of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.evaluation.batch import classify_batch, to_uint8
from pgn_studio.core.evaluation.evaluate import OUTCOMES, Evaluation, place
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.core.protocols import LabeledImages

_BATCH = 32


@dataclass(frozen=True)
class TriptychRow:
    """One image before and after. Predictions are those of the perturbed image before 8 bits, or after."""

    name: str
    original: npt.NDArray[np.uint8]  # (H, W, 3)
    perturbation: npt.NDArray[np.float32]  # (H, W, 3), signed, in pixel values of 0…1
    perturbed: npt.NDArray[np.uint8]  # (H, W, 3), clamped and rounded
    true_label: str
    clean_label: str
    clean_confidence: float  # NaN where the classifier gives labels only
    perturbed_label: str
    perturbed_confidence: float
    difference: bool = False  # of two perturbations: there is no perturbed image, and nothing is said of it

    @property
    def scale(self) -> float:
        """Largest |p|."""
        return float(np.abs(self.perturbation).max())

    @property
    def rms(self) -> float:
        return float(np.sqrt(np.mean(np.square(self.perturbation, dtype=np.float64))))


def triptych_rows(
    pgn: Pgn,
    classifier: Classifier,
    split: LabeledImages,
    indices: Sequence[int] | npt.NDArray[np.int64],
    *,
    rounded: bool = False,
) -> list[TriptychRow]:
    """A row for each of `indices`, in that order; computes where the classifier is, in batches.

    `rounded`: what the classifier says of the perturbed image after 8 bits, as it is shown.
    """
    chosen = np.asarray(indices, dtype=np.int64)
    classes: Sequence[str] = classifier.info.classes
    device = place(pgn, classifier, None)
    rows = []
    for start in range(0, len(chosen), _BATCH):
        part = chosen[start : start + _BATCH]
        originals = split.images(part)
        batch = classify_batch(pgn, classifier, to_pixels(originals, device))
        perturbations = batch.perturbation_pixels.permute(0, 2, 3, 1).cpu().numpy()
        pictures = to_uint8(batch.pixels_8bit)
        said = batch.perturbed_8bit if rounded else batch.perturbed
        clean, perturbed = batch.clean.cpu().numpy(), said.cpu().numpy()
        sure = 1.0 if batch.has_probabilities else math.nan
        rows += [
            TriptychRow(
                name=split.names[int(index)],
                original=originals[i],
                perturbation=perturbations[i],
                perturbed=pictures[i],
                true_label=classes[split.labels[index]],
                clean_label=classes[clean[i].argmax()],
                clean_confidence=sure * float(clean[i].max()),
                perturbed_label=classes[perturbed[i].argmax()],
                perturbed_confidence=sure * float(perturbed[i].max()),
            )
            for i, index in enumerate(part)
        ]
    return rows


def pick_indices(
    evaluation: Evaluation, outcome: str = "fixed", count: int = 8, seed: int = 0
) -> npt.NDArray[np.int64]:
    """Up to `count` images of one outcome, the largest gain in true-class probability first.

    For "broken" the largest loss comes first. `seed` orders equals. Raises PgnStudioError for an
    unknown outcome; gives an empty array where no image has it.
    """
    if outcome not in OUTCOMES:
        raise PgnStudioError(f"Unknown outcome {outcome!r}.", hint=f"Choose one of: {', '.join(OUTCOMES)}.")
    image = evaluation.per_image
    candidates = np.flatnonzero(image.outcome == outcome)
    candidates = np.random.default_rng(seed).permutation(candidates)
    gain = (image.perturbed_true_probability - image.clean_true_probability)[candidates]
    order = np.argsort(gain if outcome == "broken" else -gain, kind="stable")
    return np.asarray(candidates[order[:count]], dtype=np.int64)


def perturbation_picture(
    perturbation: npt.NDArray[np.float32], *, gain: float = 1.0
) -> npt.NDArray[np.uint8]:
    """Signed (H, W, 3) as uint8: 128 is zero, 128 ± 127 is ± max|p| / gain, beyond is clipped."""
    scale = float(np.abs(perturbation).max())
    if scale == 0.0:
        return np.full(perturbation.shape, 128, dtype=np.uint8)
    signed = np.clip(perturbation * (gain / scale), -1.0, 1.0)
    return np.asarray(np.rint(128.0 + 127.0 * signed), dtype=np.uint8)
