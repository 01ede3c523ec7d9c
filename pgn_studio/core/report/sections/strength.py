"""Accuracy against the strength of the perturbation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from pgn_studio.core.evaluation import metrics as measures
from pgn_studio.core.evaluation.bootstrap import Interval
from pgn_studio.core.evaluation.compression import ALPHAS
from pgn_studio.core.report.figures import Theme, finish, legend, new_figure, percents
from pgn_studio.core.report.section import Measured, Section, Shares
from pgn_studio.core.report.texts import with_span

if TYPE_CHECKING:
    from pgn_studio.core.report.report import Report


@dataclass(frozen=True)
class StrengthRow:
    alpha: float
    rms: float
    accuracy: Interval  # of x + αp as it is
    accuracy_8bit: Interval
    fixed: int  # after 8-bit rounding
    broken: int


@dataclass(frozen=True)
class StrengthSection(Section):
    key = "strength"
    title = "Accuracy against strength"
    head = ("α", "RMS", "Accuracy of x + αp (%)", "After 8-bit rounding (%)", "Fixed", "Broken")
    note = "0 is the clean image, 1 the PGN as it was trained. Fixed and broken are after 8-bit rounding."
    figure_text = "Accuracy against the strength of the perturbation"

    rows: Sequence[StrengthRow]

    @classmethod
    def compute(cls, measured: Measured) -> StrengthSection:
        evaluation, variants = measured.evaluation, measured.variants
        labels, rms = evaluation.per_image.labels, evaluation.metrics.rms_mean
        columns = {}
        for place, alpha in enumerate(ALPHAS):
            columns[f"{alpha}"] = variants.strength[place] == labels
            columns[f"{alpha} saved"] = variants.strength_8bit[place] == labels
        shares = Shares(measured.bootstrap, columns)
        return cls([
            StrengthRow(
                alpha, alpha * rms, shares.share(f"{alpha}"), shares.share(f"{alpha} saved"),
                *measures.fixed_and_broken(columns["0.0"], columns[f"{alpha} saved"]),
            )
            for alpha in ALPHAS
        ])  # fmt: skip

    def row_name(self, row: StrengthRow) -> str:
        return f"{row.alpha:g}"

    def cells(self, report: Report) -> list[list[str]]:
        return [
            [
                f"{row.alpha:g}", f"{row.rms:.4f}", with_span(row.accuracy), with_span(row.accuracy_8bit),
                str(row.fixed), str(row.broken),
            ]
            for row in self.rows
        ]  # fmt: skip

    def figure(self, report: Report, theme: Theme) -> Figure:
        """Accuracy against α, with the RMS that it means."""
        figure, (axes,) = new_figure(7.0, 3.6, theme)
        alphas = [row.alpha for row in self.rows]
        series = (
            (
                "after 8-bit rounding, with interval",
                [row.accuracy_8bit for row in self.rows],
                theme.first,
                "-",
                "o",
            ),
            ("not rounded", [row.accuracy for row in self.rows], theme.second, "--", "s"),
        )
        for label, intervals, color, style, marker in series:
            low, value, high = percents(intervals)
            if style == "-":  # the other band would all but cover this one
                axes.fill_between(alphas, low, high, color=color, alpha=0.18, linewidth=0)
            axes.plot(
                alphas, value, style, marker=marker, markersize=4, color=color, linewidth=1.6, label=label
            )
        axes.axhline(
            100 * report.evaluation.metrics.clean_accuracy, color=theme.plain, linewidth=1, linestyle=":"
        )
        axes.axvline(1.0, color=theme.plain, linewidth=1, linestyle=":")
        axes.set_xticks(alphas, [f"{row.alpha:g}\n{row.rms:.3f}" for row in self.rows])
        finish(
            axes, theme, "Strength α in x + αp, and the mean RMS of αp (dotted: α = 1, clean)", "Accuracy (%)"
        )
        legend(axes, theme)
        return figure
