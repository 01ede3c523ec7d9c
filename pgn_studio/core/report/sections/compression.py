"""Compression: accuracy after saving as PNG and JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from pgn_studio.core.evaluation.bootstrap import Interval
from pgn_studio.core.evaluation.compression import JPEG_QUALITIES
from pgn_studio.core.evaluation.metrics import Flags
from pgn_studio.core.report.figures import Theme, bars, dots, finish, legend, new_figure
from pgn_studio.core.report.section import Measured, Section, Shares
from pgn_studio.core.report.texts import change_with_span, with_span

if TYPE_CHECKING:
    from pgn_studio.core.report.report import Report


@dataclass(frozen=True)
class CompressionRow:
    """One way of saving; the originals are saved in the same way."""

    name: str
    clean: Interval
    perturbed: Interval
    change: Interval
    fixed_kept: float | None  # share of what was fixed before saving that still is
    broken_kept: float | None


@dataclass(frozen=True)
class CompressionSection(Section):
    key = "compression"
    title = "Accuracy after compression"
    head = ("Saved as", "Original (%)", "Perturbed (%)", "Change (points)", "Fixed kept", "Broken kept")
    note = "Kept: of the images fixed or broken before saving, the share that still is."
    figure_text = "Accuracy after saving as PNG and JPEG"

    rows: Sequence[CompressionRow]

    @classmethod
    def compute(cls, measured: Measured) -> CompressionSection:
        """Not saved, as PNG, and as JPEG of each quality."""
        image, variants = measured.evaluation.per_image, measured.variants
        clean = measured.clean_right
        raw = image.perturbed_prediction == image.labels
        forms = [
            ("not saved", clean, raw),
            ("PNG", clean, measured.saved_right),
            *(
                (f"JPEG {quality}", before == image.labels, after == image.labels)
                for quality, before, after in zip(
                    JPEG_QUALITIES, variants.clean_jpeg, variants.perturbed_jpeg, strict=True
                )
            ),
        ]
        columns = {}
        for name, before, after in forms:
            columns[f"{name} clean"], columns[f"{name} perturbed"] = before, after
        shares = Shares(measured.bootstrap, columns)
        return cls(
            [
                CompressionRow(
                    name,
                    shares.share(f"{name} clean"),
                    shares.share(f"{name} perturbed"),
                    shares.change(f"{name} clean", f"{name} perturbed"),
                    fixed_kept=_kept(~clean & raw, after),
                    broken_kept=_kept(clean & ~raw, ~after),
                )
                for name, _, after in forms
            ]
        )

    def cells(self, report: Report) -> list[list[str]]:
        return [
            [
                row.name, with_span(row.clean), with_span(row.perturbed), change_with_span(row.change),
                _share(row.fixed_kept), _share(row.broken_kept),
            ]
            for row in self.rows
        ]  # fmt: skip

    def figure(self, report: Report, theme: Theme) -> Figure:
        """Accuracy of the originals and the perturbed images in each form, and the change."""
        figure, (both, gains) = new_figure(9.4, 3.4, theme, columns=2, ratios=(3, 2))
        rows, places = self.rows, np.arange(float(len(self.rows)))
        bars(both, places - 0.2, [row.clean for row in rows], theme.plain, "original", theme, width=0.38)
        bars(both, places + 0.2, [row.perturbed for row in rows], theme.first, "perturbed", theme, width=0.38)
        both.set_ylim(0, 118)
        both.set_yticks(range(0, 101, 20))
        finish(both, theme, "", "Accuracy (%)")
        legend(both, theme, columns=2, place="upper right")
        dots(gains, places, [row.change for row in rows], theme.first, theme)
        gains.axhline(0, color=theme.plain, linewidth=1)
        gains.set_xlim(-0.6, len(rows) - 0.4)
        finish(gains, theme, "", "Change in accuracy (points)")
        for axes in (both, gains):
            axes.set_xticks(places, [row.name for row in rows])
        return figure


def _kept(flipped: Flags, still: Flags) -> float | None:
    count = int(flipped.sum())
    return int((flipped & still).sum()) / count if count else None


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"
