"""Accuracy of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from pgn_studio.core.evaluation.bootstrap import Bootstrap, Interval
from pgn_studio.core.report.figures import PT, Theme, finish, new_figure, percents, set_names, short, whiskers
from pgn_studio.core.report.section import Measured, Section, before_and_after
from pgn_studio.core.report.texts import outcome, with_span

if TYPE_CHECKING:
    from pgn_studio.core.report.report import Report

_CLASSES = 24  # most classes in the figure


@dataclass(frozen=True)
class ClassRow:
    """Perturbed is after 8-bit rounding; the draws stay within the class."""

    name: str
    n: int
    clean: Interval
    perturbed: Interval
    change: Interval
    fixed: int
    broken: int


@dataclass(frozen=True)
class ClassesSection(Section):
    key = "classes"
    title = "Per class"
    head = ("Class", "Images", "Clean (%)", "Perturbed (%)", "Change (points)", "Fixed", "Broken")
    note = "After 8-bit rounding."
    detail = True
    in_terminal = False
    csv_name = "class"
    figure_text = "Accuracy of each class, clean and perturbed"

    rows: Sequence[ClassRow]

    @classmethod
    def compute(cls, measured: Measured) -> ClassesSection:
        """A row for each class that has images; their draws are taken from that class alone."""
        evaluation, bootstrap, rows = measured.evaluation, measured.bootstrap, []
        image, clean, saved = evaluation.per_image, measured.clean_right, measured.saved_right
        seed = bootstrap.seed if isinstance(bootstrap.seed, tuple) else (bootstrap.seed,)
        for label in np.unique(image.labels).tolist():
            mask = image.labels == label
            own = Bootstrap(int(mask.sum()), bootstrap.resamples, (*seed, label), bootstrap.confidence)
            figures = before_and_after(own, clean[mask], saved[mask])
            rows.append(ClassRow(evaluation.classes[label], own.n, *figures))
        return cls(rows)

    def cells(self, report: Report) -> list[list[str]]:
        return [
            [
                row.name, f"{row.n:,}", with_span(row.clean), with_span(row.perturbed),
                *outcome(row),
            ]
            for row in self.rows
        ]  # fmt: skip

    def figure(self, report: Report, theme: Theme) -> Figure:
        """Accuracy of each class; of many classes those that changed most."""
        rows = list(self.rows)
        if len(rows) > _CLASSES:
            rows = sorted(rows, key=lambda row: -abs(row.change.value or 0.0))[:_CLASSES]
        figure, (axes,) = new_figure(8.0, 1.0 + 0.34 * len(rows), theme)
        places = np.arange(len(rows))[::-1].astype(float)
        for offset, name, color in ((0.19, "clean", theme.plain), (-0.19, "perturbed", theme.first)):
            low, value, high = percents([getattr(row, name) for row in rows])
            label = "clean" if name == "clean" else "perturbed, after 8-bit rounding"
            axes.barh(places + offset, value, 0.36, color=color, label=label)
            axes.errorbar(
                value, places + offset, xerr=whiskers(low, value, high), fmt="none", ecolor=theme.text,
                elinewidth=0.9, capsize=2,
            )  # fmt: skip
        set_names(axes.yaxis, places, [f"{short(row.name)} ({row.n})" for row in rows])
        axes.set_xlim(0, 103)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        finish(axes, theme, "Accuracy (%)", "", grid="x")
        figure.legend(loc="outside upper right", fontsize=PT, frameon=False, labelcolor=theme.text, ncols=2)
        return figure
