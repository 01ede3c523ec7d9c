"""The honesty report: what a PGN does on images that nobody trained on, and how sure that is.

`make_report` measures; `report_files.write_report` writes. Unless a name says otherwise, "perturbed"
is the image as a saved PNG holds it: clamped to [0, 1] and rounded to 8 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.evaluation.bootstrap import RESAMPLES, Bootstrap, Interval
from pgn_studio.core.evaluation.compression import measure_variants
from pgn_studio.core.evaluation.evaluate import Evaluation, evaluate, place
from pgn_studio.core.evaluation.leakage import Leakage, find_leakage
from pgn_studio.core.evaluation.metrics import Confusion, confusion
from pgn_studio.core.evaluation.transfer import measure_transfer, with_its_classifier
from pgn_studio.core.export.triptych import TriptychRow, pick_indices, triptych_rows
from pgn_studio.core.gamma import GammaRange
from pgn_studio.core.perturbation.pgn import Pgn, Told
from pgn_studio.core.protocols import Progress
from pgn_studio.core.report.baselines import BaselineResult
from pgn_studio.core.report.parts import (
    AnswerRow,
    BaselineRow,
    ClassRow,
    CoverageRow,
    StrengthRow,
    SurvivalRow,
    TransferRow,
    answer_rows,
    baseline_rows,
    class_rows,
    coverage_rows,
    metric_intervals,
    strength_rows,
    survival_rows,
    transfer_rows,
)

T = TypeVar("T")
EXAMPLES = 6  # of each outcome
_VARIANTS = 8  # a pass over all variants takes about as long as so many evaluations


@dataclass(frozen=True)
class Report:
    """Everything that the written report says; all intervals are of `bootstrap`."""

    name: str  # of the PGN
    problem: str
    input_space: str
    gamma: float  # at which it perturbs, in all of this
    gammas: GammaRange | None  # that it serves, if not that one alone
    told: Told  # what of the classifier's outputs about the image it is told
    evaluation: Evaluation
    bootstrap: Bootstrap
    metrics: Mapping[str, Interval]
    classes: Sequence[ClassRow]
    confusion_clean: Confusion
    confusion_perturbed: Confusion
    survival: Sequence[SurvivalRow]
    strength: Sequence[StrengthRow]
    answers: Sequence[AnswerRow]  # empty for attacks, and where the classifier gives labels only
    coverage: Sequence[CoverageRow]  # empty for attacks
    transfer: Sequence[TransferRow]  # empty when no other classifier or PGN was given
    baselines: Sequence[BaselineRow]  # empty when none was measured
    leakage: Leakage
    fixed: Sequence[TriptychRow]
    broken: Sequence[TriptychRow]


def make_report(
    pgn: Pgn,
    classifier: Classifier,
    dataset: ImageDataset,
    split_name: str,
    *,
    evaluation: Evaluation | None = None,
    other_pgns: Sequence[tuple[str, Pgn]] = (),
    other_classifiers: Sequence[tuple[str, Classifier]] = (),
    baselines: Sequence[BaselineResult] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
    batch_size: int = 64,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure all that the report says.

    `evaluation` is measured here unless it is given; one that is must be of this PGN, classifier and
    split. `other_pgns` and `other_classifiers`, with their names, make the transfer matrix;
    `baselines` are other ways measured on the same split. `progress(done, total)` may raise Canceled
    at any batch. Raises DataError for an empty split, and what `evaluate` and `measure_transfer` raise.
    """
    split = dataset.split(split_name)
    device = place(pgn, classifier, device)
    n = len(split)
    classifiers = _distinct([(classifier_name(classifier), classifier), *other_classifiers])
    own = (pgn.info.name or "this PGN", pgn.asking(classifier))
    others = [(name, with_its_classifier(other, classifiers)) for name, other in other_pgns]
    pgns = _distinct([own, *others])
    transferring = len(pgns) + len(classifiers) > 2
    shown = (1 + len(pgns)) * len(classifiers) if transferring else 0
    steps = Steps(progress, n * (1 + _VARIANTS + shown + 2))
    if evaluation is None:
        evaluation = evaluate(
            pgn, classifier, split, split_name=split_name, dataset_name=dataset.name,
            batch_size=batch_size, device=device, progress=steps.part(n),
        )  # fmt: skip
    else:
        steps.part(n)(1, 1)
    variants = measure_variants(
        pgn, classifier, split, batch_size=batch_size, device=device,
        progress=steps.part(_VARIANTS * n),
    )  # fmt: skip
    bootstrap = Bootstrap(n, resamples, seed)
    transfer: list[TransferRow] = []
    if transferring:
        measured = measure_transfer(
            pgns, classifiers, split, batch_size=batch_size, device=device,
            progress=steps.part(shown * n),
        )  # fmt: skip
        transfer = transfer_rows(measured, evaluation.per_image.labels, bootstrap)
    image, classes = evaluation.per_image, len(evaluation.classes)
    metrics = metric_intervals(evaluation, variants, bootstrap, steps.part(n))
    enhances = pgn.info.problem == "enhance"
    asks_twice = enhances and classifier.gives_scores
    # By what the saved image is taken for, as the figures count it.
    saved = replace(image, perturbed_prediction=image.perturbed_prediction_8bit)
    chosen = [
        pick_indices(replace(evaluation, per_image=saved), outcome, EXAMPLES)
        for outcome in ("fixed", "broken")
    ]
    examples = [triptych_rows(pgn, classifier, split, indices, rounded=True) for indices in chosen]
    steps.part(n)(1, 1)
    return Report(
        name=pgn.info.name or "PGN",
        problem=pgn.info.problem,
        input_space=pgn.info.input_space,
        gamma=pgn.gamma,
        gammas=pgn.generator.gammas,
        told=pgn.told,
        evaluation=evaluation,
        bootstrap=bootstrap,
        metrics=metrics,
        classes=class_rows(evaluation, bootstrap),
        confusion_clean=confusion(image.labels, image.clean_prediction, classes),
        confusion_perturbed=confusion(image.labels, image.perturbed_prediction_8bit, classes),
        survival=survival_rows(evaluation, variants, bootstrap),
        strength=strength_rows(evaluation, variants, bootstrap),
        answers=answer_rows(evaluation, variants, bootstrap) if asks_twice else [],
        coverage=coverage_rows(evaluation, bootstrap) if enhances else [],
        transfer=transfer,
        baselines=baseline_rows(evaluation, baselines, bootstrap),
        leakage=find_leakage(pgn, classifier, dataset, split_name),
        fixed=examples[0],
        broken=examples[1],
    )


def classifier_name(classifier: Classifier) -> str:
    """How a classifier is called in tables: its file's name, or its architecture."""
    file = classifier.info.path.replace("\\", "/").rsplit("/", 1)[-1]
    return file.removesuffix(".safetensors") or classifier.info.arch


def _distinct(named: Sequence[tuple[str, T]]) -> list[tuple[str, T]]:
    """The same with a number at each name that was there before: a table has one row for each."""
    found: dict[str, T] = {}
    for name, value in named:
        new, number = name, 2
        while new in found:
            new, number = f"{name} ({number})", number + 1
        found[new] = value
    return list(found.items())


class Steps:
    """Divides one progress among several parts."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = max(1, total)
        self._begun = 0

    def part(self, size: int) -> Progress:
        """The progress of the next part, which is `size` of the total."""
        start = self._begun
        self._begun += size

        def tell(done: int, total: int) -> None:
            if self._progress is not None:
                share = done / total if total else 0.0
                self._progress(min(self._total, start + round(size * share)), self._total)

        return tell
