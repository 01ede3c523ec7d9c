"""Transfer to other classifiers, and of other PGNs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from pgn_studio.core.evaluation.bootstrap import Interval
from pgn_studio.core.report.figures import PT, STRONG, Theme, new_figure, set_names, short
from pgn_studio.core.report.section import Measured, Section, before_and_after
from pgn_studio.core.report.texts import outcome, with_span

if TYPE_CHECKING:
    from pgn_studio.core.report.report import Report


@dataclass(frozen=True)
class TransferRow:
    """A PGN on a classifier, after 8-bit rounding."""

    pgn: str
    classifier: str
    clean: Interval
    perturbed: Interval
    change: Interval
    fixed: int
    broken: int


@dataclass(frozen=True)
class TransferSection(Section):
    key = "transfer"
    title = "Transfer to other classifiers"
    head = ("PGN", "Classifier", "Clean (%)", "Perturbed (%)", "Change (points)", "Fixed", "Broken")
    note = "After 8-bit rounding; a classifier of another image size sees the images resized."
    texts = 2
    figure_text = "Change in accuracy of each classifier by each PGN"

    rows: Sequence[TransferRow]  # none where no other classifier or PGN was given

    @classmethod
    def compute(cls, measured: Measured) -> TransferSection:
        transfer, labels, rows = measured.transfer, measured.evaluation.per_image.labels, []
        if transfer is None:
            return cls(())
        for pgn, predictions in zip(transfer.pgns, transfer.perturbed_8bit, strict=True):
            for classifier, clean, perturbed in zip(
                transfer.classifiers, transfer.clean, predictions, strict=True
            ):
                figures = before_and_after(measured.bootstrap, clean == labels, perturbed == labels)
                rows.append(TransferRow(pgn, classifier, *figures))
        return cls(rows)

    def row_name(self, row: TransferRow) -> str:
        return f"{row.pgn} on {row.classifier}"

    def cells(self, report: Report) -> list[list[str]]:
        return [
            [
                row.pgn, row.classifier, with_span(row.clean), with_span(row.perturbed),
                *outcome(row),
            ]
            for row in self.rows
        ]  # fmt: skip

    def figure(self, report: Report, theme: Theme) -> Figure:
        """Change in accuracy of each classifier (column) by each PGN (row), in points."""
        pgns = list(dict.fromkeys(row.pgn for row in self.rows))
        classifiers = list(dict.fromkeys(row.classifier for row in self.rows))
        points = np.array([100 * (row.change.value or 0.0) for row in self.rows])
        table = points.reshape(len(pgns), len(classifiers))
        width, height = 2.6 + 1.3 * len(classifiers), 1.2 + 0.55 * len(pgns)
        figure, (axes,) = new_figure(max(5.0, width), height, theme)
        widest = max(1e-9, float(np.abs(table).max()))
        signed = LinearSegmentedColormap.from_list("change", [theme.second, theme.ground, theme.first])
        axes.imshow(table, cmap=signed, vmin=-widest, vmax=widest, interpolation="nearest", aspect="auto")
        for (row, column), value in np.ndenumerate(table):
            color = theme.ground if abs(value) > STRONG * widest else theme.text
            axes.text(
                column,
                row,
                f"{value:+.1f}".replace("-", "−"),
                ha="center",
                va="center",
                fontsize=PT + 1,
                color=color,
            )
        set_names(axes.xaxis, np.arange(len(classifiers)), [short(name, 24) for name in classifiers])
        set_names(axes.yaxis, np.arange(len(pgns)), [short(name, 24) for name in pgns])
        axes.tick_params(colors=theme.text, labelsize=PT, length=0)
        axes.spines[:].set_color(theme.line)
        axes.set_xlabel("Classifier", fontsize=PT, color=theme.text)
        axes.set_ylabel("PGN", fontsize=PT, color=theme.text)
        return figure
