"""The report for machines: tidy CSV (one figure a line) and JSON; and as Markdown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import PurePath
from typing import Any

import numpy as np

from pgn_studio.core.evaluation.bootstrap import Interval
from pgn_studio.core.export.table import markdown_table, markdown_text
from pgn_studio.core.json_utils import plain
from pgn_studio.core.report.report import Report
from pgn_studio.core.report.tables import method, report_tables, warnings

FORMAT = "pgn-studio-report"
COLUMNS = ("section", "name", "metric", "value", "low", "high")
Tidy = tuple[str, str, str, Interval]


def tidy(report: Report) -> Iterator[Tidy]:
    """Every figure as (section, name, metric, interval); shares in 0…1."""
    for metric, interval in report.metrics.items():
        yield "metrics", report.name, metric, interval
    sections = (
        ("class", report.classes, lambda row: row.name),
        ("survival", report.survival, lambda row: row.name),
        ("strength", report.strength, lambda row: f"{row.alpha:g}"),
        ("answers", report.answers, lambda row: row.name),
        ("coverage", report.coverage, lambda row: f"{row.coverage:g}"),
        ("transfer", report.transfer, lambda row: f"{row.pgn} on {row.classifier}"),
        ("baseline", report.baselines, lambda row: row.name),
    )
    for section, rows, name_of in sections:
        for row in rows:
            for item in fields(row):
                value = getattr(row, item.name)
                if isinstance(value, Interval):
                    yield section, name_of(row), item.name, value
                elif isinstance(value, (int, float)) or value is None:
                    yield section, name_of(row), item.name, Interval(None if value is None else float(value))
    classes = report.evaluation.classes
    both = report.confusion_clean + report.confusion_perturbed
    for label, predicted in np.argwhere(both > 0).tolist():
        name = f"{classes[label]} → {classes[predicted]}"
        for metric, table in (("clean", report.confusion_clean), ("perturbed", report.confusion_perturbed)):
            yield "confusion", name, metric, Interval(float(table[label, predicted]))


def report_csv(report: Report) -> str:
    """An undefined figure is an empty cell, as is an interval that there is none of."""
    stream = io.StringIO()
    table = csv.writer(stream)
    table.writerow(COLUMNS)
    for section, name, metric, interval in tidy(report):
        ends = (interval.value, interval.low, interval.high)
        table.writerow([section, name, metric, *("" if end is None else _number(end) for end in ends)])
    return stream.getvalue()


def _number(value: float) -> str:
    return repr(int(value)) if float(value).is_integer() else repr(float(value))


def report_json(report: Report) -> str:
    """All of it but the example images; no NaN, null where a figure is undefined."""
    bootstrap = report.bootstrap
    whole: dict[str, Any] = {
        "format": FORMAT,
        "version": 1,
        "name": report.name,
        "problem": report.problem,
        "gamma": report.gamma,
        "told": report.told,
        "input_space": report.input_space,
        "evaluation": report.evaluation.to_json(),
        "bootstrap": {"method": "percentile", **asdict(bootstrap)},
        "warnings": warnings(report),
        "method": method(report),
        "who_saw_what": dict(report.leakage.rows),
        "metrics": {name: asdict(interval) for name, interval in report.metrics.items()},
        "confusion": {
            "classes": list(report.evaluation.classes),
            "clean": report.confusion_clean,
            "perturbed_8bit": report.confusion_perturbed,
        },
    }
    for name in ("classes", "survival", "strength", "answers", "coverage", "transfer", "baselines"):
        whole[name] = [asdict(row) for row in getattr(report, name)]
    return json.dumps(plain(whole), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def report_markdown(report: Report) -> str:
    evaluation = report.evaluation
    where = f"{evaluation.dataset_name}, {evaluation.split_title} split"
    title = f"{report.name} at γ {report.gamma:g} on {where}"
    parts = [f"# {markdown_text(title)}"]
    parts += [f"> **Note.** {markdown_text(text)}" for text in warnings(report)]
    for table in report_tables(report):
        parts.append(f"## {table.title}")
        parts.append(markdown_table([list(table.head), *(list(row) for row in table.rows)]))
        if table.note:
            parts.append(markdown_text(table.note))
    parts.append("## How this was measured")
    parts.append("\n".join(f"- {markdown_text(line)}" for line in method(report)))
    parts.append("## Files and versions")
    facts = [[name, text] for name, text in fact_rows(report)]
    parts.append(markdown_table([["What", "Value"], *facts]))
    return "\n\n".join(parts) + "\n"


def fact_rows(report: Report) -> list[tuple[str, str]]:
    """What was measured, with hashes and versions."""
    rows = []
    for name, value in report.evaluation.facts.items():
        if name in ("classifier", "pgn") and value:
            value = PurePath(value).name  # the folders are nobody's business; the hash says which file
        if isinstance(value, dict):
            value = ", ".join(f"{key} {item}" for key, item in value.items())
        if value is not None:
            rows.append((name.replace("_", " ").replace("sha256", "SHA-256"), str(value)))
    return rows
