"""Events of a run as lines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pgn_studio.cli import terminal
from pgn_studio.cli.progress import TrainingReport, step_figures
from pgn_studio.core.memory import MemoryUse
from pgn_studio.core.training.events import (
    CheckpointSaved,
    EpochCompleted,
    GammaChanged,
    Notice,
    Preparing,
    RunStarted,
    StepCompleted,
    Vitals,
)


def step(number: int, *, epoch: int = 1, fixed: int = 2) -> StepCompleted:
    return StepCompleted(number, epoch, 10.0, 0.5, 0.2, 1e-3, 0.6, fixed, 1, 0.5, 0.75, 100.0)


def test_a_run_as_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "SECONDS_BETWEEN_LINES", 0.0)
    with TrainingReport() as report:
        report(Preparing(128, 256))
        report(RunStarted("run", 5, 8, 4, 2, "cpu", "bf16", 256, 64, 0.6, 0.9))
        report(step(5))
        report(step(6, fixed=3))
        report(GammaChanged(7, 3.0))
        epoch = EpochCompleted(1, 8, 3.0, 0.6, 0.7, 0.69, 9, 2, 1.5, 0.04, 0.5, 0.2, 61.0, True)
        report(replace(epoch, fixed_8bit=8, broken_8bit=3))
        report(Notice(8, "below-clean", "Accuracy fell.", "Raise --gamma."))
        report(CheckpointSaved(8, 1, "run"))
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines.pop(0) == "Looking at training images: 128 of 256"
    assert lines[0].startswith("Training on cpu in bf16: 256 training and 64 validation images")
    assert "from step 5" in lines[0]
    assert "60.0 %" in lines[1]
    assert lines[2].startswith("epoch 1/2  step 5/8  L_G 0.500  L_D 0.200")
    assert "fixed 5  broken 2  accuracy 50.0 % -> 75.0 %  100 images/s" in lines[3]
    assert lines[4] == "gamma is 3 from step 7 on"
    assert "validation 60.0 % -> 69.0 % after 8-bit rounding (before 70.0 %)  fixed 8  broken 3" in lines[5]
    assert lines[5].endswith("1:01  kept as best")
    assert lines[6] == "warning, step 8: Accuracy fell. Raise --gamma."
    assert len(lines) == 7


def test_time_left_and_memory_follow_the_figures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "SECONDS_BETWEEN_LINES", 0.0)
    with TrainingReport() as report:
        report(Vitals(1, None, MemoryUse(3 * 2**29)))
        report(step(1))
        report(Vitals(1, 725.0, MemoryUse(2**30, "cuda:0", 3 * 2**30, 4 * 2**30, 80 * 2**30)))
        report(step(2))
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("images/s  memory 1.5 GiB")
    assert second.endswith("about 12 min left  GPU 3.0 of 80.0 GiB (4.0 reserved), memory 1.0 GiB")


def test_figures_start_anew_with_each_epoch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "SECONDS_BETWEEN_LINES", 0.0)
    with TrainingReport() as report:
        report(step(1, fixed=4))
        report(step(2, epoch=2, fixed=1))
    assert "fixed 1 " in capsys.readouterr().err.splitlines()[1]


def test_figures_are_means_and_counts() -> None:
    assert "fixed 5  broken 2" in step_figures([step(1, fixed=4), step(2, fixed=1)])
