"""`pgn-studio reproduce` on digits: a row of a table, what is not run, and the size of baselines."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pgn_studio.cli import reproduce_work
from pgn_studio.core.baselines.base import PreparedBaseline
from pgn_studio.core.baselines.context import BaselineContext
from pgn_studio.core.baselines.preparing import make_baseline
from pgn_studio.core.sweeps import reproduction
from pgn_studio.core.sweeps.reproduction import load_table
from tests.cli.conftest import RunCommand

QUICK = (
    "--scale",
    "small",
    "--epochs",
    "1",
    "--classifier-epochs",
    "1",
    "--device",
    "cpu",
    "--only",
    "VGG16",
)


@pytest.fixture(autouse=True)
def _few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in (("train", 40), ("val", 20), ("test", 20)):
        monkeypatch.setitem(reproduction.SMALL_IMAGES, name, count)
    monkeypatch.setattr(reproduction, "_SMALL_SCRATCH_IMAGES", 20)


def cells(folder: Path, number: int) -> dict[tuple[str, str], dict[str, str]]:
    with (folder / f"table{number}.csv").open(newline="", encoding="utf-8") as stream:
        return {(row["dataset"], row["column"]): row for row in csv.DictReader(stream)}


def test_a_row_is_run_and_continued(pgn_studio: RunCommand, tmp_path: Path) -> None:
    out = tmp_path / "t"
    outcome = pgn_studio("reproduce", "table3", *QUICK, "--out", out)
    assert outcome.code == 0, outcome.err
    found = cells(out, 3)
    assert {row["status"] for row in found.values()} == {"done"}
    assert found["ImageNet-50", "enhance_lr"]["paper_accuracy"] == "0.926"
    assert 0 <= float(found["ImageNet-50", "enhance_lr"]["accuracy"]) <= 1
    assert "VGG16: small" in outcome.out
    assert "(92.6 / 0.891)" in outcome.out
    assert "What stands for what:" in (out / "table3.md").read_text(encoding="utf-8")

    again = pgn_studio("reproduce", "table3", *QUICK, "--out", out)
    assert again.code == 0, again.err
    assert "Training on" not in again.err
    (changed,) = [
        line
        for line in pgn_studio("reproduce", "table3", *QUICK, "--seed", "1", "--out", out).error_lines
        if "error" in line
    ]
    assert "The reproduction in" in changed
    assert "seed 0 (now 1)" in changed


def test_at_the_papers_scale_what_is_missing_is_said(
    pgn_studio: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgn_studio.core.device.available_devices", lambda: ["cpu"])
    outcome = pgn_studio("reproduce", "table1", "--out", tmp_path / "t")
    assert outcome.code == 0, outcome.err
    assert {row["status"] for row in cells(tmp_path / "t", 1).values()} == {"not run"}
    assert "not run: a GPU: none is here" in outcome.out
    assert "ImageNet-50 needs" in outcome.out


def test_without_data_and_weights_each_is_named(
    pgn_studio: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgn_studio.cli.reproduce_work._missing_weights", lambda name: f"none of {name}")
    outcome = pgn_studio(
        "reproduce", "table1", "--device", "cpu", "--only", "stl-10", "--data-root", tmp_path,
        "--out", tmp_path / "t",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    found = cells(tmp_path / "t", 1)
    assert found["STL-10", "vanilla_scratch"]["reason"].startswith("data: No STL10 in ")
    assert found["STL-10", "proposed_50_scratch"]["reason"] == "weights: none of resnet50"


def test_baselines_are_made_at_the_size_of_the_rows_pgn(
    pgn_studio: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_row = replace(load_table(2), rows=load_table(2).rows[2:3])  # STL-10, VGG16
    monkeypatch.setattr("pgn_studio.core.sweeps.reproduction.load_table", lambda number: one_row)
    asked: list[tuple[str, BaselineContext]] = []

    def quick(name: str, context: BaselineContext, **options: Any) -> PreparedBaseline:
        asked.append((name, context))
        return make_baseline("random-sign", context, **options)  # UAP would take half of a minute

    monkeypatch.setattr(reproduce_work, "make_baseline", quick)
    line = ("reproduce", "table2", *QUICK, "--out", tmp_path / "t")
    outcome = pgn_studio(*line)
    assert outcome.code == 0, outcome.err
    assert [name for name, _ in asked] == ["uap", "fgsm"]
    found = cells(tmp_path / "t", 2)
    assert asked[0][1].rms == float(found["STL-10", "proposed_50"]["rms_mean"])
    assert asked[0][1].problem == "adversarial"
    assert 0 < float(found["STL-10", "eha"]["accuracy"]) <= 1
    assert pgn_studio(*line).code == 0
    assert len(asked) == 2  # recorded: not made again
