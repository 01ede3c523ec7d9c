"""One image under this PGN, others (of another γ, say), and simple baselines of the same strength."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from pgn_studio.core.baselines.noise import RandomSigns
from pgn_studio.core.baselines.steps import SignStep
from pgn_studio.core.classifiers import BlackBoxClassifier, Classifier
from pgn_studio.core.config import Problem
from pgn_studio.core.device import autocast, resolve_precision, to_pixels
from pgn_studio.core.errors import PgnFileError
from pgn_studio.core.evaluation.batch import (
    ClassifiedBatch,
    answers,
    classified,
    perturbation_sizes,
    to_uint8,
)
from pgn_studio.core.evaluation.evaluate import place
from pgn_studio.core.evaluation.perturber import Perturber, PgnPerturber, Scaled
from pgn_studio.core.export.triptych import TriptychRow
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.core.protocols import LabelledImages, Progress

Columns = list[tuple[str, TriptychRow]]


def columns_beside(
    pgn: Pgn,
    classifier: Classifier,
    split: LabelledImages,
    index: int,
    others: Sequence[Pgn],
    *,
    baselines: bool = True,
    progress: Progress | None = None,
) -> Columns:
    """A triptych of image `index` for each PGN, by rising γ, then for random signs and FGSM.

    The baselines have the RMS per value that `pgn` has on this image; FGSM follows the classifier's own
    answer and is left out for a black box. For `export_strip`. Raises PgnFileError for a PGN of other
    classes or another image size; `progress(columns, columns)`, its Cancelled passes through.
    """
    for other in others:
        _check_fits(pgn, other)
    device = place(pgn, classifier, None)
    image = split.images([index])
    pixels, label = to_pixels(image, device), torch.tensor([int(split.labels[index])], device=device)
    precision = resolve_precision("auto", device)
    clean = answers(classifier, pixels, precision)
    ordered = sorted((pgn, *others), key=lambda one: one.info.gamma)
    made: list[tuple[str, Pgn, Perturber]] = [
        (f"γ {one.info.gamma:g}{' (this)' if one is pgn else ''}", one, PgnPerturber(one)) for one in ordered
    ]
    if baselines:
        made += [(name, pgn, step) for name, step in _baselines(pgn, classifier).items()]
    columns: Columns = []
    for number, (title, owner, perturber) in enumerate(made, start=1):
        owner.to(device)
        with autocast(precision, device):
            result = perturber.perturb(pixels, label)
            if not isinstance(perturber, PgnPerturber):  # one size a value so far: bring it to the PGN's
                own = perturbation_sizes(pgn.perturb(pixels).perturbation.float())[1, 0]
                ratio = float(own / perturbation_sizes(result.perturbation.float())[1, 0])
                result = Scaled(perturber, pgn.space, ratio).perturb(pixels, label)
        batch = classified(result, owner.space, classifier, clean, precision)
        row = _row(batch, classifier.info.classes, image[0], split.names[index], int(split.labels[index]))
        columns.append((title, row))
        if progress is not None:
            progress(number, len(made))
    return columns


def _row(
    batch: ClassifiedBatch, classes: Sequence[str], original: npt.NDArray[np.uint8], name: str, label: int
) -> TriptychRow:
    before, after = batch.clean[0].cpu().numpy(), batch.perturbed[0].cpu().numpy()
    sure = 1.0 if batch.has_probabilities else math.nan
    return TriptychRow(
        name=name,
        original=original,
        perturbation=np.ascontiguousarray(batch.perturbation_pixels[0].permute(1, 2, 0).cpu().numpy()),
        perturbed=to_uint8(batch.pixels_8bit)[0],
        true_label=classes[label],
        clean_label=classes[int(before.argmax())],
        clean_confidence=sure * float(before.max()),
        perturbed_label=classes[int(after.argmax())],
        perturbed_confidence=sure * float(after.max()),
    )


def _baselines(pgn: Pgn, classifier: Classifier) -> dict[str, Perturber]:
    steps: dict[str, Perturber] = {"Random signs": RandomSigns(pgn.space, seed=0)}
    if not isinstance(classifier, BlackBoxClassifier):
        problem: Problem = "adversarial" if pgn.info.problem == "adversarial" else "enhance"
        steps["FGSM"] = SignStep(classifier, pgn.space, problem, oracle=False)
    return steps


def _check_fits(pgn: Pgn, other: Pgn) -> None:
    if other.info.image_size != pgn.info.image_size or other.info.classes != pgn.info.classes:
        raise PgnFileError(
            f"The PGN {other.info.name} is for {len(other.info.classes)} classes at "
            f"{other.info.image_size} px; "
            f"this one is for {len(pgn.info.classes)} at {pgn.info.image_size} px.",
            hint="Choose PGNs for the same data set and image size.",
        )
