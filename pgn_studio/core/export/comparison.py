"""One image under this PGN, others (of another γ, say), and baselines of the same strength."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch

from pgn_studio.core.baselines import BASELINES, DEFAULT_BASELINES, baseline_names
from pgn_studio.core.baselines.base import Baseline
from pgn_studio.core.baselines.context import BaselineContext, settings_in_force
from pgn_studio.core.baselines.matching import mean_rms
from pgn_studio.core.baselines.preparing import BaselinePerturber, make_baseline
from pgn_studio.core.class_names import same_classes
from pgn_studio.core.classifiers import BlackBoxClassifier, Classifier
from pgn_studio.core.config import Problem
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.device import full_precision, to_pixels
from pgn_studio.core.errors import PgnFileError
from pgn_studio.core.evaluation.batch import (
    ClassifiedBatch,
    classified,
    outputs,
    perturbation_sizes,
    to_uint8,
)
from pgn_studio.core.evaluation.evaluate import place
from pgn_studio.core.evaluation.perturber import Perturber, PgnPerturber, Scaled
from pgn_studio.core.export.triptych import TriptychRow
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.core.protocols import LabeledImages, Progress

Columns = list[tuple[str, TriptychRow]]
DIFFERENCE = "Difference"


@dataclass(frozen=True)
class Compared:
    """With what a PGN is compared: other PGNs, and baselines by their names in the catalog.

    `against` is one PGN more, whose difference to this one gets a column of its own. `made` are baselines
    that had to be trained, see `trained_baseline`.
    """

    others: tuple[Pgn, ...] = ()
    against: Pgn | None = None
    baselines: tuple[str, ...] = DEFAULT_BASELINES
    made: Mapping[str, Perturber] = field(default_factory=dict)


def comparison_columns(
    pgn: Pgn,
    classifier: Classifier,
    split: LabeledImages,
    index: int,
    compared: Compared,
    *,
    progress: Progress | None = None,
) -> Columns:
    """A triptych of image `index` for each PGN, by rising γ, then the difference, then for each baseline.

    A PGN that serves a range may stand among `others` at other γ. Those that are told what the classifier
    says ask this one. Every baseline has the RMS per value that `pgn` has on this image; those that need
    gradients are left out for a black box. For `export_comparison`. Raises PgnFileError for a PGN that does
    not fit (`check_fits`, `check_comparable`); `progress(columns, columns)`, its Canceled passes through.
    """
    if compared.against is not None:
        check_comparable(pgn, compared.against)
        compared = replace(compared, against=compared.against.asking(classifier))
    pgn, others = pgn.asking(classifier), [other.asking(classifier) for other in compared.others]
    others += [compared.against] if compared.against is not None else []
    for other in others:
        check_fits(pgn, other)
    device = place(pgn, classifier, None)
    image = split.images([index])
    pixels, label = to_pixels(image, device), torch.tensor([int(split.labels[index])], device=device)
    clean = outputs(classifier, pixels)
    ordered = sorted((pgn, *others), key=lambda one: one.gamma)
    titles = {id(one): _title(one, pgn, others, compared.against) for one in ordered}
    made: list[tuple[str, Pgn, Perturber]] = [(titles[id(one)], one, PgnPerturber(one)) for one in ordered]
    size = float(perturbation_sizes(pgn.perturb(pixels).perturbation.float())[1, 0])
    context = _context(pgn, classifier, split, rms=size, device=device)
    made += [(title, pgn, step) for title, step in _baselines(compared, context).items()]
    columns: Columns = []
    for number, (title, owner, perturber) in enumerate(made, start=1):
        owner.to(device)
        with full_precision(device):
            result = perturber.perturb(pixels, label)
            if not isinstance(perturber, PgnPerturber):  # of another size so far: bring it to the PGN's
                own = float(perturbation_sizes(result.perturbation.float())[1, 0])
                ratio = size / own if own > 0 else 0.0  # no gradient, no step
                result = Scaled(perturber, pgn.space, ratio).perturb(pixels, label)
        batch = classified(result, owner.space, classifier, clean)
        row = _row(batch, classifier.info.classes, image[0], split.names[index], int(split.labels[index]))
        columns.append((title, row))
        if number == len(ordered) and compared.against is not None:
            named = dict(columns)
            first, second = named[titles[id(pgn)]], named[titles[id(compared.against)]]
            columns.append((DIFFERENCE, difference(first, second)))
        if progress is not None:
            progress(number, len(made))
    return columns


def difference(first: TriptychRow, second: TriptychRow) -> TriptychRow:
    """p of the first less p of the second; only its perturbation is to be shown."""
    return replace(first, perturbation=first.perturbation - second.perturbation, difference=True)


def trained_baseline(
    name: str, pgn: Pgn, classifier: Classifier, dataset: ImageDataset, *, progress: Progress | None = None
) -> Perturber:
    """A baseline that learns from the training images, at the PGN's mean RMS on validation."""
    context = BaselineContext.of(
        settings_in_force(pgn),
        classifier=classifier,
        space=pgn.space,
        dataset=dataset,
        rms=0.0,
        device=place(pgn, classifier, None),
    )
    strength = mean_rms(PgnPerturber(pgn.asking(classifier)), context)
    return make_baseline(name, replace(context, rms=strength), progress=progress).perturber


