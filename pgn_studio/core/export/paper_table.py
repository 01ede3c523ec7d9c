"""Ours beside the paper's numbers: a table for reading, and the same as CSV and Markdown."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pgn_studio.core.advice import Advice
from pgn_studio.core.export.base import writing
from pgn_studio.core.export.table import markdown_table
from pgn_studio.core.sweeps.jobs import Figures, Outcome
from pgn_studio.core.sweeps.reproduction import Cell, PaperTable, Wishes, stand_ins

_CSV_COLUMNS = (
    "dataset", "classifier", "column", "status", "accuracy", "average_precision", "paper_accuracy",
    "paper_average_precision", "clean_accuracy", "perturbed_accuracy_8bit", "rms_mean", "l2_mean",
    "run", "reason",
)  # fmt: skip
Rows = list[list[str]]


def ours(cell: Cell, figures: Figures) -> tuple[float | None, float | None]:
    """Accuracy and macro average precision of a finished cell: of clean images for a vanilla classifier."""
    which = (
        ("clean_accuracy", "map_clean")
        if cell.what.kind == "vanilla"
        else ("perturbed_accuracy", "map_perturbed")
    )
    return figures.get(which[0]), figures.get(which[1])


def table_rows(table: PaperTable, cells: Sequence[Cell], outcomes: Sequence[Outcome]) -> Rows:
    """As the paper's table, each cell "ours (paper's)"; a letter marks what has no number, see `reasons`."""
    marks = {text: mark for mark, text in reasons(outcomes)}
    by_place = {
        (cell.row.dataset, cell.row.classifier, cell.column): _cell_text(cell, outcome, marks)
        for cell, outcome in zip(cells, outcomes, strict=True)
    }
    rows = [["data set", "classifier", *table.columns]]
    for row in table.rows:
        places = [by_place.get((row.dataset, row.classifier, column), "") for column in table.columns]
        rows.append([row.dataset, row.classifier, *places])
    return rows


def reasons(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    """A letter for each different reason why cells have no number, in the order of the cells."""
    texts = dict.fromkeys(
        Advice("{}: {}", outcome.status, outcome.error) for outcome in outcomes if outcome.error
    )
    return [(_letters(number), text) for number, text in enumerate(texts)]


def write_paper_table(
    folder: Path,
    table: PaperTable,
    cells: Sequence[Cell],
    outcomes: Sequence[Outcome],
    *,
    wishes: Wishes,
    notes: Sequence[str],
) -> None:
    """Write tableN.csv (every figure) and tableN.md. Raises PgnStudioError where the disk refuses."""
    stem = f"table{table.number}"
    with (
        writing(folder / f"{stem}.csv") as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        lines = csv.DictWriter(stream, _CSV_COLUMNS)
        lines.writeheader()
        lines.writerows(csv_row(cell, outcome) for cell, outcome in zip(cells, outcomes, strict=True))
    rows = table_rows(table, cells, outcomes)
    means = [f"- {name}: {text}" for name, text in table.columns.items()]
    parts = [f"# Table {table.number}: {table.title}", "\n".join(f"{note}" for note in notes)]
    parts += [markdown_table(rows), "\n".join(means)]
    missing = [f"- {mark}: {text}" for mark, text in reasons(outcomes)]
    if missing:
        parts.append("\n".join(["Without a number:", "", *missing]))
    if wishes.scale == "small":
        parts.append(
            "\n".join(["What stands for what:", "", *(f"- {stand_ins(wishes, row)}" for row in table.rows)])
        )
    with writing(folder / f"{stem}.md") as temporary:
        temporary.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def csv_row(cell: Cell, outcome: Outcome) -> Mapping[str, Any]:
    """One cell with the paper's numbers; empty where there is none."""
    accuracy, precision = ours(cell, outcome.figures)
    kept = ("clean_accuracy", "perturbed_accuracy_8bit", "rms_mean", "l2_mean")
    values = {
        "dataset": cell.row.dataset,
        "classifier": cell.row.classifier,
        "column": cell.column,
        "status": outcome.status,
        "accuracy": accuracy,
        "average_precision": precision,
        "paper_accuracy": cell.paper.accuracy,
        "paper_average_precision": cell.paper.average_precision,
        **{name: outcome.figures.get(name) for name in kept},
        "run": cell.name,
        "reason": outcome.error,
    }
    return {name: "" if value is None else value for name, value in values.items()}


def _cell_text(cell: Cell, outcome: Outcome, marks: Mapping[str, str]) -> str:
    paper = f"({100 * cell.paper.accuracy:.1f} / {cell.paper.average_precision:.3f})"
    if outcome.status == "done":
        accuracy, precision = ours(cell, outcome.figures)
        told = "–" if accuracy is None else f"{100 * accuracy:.1f}"
        return f"{told} / {'–' if precision is None else f'{precision:.3f}'} {paper}"
    mark = marks.get(f"{outcome.status}: {outcome.error}")
    return f"{f'[{mark}]' if mark else outcome.status} {paper}"


def _letters(number: int) -> str:
    """a … z, aa, ab …"""
    first, last = divmod(number, 26)
    return (_letters(first - 1) if first else "") + chr(ord("a") + last)
