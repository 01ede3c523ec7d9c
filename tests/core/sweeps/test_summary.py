"""Rows and groups of a sweep, and how they are written."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pgn_studio.core.export.sweep_tables import group_rows, markdown, write_sweep_tables
from pgn_studio.core.sweeps.jobs import Outcome
from pgn_studio.core.sweeps.plan import Axis, make_points
from pgn_studio.core.sweeps.summary import SweepSummary, summarize

AXES = (Axis("gamma", (1.0, 10.0)), Axis("seed", (0, 1, 2)))


def figures(accuracy: float) -> dict[str, float | int]:
    return {"clean_accuracy": 0.7, "perturbed_accuracy_8bit": accuracy, "fixed_8bit": 5, "rms_mean": 0.02}


@pytest.fixture
def summary() -> SweepSummary:
    points = make_points({}, AXES)
    accuracies = [0.80, 0.82, 0.84, 0.90]
    outcomes = [Outcome(p.name, "done", figures(a)) for p, a in zip(points, accuracies, strict=False)]
    outcomes.append(Outcome(points[4].name, "failed", error="The losses are | not finite."))
    outcomes.append(Outcome(points[5].name, "waiting"))
    return summarize("Sweep over γ", AXES, points, outcomes)


def test_mean_and_spread_are_over_the_seeds_that_are_done(summary: SweepSummary) -> None:
    first, second = summary.groups
    assert (dict(first.values), first.runs) == ({"gamma": 1.0}, 3)
    assert first.mean["perturbed_accuracy_8bit"] == pytest.approx(0.82)
    assert first.spread["perturbed_accuracy_8bit"] == pytest.approx(0.02)
    assert (second.runs, second.spread["perturbed_accuracy_8bit"]) == (1, None)
    assert first.mean["l2_mean"] is None  # not told by any run
    assert group_rows(summary)[1][:3] == ["1", "3", "70.0 ± 0.0 %"]
    assert "82.0 ± 2.0 %" in group_rows(summary)[1]


def test_without_seeds_there_are_no_groups() -> None:
    axes = (Axis("gamma", (1.0,)),)
    points = make_points({}, axes)
    assert summarize("", axes, points, [Outcome(points[0].name, "done", figures(0.8))]).groups == ()


def test_csv_has_every_run_in_full_precision(summary: SweepSummary, tmp_path: Path) -> None:
    write_sweep_tables(tmp_path, summary)
    with (tmp_path / "sweep.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["gamma"] for row in rows] == ["1"] * 3 + ["10"] * 3
    assert [row["status"] for row in rows] == ["done"] * 4 + ["failed", "waiting"]
    assert float(rows[2]["perturbed_accuracy_8bit"]) == 0.84
    assert rows[4]["error"] == "The losses are | not finite."
    assert rows[5]["clean_accuracy"] == ""


def test_markdown_lists_what_failed(summary: SweepSummary) -> None:
    text = markdown(summary)
    assert "- gamma-10_seed-1 failed: The losses" in text
    assert "| 1 | 3 | 70.0 ± 0.0 % |" in text


def test_json_can_be_written(summary: SweepSummary) -> None:
    value = json.loads(json.dumps(summary.to_json(), allow_nan=False))
    assert len(value["runs"]) == 6
    assert value["over_seeds"][0]["mean"]["perturbed_accuracy_8bit"] == pytest.approx(0.82)
