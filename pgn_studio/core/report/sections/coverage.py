"""Abstention: perturbing only the images whose perturbation is large enough."""

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

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)


@dataclass(frozen=True)
class CoverageRow:
    """Only images whose p is large enough are perturbed, and rounded; the others are as they were."""

    abstain_below_rms: float  # of the perturbations that are used
    coverage: float  # share of images that are perturbed
    accuracy: Interval
    change: Interval
    fixed: int
    broken: int


@dataclass(frozen=True)
class CoverageSection(Section):
    key = "coverage"
    title = "Abstention: accuracy against coverage"
    head = ("RMS of at least", "Perturbed (%)", "Accuracy (%)", "Change (points)", "Fixed", "Broken")
    note = (
        "After 8-bit rounding. The PGN abstains on images whose perturbation is smaller than the first "
        "column says: a PGN that is unsure of an image perturbs it little."
    )

    rows: Sequence[CoverageRow]  # none of an attack

    @classmethod
    def compute(cls, measured: Measured) -> CoverageSection:
        """Selective perturbation: a PGN that is unsure of an image says so by a small p."""
        if not measured.enhances:
            return cls(())
        image, clean, saved = measured.evaluation.per_image, measured.clean_right, measured.saved_right
        ascending = np.sort(image.rms)
        least = {
            float(ascending[round((1 - coverage) * len(image))]) for coverage in COVERAGES
        }  # ties are one
        used = {rms: (image.rms >= rms) & (image.linf > 0) for rms in sorted(least)}
        right = {rms: np.where(perturbed, saved, clean) for rms, perturbed in used.items()}
        shares = Shares(
            measured.bootstrap, {"clean": clean, **{f"{rms}": flags for rms, flags in right.items()}}
        )
        return cls([
            CoverageRow(
                rms, float(perturbed.mean()), shares.share(f"{rms}"), shares.change("clean", f"{rms}"),
                *measures.fixed_and_broken(clean, right[rms]),
            )
            for rms, perturbed in used.items()
        ])  # fmt: skip

    def row_name(self, row: CoverageRow) -> str:
        return f"{row.coverage:g}"

    def cells(self, report: Report) -> list[list[str]]:
        return [
            [
                f"{row.abstain_below_rms:.4f}", f"{100 * row.coverage:.0f}",
                with_span(row.accuracy), *outcome(row),
            ]
            for row in self.rows
        ]  # fmt: skip
