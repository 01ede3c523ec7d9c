"""Confusion matrices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from pgn_studio.core.evaluation.bootstrap import Interval
from pgn_studio.core.evaluation.metrics import Confusion, confusion
from pgn_studio.core.report.figures import (
    NAMED,
    NUMBERED,
    PT,
    STRONG,
    UPRIGHT,
    Theme,
    name_ticks,
    new_figure,
    numbers,
    short,
)
from pgn_studio.core.report.section import Measured, Section, Tidy

if TYPE_CHECKING:
    from pgn_studio.core.report.report import Report


@dataclass(frozen=True)
class ConfusionSection(Section):
    key = "confusion"
    title = "Confusion"
    note = "Counts of images; color is the share of the row."
    detail = True
    in_terminal = False
    figure_text = "Confusion matrices: clean, perturbed, and the change"

    clean: Confusion
    perturbed: Confusion  # after 8-bit rounding

    @classmethod
    def compute(cls, measured: Measured) -> ConfusionSection:
        evaluation, image = measured.evaluation, measured.evaluation.per_image
        tables = (
            confusion(image.labels, predicted, len(evaluation.classes))
            for predicted in (image.clean_prediction, image.perturbed_prediction_8bit)
        )
        return cls(evaluation.classes, *tables)

    def tidy(self, report: Report) -> Iterator[Tidy]:
        classes = report.evaluation.classes
        for label, predicted in np.argwhere(self.clean + self.perturbed > 0).tolist():
            name = f"{classes[label]} → {classes[predicted]}"
            for metric, table in (("clean", self.clean), ("perturbed", self.perturbed)):
                yield self.key, name, metric, Interval(float(table[label, predicted]))

    def to_json(self, report: Report) -> dict[str, Any]:
        classes = list(report.evaluation.classes)
        return {self.key: {"classes": classes, "clean": self.clean, "perturbed_8bit": self.perturbed}}

    def figure(self, report: Report, theme: Theme) -> Figure:
        """Before, after and the change; rows are labels, columns predictions."""
        tables = self.clean, self.perturbed
        names = [short(name) for name in report.evaluation.classes]
        size = 3.6 if len(names) <= NUMBERED else 4.4
        # Names below the columns are upright and stand beside the rows: both want room.
        longest = max(map(len, names)) if len(names) <= NAMED else 0
        room = 0.075 * longest if longest > UPRIGHT else 0.0
        figure, panels = new_figure(3 * size + room, size + 0.35 + room, theme, columns=3)
        blank = LinearSegmentedColormap.from_list("counts", [theme.ground, theme.first])
        signed = LinearSegmentedColormap.from_list("change", [theme.second, theme.ground, theme.first])
        change = tables[1] - tables[0]
        widest = max(1, int(np.abs(change).max()))
        for axes, table, title in zip(
            panels, tables, ("Clean", "Perturbed, after 8-bit rounding"), strict=False
        ):
            shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
            axes.imshow(shares, cmap=blank, vmin=0, vmax=1, interpolation="nearest")
            numbers(axes, table, shares > STRONG, theme, "{:d}")
            axes.set_title(title, fontsize=PT + 1, color=theme.text)
        panels[2].imshow(change, cmap=signed, vmin=-widest, vmax=widest, interpolation="nearest")
        numbers(panels[2], change, np.abs(change) > STRONG * widest, theme, "{:+d}")
        panels[2].set_title("Change in images (blue more, orange fewer)", fontsize=PT + 1, color=theme.text)
        for place, axes in enumerate(panels):
            name_ticks(axes, names, theme, rows=place == 0)
            axes.set_xlabel("Predicted", fontsize=PT, color=theme.text)
            axes.spines[:].set_color(theme.line)
        panels[0].set_ylabel("Labeled", fontsize=PT, color=theme.text)
        return figure
