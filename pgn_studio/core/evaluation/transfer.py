"""Transfer: what a PGN made for one classifier does to others.

A perturbed image reaches another classifier as a file, so all figures here are after 8-bit rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from pgn_studio.core.class_names import same_classes
from pgn_studio.core.classifiers import Classifier, check_classes
from pgn_studio.core.device import full_precision, to_pixels
from pgn_studio.core.errors import ClassifierError, DataError, PgnFileError
from pgn_studio.core.evaluation.batch import to_8bit
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.core.protocols import LabeledImages, Progress


@dataclass(frozen=True)
class Transfer:
    """Predictions of C classifiers for N images, clean and as P PGNs perturb them."""

    pgns: tuple[str, ...]
    classifiers: tuple[str, ...]
    clean: npt.NDArray[np.int64]  # (C, N)
    perturbed_8bit: npt.NDArray[np.int64]  # (P, C, N)


def measure_transfer(
    pgns: Sequence[tuple[str, Pgn]],
    classifiers: Sequence[tuple[str, Classifier]],
    split: LabeledImages,
    *,
    batch_size: int = 64,
    device: torch.device,
    progress: Progress | None = None,
) -> Transfer:
    """Show every image of `split`, perturbed by each PGN, to each classifier, in one pass.

    All are given with their names; a PGN that is told what a classifier says asks the one that it is bound
    to, whichever is measured. A classifier of another image size sees the images resized
    (bilinear, antialiased). Raises DataError for an empty split, ClassifierError for one that knows
    other classes than the first, PgnFileError for a PGN of another image size or other classes.
    """
    if len(split) == 0:
        raise DataError("The split has no images.", hint="Choose another split.")
    check_partners(pgns, classifiers)
    for network in (*(pgn for _, pgn in pgns), *(classifier for _, classifier in classifiers)):
        network.to(device)
    clean, perturbed = [], []
    for start in range(0, len(split), batch_size):
        chosen = np.arange(start, min(start + batch_size, len(split)))
        pixels = to_pixels(split.images(chosen), device)  # (B, 3, H, W)
        with torch.inference_mode(), full_precision(device):
            files = [to_8bit(pgn.perturb(pixels).pixels) for _, pgn in pgns]
            clean.append([_predicted(classifier, pixels) for _, classifier in classifiers])
            perturbed.append(
                [[_predicted(classifier, shown) for _, classifier in classifiers] for shown in files]
            )
        if progress is not None:
            progress(int(chosen[-1]) + 1, len(split))
    return Transfer(
        pgns=tuple(name for name, _ in pgns),
        classifiers=tuple(name for name, _ in classifiers),
        clean=np.concatenate(clean, axis=-1),
        perturbed_8bit=np.concatenate(perturbed, axis=-1),
    )


def with_its_classifier(pgn: Pgn, classifiers: Sequence[tuple[str, Classifier]]) -> Pgn:
    """The PGN bound to its own classifier, where that is one of these, for one that is told what it says."""
    wanted = pgn.info.classifier_sha256
    own = [one for _, one in classifiers if wanted and one.info.sha256 == wanted]
    return pgn.asking(own[0]) if own else pgn


def check_partners(pgns: Sequence[tuple[str, Pgn]], classifiers: Sequence[tuple[str, Classifier]]) -> None:
    """Raise where a PGN or classifier does not fit the first of its kind."""
    own, first = pgns[0][1].info, classifiers[0][1].info
    for name, pgn in pgns[1:]:
        if pgn.info.image_size != own.image_size or not same_classes(pgn.info.classes, own.classes):
            raise PgnFileError(
                f"{name} perturbs {len(pgn.info.classes)} classes at {pgn.info.image_size} px; expected the "
                f"{len(own.classes)} classes of the report's PGN at {own.image_size} px.",
                hint="Compare PGNs of one data set and image size.",
            )
    for name, classifier in classifiers[1:]:
        try:
            check_classes(classifier, first.classes)
        except ClassifierError as error:
            raise ClassifierError(f"{name}: {error.message}", hint=error.hint) from None


def _predicted(classifier: Classifier, pixels: Tensor) -> npt.NDArray[np.int64]:
    """Predictions (B,) at the classifier's own image size."""
    size = classifier.info.image_size
    if pixels.shape[-1] != size:
        pixels = F.interpolate(pixels.float(), size=(size, size), mode="bilinear", antialias=True)
    logits = classifier(pixels)
    return np.asarray(logits.float().argmax(dim=1).cpu().numpy(), dtype=np.int64)