def check_fits(pgn: Pgn, other: Pgn) -> None:
    """Raises PgnFileError for a PGN of other classes or another image size."""
    if other.info.image_size != pgn.info.image_size or not same_classes(other.info.classes, pgn.info.classes):
        raise PgnFileError(
            f"The PGN {other.info.name} is for {len(other.info.classes)} classes at "
            f"{other.info.image_size} px; "
            f"this one is for {len(pgn.info.classes)} at {pgn.info.image_size} px.",
            hint="Choose PGNs for the same data set and image size.",
        )


def check_comparable(pgn: Pgn, other: Pgn) -> None:
    """As `check_fits`; p of both must be added in one space too, else their difference means nothing."""
    check_fits(pgn, other)
    if other.info.input_space != pgn.info.input_space:
        raise PgnFileError(
            f"The PGN {other.info.name} adds its perturbation in the {other.info.input_space} space, this "
            f"one in the {pgn.info.input_space} space.",
            hint="Choose a PGN that was trained with the same input_space.",
        )


def possible_baselines(pgn: Pgn, classifier: Classifier) -> list[str]:
    """The names of the baselines that there can be on one image."""
    kinds = BASELINES.available()
    return [name for name, kind in kinds.items() if _is_possible(kind, _problem(pgn), classifier)]


def _title(one: Pgn, pgn: Pgn, others: Sequence[Pgn], against: Pgn | None) -> str:
    alone = bool(others) and all(other.generator is pgn.generator for other in others)  # one PGN at several γ
    which = " (this)" if one is pgn and not alone else " (other)" if one is against else ""
    return f"γ {one.gamma:g}{which}"


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


def _context(
    pgn: Pgn, classifier: Classifier, split: LabeledImages, *, rms: float, device: torch.device
) -> BaselineContext:
    """For baselines that learn nothing: `split` stands in for the images to learn from."""
    return BaselineContext(
        classifier=classifier,
        space=pgn.space,
        problem=_problem(pgn),
        train=split,
        val=split,
        image_size=pgn.info.image_size,
        rms=rms,
        settings=settings_in_force(pgn),
        seed=0,
        device=device,
        precision="auto",
    )


def _baselines(compared: Compared, context: BaselineContext) -> dict[str, Perturber]:
    """By title; those that learn are in `compared.made`."""
    found: dict[str, Perturber] = {}
    for name in baseline_names(compared.baselines):
        kind = BASELINES.load(name)
        if name in compared.made:
            found[kind.title] = compared.made[name]
        elif not kind.needs_training and _is_possible(kind, context.problem, context.classifier):
            found[kind.title] = BaselinePerturber(name, kind(), context)
    return found


def _is_possible(kind: type[Baseline], problem: Problem, classifier: Classifier) -> bool:
    only_answers = isinstance(classifier, BlackBoxClassifier)
    return (
        kind.strength != "none" and problem in kind.problems and not (only_answers and kind.needs_gradients)
    )


def _problem(pgn: Pgn) -> Problem:
    return "adversarial" if pgn.info.problem == "adversarial" else "enhance"
