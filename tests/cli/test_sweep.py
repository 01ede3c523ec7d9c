"""`pgn-studio sweep` on two digits: all of it, stopped and gone on with, with a failing run."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from pgn_studio.cli import progress
from pgn_studio.cli.main import main
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.events import StepCompleted
from tests.cli.conftest import RunCommand

DATA = ("--dataset", "digits", "--num-classes", "2")
SMALL = ("--encoder", "small", "--set", "decoder_widths=8", "--device", "cpu", "--problem", "adversarial")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "c.safetensors"
    arguments = ("train-classifier", *DATA, "--image-size", "8", "--epochs", "1", "--device", "cpu")
    assert main([*arguments, "--out", str(path)]) == 0
    return path


@pytest.fixture
def line(classifier: Path, tmp_path: Path) -> tuple[object, ...]:
    """A sweep of four runs of one epoch into `tmp_path`/s."""
    return (
        "sweep", *DATA, *SMALL, "--classifier", classifier, "--epochs", "1", "--precision", "fp32",
        "--over", "gamma=0.1,10", "--over", "seed=0,1", "--out", tmp_path / "s",
    )  # fmt: skip


def statuses(folder: Path) -> list[str]:
    return [run["status"] for run in json.loads((folder / "sweep.json").read_text())["runs"]]


def test_every_run_is_measured_on_the_test_split(
    pgn_studio: RunCommand, line: tuple[object, ...], tmp_path: Path
) -> None:
    outcome = pgn_studio(*line)
    assert outcome.code == 0, outcome.err
    folder = tmp_path / "s"
    assert statuses(folder) == ["done"] * 4
    with (folder / "sweep.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    recorded = json.loads((folder / "gamma-10_seed-1" / "test.json").read_text())
    assert float(rows[3]["perturbed_accuracy_8bit"]) == recorded["perturbed_accuracy_8bit"]
    assert recorded["split"] == "test"
    assert len(recorded["outcomes"]) == recorded["n"]
    assert len(json.loads((folder / "sweep.json").read_text())["over_seeds"]) == 2
    for name in ("sweep.md", "frontier.png", "curves.png", "comparison.png"):
        assert (folder / name).stat().st_size > 0
    assert "Mean ± standard deviation over seeds" in outcome.out

    again = pgn_studio(*line, "--image", "3", "--figures", "svg")
    assert again.code == 0, again.err
    assert "Training on" not in again.err  # nothing is done twice
    assert (folder / "comparison.svg").stat().st_size > 0

    more = pgn_studio(*line[:-4], "--over", "seed=0,1,2", "--out", folder)
    assert more.code == 0, more.err
    assert more.err.count("Training on") == 2
    assert statuses(folder) == ["done"] * 6

    (changed,) = pgn_studio(*line, "--loss", "logistic").error_lines
    assert "loss least-squares (now logistic)" in changed
    beyond = pgn_studio(*line[:-4], "--over", "seed=0,1,2", "--out", folder, "--image", "99999")
    assert beyond.code == 2
    assert "--image 99999: the test split has" in beyond.err


def test_ctrl_c_keeps_the_run_and_the_same_command_goes_on(
    pgn_studio: RunCommand, line: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def interrupting(report: progress.TrainingReport, event: Any) -> None:
        if isinstance(event, StepCompleted) and event.step == 1:
            begun.append("run")
            if len(begun) == 2:
                signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(progress.TrainingReport, "__call__", interrupting)
        outcome = pgn_studio(*line)
    assert outcome.code == 130, outcome.err
    assert statuses(tmp_path / "s") == ["done", "stopped", "waiting", "waiting"]
    assert RunFolder.open(tmp_path / "s" / "gamma-0.1_seed-1").run_json["status"] == "stopped"

    again = pgn_studio(*line)
    assert again.code == 0, again.err
    assert again.err.count("Training on") == 3
    assert ", from step 1" in again.err
    assert statuses(tmp_path / "s") == ["done"] * 4


def test_a_failing_run_is_listed_and_the_others_go_on(
    pgn_studio: RunCommand, classifier: Path, tmp_path: Path
) -> None:
    outcome = pgn_studio(
        "sweep", *DATA, *SMALL, "--classifier", classifier, "--epochs", "1",
        "--over", "precision=fp16,fp32", "--out", tmp_path / "s",
    )  # fmt: skip
    assert outcome.code == 2
    assert statuses(tmp_path / "s") == ["failed", "done"]
    assert outcome.error_lines[-1].startswith("pgn-studio: error: 1 of 2 runs failed")
    assert "precision-fp16 failed: fp16" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_fault_of_ours_ends_with_1(
    pgn_studio: RunCommand, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("pgn_studio.cli.sweep_work.evaluate", broken)
    outcome = pgn_studio(
        "sweep", *DATA, *SMALL, "--classifier", classifier, "--epochs", "1", "--over", "gamma=1",
        "--out", tmp_path / "s",
    )  # fmt: skip
    assert outcome.code == 1
    assert "Some through an internal error" in outcome.err
    assert statuses(tmp_path / "s") == ["failed"]
