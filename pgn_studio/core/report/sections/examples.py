"""Images that the PGN fixed, and images that it broke."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pgn_studio.core.export.triptych import TriptychRow, pick_indices, triptych_rows
from pgn_studio.core.report.section import Measured, Section, Tidy

if TYPE_CHECKING:
    from pgn_studio.core.report.report import Report

EXAMPLES = 6  # of each outcome
_NOTE = "{}. All after 8-bit rounding. In the perturbation gray is no change, full scale ± its largest |p|."


@dataclass(frozen=True)
class ExamplesSection(Section):
    """What the saved image is taken for decides, as the figures count it."""

    detail = True
    in_terminal = False
    outcome: ClassVar[str]

    rows: Sequence[TriptychRow]

    @classmethod
    def compute(cls, measured: Measured) -> ExamplesSection:
        image = measured.evaluation.per_image
        saved = replace(image, perturbed_prediction=image.perturbed_prediction_8bit)
        indices = pick_indices(replace(measured.evaluation, per_image=saved), cls.outcome, EXAMPLES)
        split = measured.dataset.split(measured.split_name)
        return cls(triptych_rows(measured.pgn, measured.classifier, split, indices, rounded=True))

    @property
    def pictures(self) -> Sequence[TriptychRow]:
        return self.rows

    def tidy(self, report: Report) -> Iterator[Tidy]:
        """Pictures only."""
        yield from ()

    def to_json(self, report: Report) -> dict[str, Any]:
        return {}


class FixedSection(ExamplesSection):
    key = outcome = "fixed"
    title = "Fixed"
    note = _NOTE.format("Wrong before, right after; the largest gain first")


class BrokenSection(ExamplesSection):
    key = outcome = "broken"
    title = "Broken"
    note = _NOTE.format("Right before, wrong after; the largest loss first")
