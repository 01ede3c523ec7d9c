"""`pgn-studio report` on the bundled digits, with baselines, interrupted, and on bad input."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pgn_studio.core.baselines.base import PreparedBaseline
from pgn_studio.core.baselines.context import BaselineContext
from pgn_studio.core.baselines.preparing import make_baseline, names_for
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.report import render
from pgn_studio.core.report.sections import baselines as report_baselines
from tests.cli.conftest import RunCommand

QUICK = ("--device", "cpu", "--resamples", "200", "--batch-size", "256")
FILES = ["report.csv", "report.html", "report.json", "report.md"]


@pytest.fixture
def digits() -> Path:
    return trained_folder() / "digits-enhance.safetensors"


def test_report_on_the_bundled_digits(pgn_studio: RunCommand, digits: Path, tmp_path: Path) -> None:
    other = shutil.copyfile(trained_folder() / "digits-classifier.safetensors", tmp_path / "f2.safetensors")
    out = tmp_path / "report"
    outcome = pgn_studio(
        "report", digits, "--out", out, "--baselines", "none", "--classifiers", other,
        "--pgns", trained_folder() / "digits-adversarial.safetensors", *QUICK,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert outcome.out.splitlines()[-1] == str(out / "report.html")
    for words in ("All metrics", "95 % interval", "JPEG 75", "Accuracy of x + αp", "digits-adversarial"):
        assert words in outcome.out
    assert "warning: No baselines were measured" in outcome.err
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    clean, saved = (report["metrics"][name] for name in ("clean_accuracy", "perturbed_accuracy_8bit"))
    assert clean["low"] < clean["value"] < clean["high"]
    assert saved["value"] > clean["high"] - 0.02  # the demo's PGN helps
    assert report["who_saw_what"]["Classifier learned from"] == "train, 60 images"
    assert [row["classifier"] for row in report["transfer"]] == ["digits-classifier", "f2"] * 2
    assert "test" in report["evaluation"]["split"]


def test_a_split_that_was_seen_is_warned_of(pgn_studio: RunCommand, digits: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    outcome = pgn_studio("report", digits, "--out", out, "--split", "val", "--baselines", "none", *QUICK)
    assert outcome.code == 0, outcome.err
    assert "warning: The validation split" in outcome.err
    assert "The validation split" in (out / "report.html").read_text(encoding="utf-8")


def test_baselines_are_made_at_the_pgn_s_rms(pgn_studio: RunCommand, digits: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    outcome = pgn_studio("report", digits, "--out", out, "--baselines", "noise,fgsm", *QUICK)
    assert outcome.code == 0, outcome.err
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    rms = report["metrics"]["rms_mean"]["value"]
    assert [row["name"] for row in report["baselines"]] == ["random-sign", "fgsm"]
    for row in report["baselines"]:
        assert row["rms"] == pytest.approx(rms, rel=0.05)
        assert row["lead"]["value"] > 0  # neither helps as the PGN does
    assert "No baselines" not in outcome.err


def test_an_unknown_baseline_names_those_there_are(
    pgn_studio: RunCommand, digits: Path, tmp_path: Path
) -> None:
    outcome = pgn_studio("report", digits, "--out", tmp_path / "r", "--baselines", "noise,fgms")
    assert outcome.code == 2
    assert "There are: random-sign, fgsm," in outcome.error_lines[-1]
    assert not (tmp_path / "r").exists()


def test_all_means_those_of_the_pgn_s_problem(
    pgn_studio: RunCommand, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quick(name: str, context: BaselineContext, **options: Any) -> PreparedBaseline:
        return replace(make_baseline("random-sign", context, **options), name=name)

    monkeypatch.setattr(report_baselines, "make_baseline", quick)  # training each would take a minute
    out = tmp_path / "report"
    assert pgn_studio("report", digits, "--out", out, *QUICK).code == 0
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in report["baselines"]] == names_for("enhance")
    assert "uap" not in names_for("enhance")
    refused = pgn_studio("report", digits, "--out", tmp_path / "r", "--baselines", "uap")
    assert refused.code == 2
    assert "enhance" in refused.error_lines[-1]


def test_ctrl_c_leaves_no_folder(
    pgn_studio: RunCommand, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = render.svg

    def interrupting(figure: Any) -> bytes:
        signal.raise_signal(signal.SIGINT)
        monkeypatch.setattr(render, "svg", drawn)
        return drawn(figure)

    monkeypatch.setattr(render, "svg", interrupting)
    outcome = pgn_studio("report", digits, "--out", tmp_path / "r", "--baselines", "none", *QUICK)
    assert outcome.code == 130, outcome.err
    assert outcome.error_lines[-1] == "pgn-studio: stopped"
    assert list(tmp_path.iterdir()) == []


def test_a_classifier_of_other_classes_is_refused(
    pgn_studio: RunCommand, digits: Path, tmp_path: Path
) -> None:
    other = tmp_path / "two.safetensors"
    made = pgn_studio(
        "train-classifier", "--num-classes", "2", "--image-size", "16", "--epochs", "1", "--device", "cpu",
        "--out", other,
    )  # fmt: skip
    assert made.code == 0, made.err
    outcome = pgn_studio(
        "report", digits, "--out", tmp_path / "r", "--baselines", "none", "--classifiers", other, *QUICK
    )
    assert outcome.code == 2
    assert "two: The classifier knows 2 classes" in outcome.error_lines[-1]
    assert not (tmp_path / "r").exists()
