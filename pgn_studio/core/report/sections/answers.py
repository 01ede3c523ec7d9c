"""Classification of the perturbed image alone, or of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pgn_studio.core.evaluation import metrics as measures
from pgn_studio.core.evaluation.bootstrap import Interval
from pgn_studio.core.report.section import Measured, Section, Shares
from pgn_studio.core.report.texts import outcome, with_span

if TYPE_CHECKING:
    from pgn_studio.core.report.report import Report


@dataclass(frozen=True)
class AnswerRow:
    """The classifier's answer from one picture or two, after 8-bit rounding."""

    name: str
    queries: int  # for each image
    accuracy: Interval
    change: Interval
    fixed: int
    broken: int


@dataclass(frozen=True)
class AnswersSection(Section):
    key = "answers"
    title = "Classifying one image or both"
    head = ("Prediction from", "Queries", "Accuracy (%)", "Change (points)", "Fixed", "Broken")
    note = (
        "After 8-bit rounding. The last two rows are for those who can ask the classifier about the "
        "original and the perturbed image: the class of the highest mean probability, and the prediction "
        "of the higher probability, whose image the command perturb writes where it is told to (if_surer). "
        "All other figures are of the perturbed image alone."
    )

    rows: Sequence[AnswerRow]  # none of an attack, and where the classifier gives labels only

    @classmethod
    def compute(cls, measured: Measured) -> AnswersSection:
        """Of a classifier that gives probabilities: about the perturbed picture, and about both."""
        if not (measured.enhances and measured.classifier.gives_scores):
            return cls(())
        image, variants = measured.evaluation.per_image, measured.variants
        before, after = variants.clean_scores, variants.perturbed_8bit_scores
        clean, saved = measured.clean_right, measured.saved_right
        answers = {
            "the perturbed image": (1, saved),
            "both images, the mean probability": (2, (before + after).argmax(axis=1) == image.labels),
            "the image of the higher probability": (
                2,
                np.where(measures.is_surer(before, after), saved, clean),
            ),
        }
        shares = Shares(
            measured.bootstrap, {"clean": clean, **{name: right for name, (_, right) in answers.items()}}
        )
        return cls([
            AnswerRow(
                name, queries, shares.share(name), shares.change("clean", name),
                *measures.fixed_and_broken(clean, right),
            )
            for name, (queries, right) in answers.items()
        ])  # fmt: skip

    def cells(self, report: Report) -> list[list[str]]:
        return [
            [
                row.name, str(row.queries), with_span(row.accuracy), *outcome(row),
            ]
            for row in self.rows
        ]  # fmt: skip
