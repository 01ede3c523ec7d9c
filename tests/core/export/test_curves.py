from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.curves import draw_curves, export_curves
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.events import AtGamma, EpochCompleted, Event, RunStarted, StepCompleted
from pgn_studio.core.training.plots import PLOTS, Curve, Plot


def append(run: RunFolder, event: Event) -> None:
    run.append_metrics({"event": type(event).__name__, **asdict(event)})


def step(number: int, gamma: float, **changes: float) -> StepCompleted:
    values = {"loss_g": 0.5 / number, "loss_d": 0.2, "l2": 1e-5 * number, "target_mean": 0.7, **changes}
    return StepCompleted(
        step=number, epoch=(number + 9) // 10, gamma=gamma, fixed=3, broken=1, clean_accuracy=0.7,
        perturbed_accuracy=0.75, images_per_second=100.0, **values,
    )  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder.create(tmp_path / "run", TrainingSettings.make(gamma=10))
    append(run, RunStarted("run", 0, 40, 10, 4, "cpu", "fp32", 315, 50, 0.7, 0.9))
    for number in range(1, 41):
        append(
            run, step(number, 10 if number < 15 else 2.5, **({"loss_d": float("nan")} if number == 4 else {}))
        )
        if number % 10 == 0:
            append(
                run,
                EpochCompleted(
                    number // 10, number, 10, 0.7, 0.74, 0.73, 5, 2, 1.5, 0.03, 0.2, 0.2, 1.0, True
                ),
            )
    return run


def test_what_was_measured_at_the_ends_of_the_range_has_curves_and_columns(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", TrainingSettings.make(gamma="0.3..30"))
    append(run, RunStarted("run", 0, 40, 10, 4, "cpu", "fp32", 315, 50, 0.7, 0.9))
    append(run, step(10, 3.0))
    at = tuple(AtGamma(gamma, 0.7, 0.5 + gamma / 100, 3, 1, 0.1, 2.0) for gamma in (0.3, 3.0, 30.0))
    epoch = EpochCompleted(1, 10, 3.0, 0.7, 0.74, 0.73, 5, 2, 1.5, 0.03, 0.2, 0.2, 1.0, True, at_gamma=at)
    append(run, epoch)
    lines = {line.get_label(): line for line in draw_curves(run.read_metrics(), title="").axes[3].lines}
    assert list(lines["the same at γ 0.3"].get_ydata()) == pytest.approx([50.3])
    assert list(lines["the same at γ 30"].get_ydata()) == pytest.approx([80.0])
    export_curves(tmp_path / "curves.png", run)  # its title says the range
    export_curves(tmp_path / "curves.csv", run)
    with (tmp_path / "curves.csv").open(encoding="utf-8") as stream:
        row = list(csv.DictReader(stream))[-1]
    assert (row["low_gamma"], row["high_perturbed_accuracy_8bit"]) == ("0.3", "0.8")
    assert "at_gamma" not in row


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_writes_each_picture(run: RunFolder, tmp_path: Path, suffix: str, start: bytes) -> None:
    export_curves(tmp_path / f"curves{suffix}", run)
    assert (tmp_path / f"curves{suffix}").read_bytes().startswith(start)


def test_panels_show_the_numbers_of_the_run(run: RunFolder) -> None:
    losses, size, flips, accuracies = draw_curves(run.read_metrics(), title="$run").axes[:4]
    lines = {line.get_label(): line for line in losses.lines}
    loss_g = [0.5 / number for number in range(1, 41)]
    np.testing.assert_allclose(lines["$L_G$"].get_ydata(), loss_g)
    assert np.flatnonzero(np.isnan(lines["$L_D$"].get_ydata())).tolist() == [3]
    assert size.get_yscale() == "log"
    lines = {line.get_label(): line for line in flips.lines}
    np.testing.assert_allclose(lines["fixed, validation"].get_ydata(), 100 * 5 / 50)
    np.testing.assert_allclose(lines["broken, training batches"].get_ydata(), 100 / 32)
    lines = {line.get_label(): line for line in accuracies.lines}
    np.testing.assert_allclose(
        lines["perturbed, after 8-bit rounding, validation"].get_xdata(), [10, 20, 30, 40]
    )
    np.testing.assert_allclose(lines["perturbed, after 8-bit rounding, validation"].get_ydata(), 73)


def test_a_further_plot_is_drawn_as_its_entry_says(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    more = Plot(
        "size",
        "Size of p",
        (Curve("p²", "first", "l2"), Curve("fixed", "good", "fixed", "fixed", unit="count")),
    )
    monkeypatch.setattr("pgn_studio.core.export.curves.PLOTS", (*PLOTS, more))
    *_, panel = draw_curves(run.read_metrics(), title="").axes
    assert panel.get_ylabel() == "Size of p"
    assert {"p²", "fixed, validation"} <= {line.get_label() for line in panel.lines}


def test_changes_of_gamma_are_marked_where_they_were_used(run: RunFolder) -> None:
    for axes in draw_curves(run.read_metrics(), title="").axes:
        marks = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]
        assert marks == [15]
    assert [text.get_text() for text in axes.figure.axes[0].texts] == ["γ 2.5"]


def test_many_changes_of_gamma_do_not_write_over_each_other(run: RunFolder) -> None:
    records = [{"event": "StepCompleted", **asdict(step(number, number / 3))} for number in range(1, 200)]
    losses = draw_curves(records, title="").axes[0]
    assert 2 < len(losses.texts) <= 15


def test_running_mean_leaves_gaps_out_and_keeps_the_ends() -> None:
    values = np.random.default_rng(0).random(200)
    values[50] = np.nan
    window = 5  # a fiftieth of 200 is 4, made odd
    expected = [np.nanmean(values[max(0, i - window // 2) : i + window // 2 + 1]) for i in range(200)]
    records = [{"event": "StepCompleted", "step": i, "l2": value} for i, value in enumerate(values)]
    smooth = draw_curves(records, title="").axes[1].lines[1]
    np.testing.assert_allclose(smooth.get_ydata(), expected)


def test_csv_has_a_line_for_each_step_and_epoch(run: RunFolder, tmp_path: Path) -> None:
    export_curves(tmp_path / "curves.csv", run)
    with (tmp_path / "curves.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    steps = [row for row in rows if row["event"] == "StepCompleted"]
    epochs = [row for row in rows if row["event"] == "EpochCompleted"]
    assert [float(row["gamma"]) for row in steps] == [10.0] * 14 + [2.5] * 26
    assert steps[3]["loss_d"] == ""
    assert [row["perturbed_accuracy_8bit"] for row in epochs] == ["0.73"] * 4
    assert len(rows) == 44


def test_a_run_of_one_step_can_be_drawn(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", TrainingSettings.make())
    append(run, step(1, 10))
    export_curves(tmp_path / "curves.png", run)


def test_a_run_without_steps_and_a_wrong_suffix_are_refused(tmp_path: Path, run: RunFolder) -> None:
    with pytest.raises(PgnStudioError, match="no finished step"):
        export_curves(tmp_path / "a.png", RunFolder.create(tmp_path / "new", TrainingSettings.make()))
    with pytest.raises(PgnStudioError, match=r"\.csv"):
        export_curves(tmp_path / "a.txt", run)
