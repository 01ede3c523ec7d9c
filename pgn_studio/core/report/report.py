"""The evaluation report: what a PGN does on images that nobody trained on, and how sure that is.

`make_report` measures; `render.write_report` writes. Unless a name says otherwise, "perturbed"
is the image as a saved PNG holds it: clamped to [0, 1] and rounded to 8 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.evaluation.bootstrap import RESAMPLES, Bootstrap, Interval
from pgn_studio.core.evaluation.compression import measure_variants
from pgn_studio.core.evaluation.evaluate import Evaluation, evaluate, place
from pgn_studio.core.evaluation.transfer import measure_transfer, with_its_classifier
from pgn_studio.core.gamma import GammaRange
from pgn_studio.core.perturbation.pgn import Pgn, Told
from pgn_studio.core.protocols import Progress
from pgn_studio.core.report.section import Measured, ReportTable, Section
from pgn_studio.core.report.sections import SECTIONS
from pgn_studio.core.report.sections.baselines import BaselineResult, BaselinesSection
from pgn_studio.core.report.sections.leakage import LeakageSection
from pgn_studio.core.report.sections.metrics import MetricsSection

S = TypeVar("S", bound=Section)
T = TypeVar("T")
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
    sections: Sequence[Section]

    def __getitem__(self, kind: type[S]) -> S:
        """The section of this kind."""
        return next(section for section in self.sections if isinstance(section, kind))

    @property
    def metrics(self) -> Mapping[str, Interval]:
        return self[MetricsSection].intervals

    def tables(self) -> list[ReportTable]:
        """All that this report has something for, in their order."""
        found = (section.table(self) for section in self.sections)
        return [table for table in found if table is not None]


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
    transfer = None
    if transferring:
        transfer = measure_transfer(
            pgns, classifiers, split, batch_size=batch_size, device=device,
            progress=steps.part(shown * n),
        )  # fmt: skip
    measured = Measured(
        pgn, classifier, dataset, split_name, evaluation, variants, Bootstrap(n, resamples, seed), transfer,
        baselines, progress=steps.part(n),
    )  # fmt: skip
    sections = [kind.compute(measured) for kind in SECTIONS]
    steps.part(n)(1, 1)
    return Report(
        name=pgn.info.name or "PGN",
        problem=pgn.info.problem,
        input_space=pgn.info.input_space,
        gamma=pgn.gamma,
        gammas=pgn.generator.gammas,
        told=pgn.told,
        evaluation=evaluation,
        bootstrap=measured.bootstrap,
        sections=sections,
    )


def method(report: Report) -> list[str]:
    """How the figures were got, a sentence or two each."""
    bootstrap, metrics = report.bootstrap, report.evaluation.metrics
    lines = [
        f"Intervals: {100 * bootstrap.confidence:g} % percentile bootstrap over the {bootstrap.n:,} images, "
        f"{bootstrap.resamples:,} draws, seed {bootstrap.seed}. All figures share the draws, so changes and "
        "differences are paired over images; per class the draws stay within the class.",
        "They show the chance in which images were measured, not that in training: another seed of the "
        "classifier or of the PGN may move the figures further.",
        "“After 8-bit rounding” is the perturbed image clipped to [0, 1] and rounded to 256 levels, as a "
        "saved PNG holds it. JPEG is written and read again with Pillow (4:2:0 chroma), the originals "
        "likewise.",
        "Average precision has no interval here: too many images and classes to resample."
        if report.metrics["map_perturbed"].low is None
        else "Average precision rises a little where images are drawn twice: its intervals lean upwards.",
        f"Sizes of p are in the {report.input_space} space in which the PGN adds it. "
        "The largest |p| and p-values have no interval.",
    ]
    if report.gammas is not None:
        lines.append(
            f"This PGN serves γ {report.gammas}; all figures are at γ {report.gamma:g}. "
            "A smaller γ perturbs more."
        )
    if report.told != "nothing":
        what = "label" if report.told == "label" else "probabilities"
        lines.append(
            f"This PGN is told the classifier's {what} for the original: each image costs one question more."
        )
    if {metrics.clean_accuracy, metrics.perturbed_accuracy_8bit} & {0.0, 1.0}:
        lines.append(
            "An accuracy of exactly 0 % or 100 % has an interval without width. That is a limit of the "
            f"bootstrap, not certainty: the truth may be {min(100.0, 300 / bootstrap.n):.2g} points off."
        )
    return lines


def warnings(report: Report) -> list[str]:
    """What a reader must know before quoting a figure."""
    found = list(report[LeakageSection].leakage.warnings)
    if report.bootstrap.n < 100:
        found.append(f"Only {report.bootstrap.n} images: the intervals are wide, and themselves uncertain.")
    if abstained := report.evaluation.per_image.abstained:
        found.append(
            f"This PGN abstains on {abstained:,} of {report.bootstrap.n:,} images; all figures count them."
        )
    if not report[BaselinesSection].rows:
        found.append(
            "No baselines were measured: random signs, one gradient step or fine-tuning might do as well."
        )
    return found


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
