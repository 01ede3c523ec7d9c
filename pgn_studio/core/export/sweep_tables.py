"""The figures of a sweep as sweep.csv (full precision) and sweep.md (for reading)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pgn_studio.core.assignments import value_text
from pgn_studio.core.export.base import writing
from pgn_studio.core.export.table import markdown_table
from pgn_studio.core.sweeps.plan import setting_label
from pgn_studio.core.sweeps.summary import FIGURES, SweepSummary, without_seed

# Shown figures: the heading, the figure's name, and whether it is a share told in per cent.
COLUMNS = (
    ("clean", "clean_accuracy", True),
    ("perturbed", "perturbed_accuracy", True),
    ("after 8-bit rounding", "perturbed_accuracy_8bit", True),
    ("fixed", "fixed_8bit", False),
    ("broken", "broken_8bit", False),
    ("L2", "l2_mean", False),
    ("RMS", "rms_mean", False),
)
Rows = list[list[str]]


def write_sweep_tables(folder: Path, summary: SweepSummary) -> None:
    """Write sweep.csv and sweep.md. Raises PgnStudioError where the disk refuses."""
    with (
        writing(folder / "sweep.csv") as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        table = csv.writer(stream)
        names = [axis.name for axis in summary.axes]
        table.writerow(["run", *names, "status", *FIGURES, "error"])
        for row in summary.rows:
            values = [value_text(row.values[name]) for name in names]
            figures = [_exact(row.figures.get(name)) for name in FIGURES]
            table.writerow([row.name, *values, row.status, *figures, row.error])
    with writing(folder / "sweep.md") as temporary:
        temporary.write_text(markdown(summary), encoding="utf-8")


def markdown(summary: SweepSummary) -> str:
    """The tables with the failures below them."""
    parts = [f"# {summary.title}", "Figures of the test split; fixed and broken after 8-bit rounding."]
    if summary.groups:
        parts += ["Mean ± standard deviation over seeds:", markdown_table(group_rows(summary))]
        parts.append("Each run:")
    parts.append(markdown_table(run_rows(summary)))
    parts += [f"- {row.name} {row.status}: {row.error}" for row in summary.rows if row.error]
    return "\n\n".join(parts) + "\n"


def run_rows(summary: SweepSummary) -> Rows:
    """A row for each run, the head first."""
    names = [axis.name for axis in summary.axes]
    rows = [[*map(setting_label, names), "status", *(heading for heading, _, _ in COLUMNS)]]
    for row in summary.rows:
        cells = [figure_text(row.figures.get(name), percent=percent) for _, name, percent in COLUMNS]
        rows.append([*(value_text(row.values[name]) for name in names), row.status, *cells])
    return rows


def group_rows(summary: SweepSummary) -> Rows:
    """A row for each group of seeds, the head first."""
    names = list(without_seed({axis.name: None for axis in summary.axes}))
    rows = [[*map(setting_label, names), "runs", *(heading for heading, _, _ in COLUMNS)]]
    for group in summary.groups:
        cells = [
            _with_spread(group.mean.get(name), group.spread.get(name), percent=percent)
            for _, name, percent in COLUMNS
        ]
        rows.append([*(value_text(group.values[name]) for name in names), str(group.runs), *cells])
    return rows


def figure_text(value: float | int | None, *, percent: bool) -> str:
    if value is None:
        return ""
    if percent:
        return f"{100 * value:.1f} %"
    return str(value) if isinstance(value, int) else f"{value:.3g}"


def _with_spread(mean: float | None, spread: float | None, *, percent: bool) -> str:
    if mean is None:
        return ""
    scale = 100.0 if percent else 1.0
    digits = ".1f" if percent else ".3g"
    told = f"{scale * mean:{digits}}"
    if spread is not None:
        told += f" ± {scale * spread:{'.1f' if percent else '.2g'}}"
    return told + (" %" if percent else "")


def _exact(value: Any) -> Any:
    return "" if value is None or isinstance(value, Mapping) else value
