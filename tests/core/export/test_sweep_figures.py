"""The sweep's figures hold the sweep's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.comparison_figure import draw_comparison, export_comparison
from pgn_studio.core.export.sweep_figures import (
    draw_frontier,
    draw_sweep_curves,
    export_frontier,
    export_sweep_curves,
)
from pgn_studio.core.export.triptych import TriptychRow
from pgn_studio.core.sweeps.jobs import Outcome
from pgn_studio.core.sweeps.plan import Axis, make_points
from pgn_studio.core.sweeps.summary import SweepSummary, summarize

AXES = (Axis("gamma", (10.0, 0.1)), Axis("seed", (0, 1)))


def figures(gamma: float, seed: int) -> dict[str, float]:
    rms = 0.1 / gamma + 0.002 * seed
    accuracy = 0.8 + 0.01 * seed
    return {
        "clean_accuracy": 0.7, "perturbed_accuracy_8bit": accuracy, "rms_mean": rms, "l2_mean": 10 * rms,
    }  # fmt: skip


@pytest.fixture
def summary() -> SweepSummary:
    points = make_points({}, AXES)
    done = [Outcome(p.name, "done", figures(p.settings.gamma, p.settings.seed)) for p in points]
    return summarize("$Sweep", AXES, points, done)


def records(gamma: float, epochs: int = 2) -> list[dict[str, Any]]:
    """Two steps an epoch of a run with 50 validation images."""
    found: list[dict[str, Any]] = [{"event": "RunStarted", "val_images": 50, "clean_accuracy": 0.7}]
    for epoch in range(1, epochs + 1):
        found += [{"event": "StepCompleted", "epoch": epoch, "l2": value / gamma} for value in (1, 3)]
        found.append(
            {
                "event": "EpochCompleted", "epoch": epoch, "train_loss_g": 0.5 / epoch, "train_loss_d": 0.25,
                "fixed": 5 * epoch, "broken": 1, "perturbed_accuracy_8bit": 0.7 + 0.05 * epoch,
            }
        )  # fmt: skip
    return found


def test_the_frontier_joins_means_in_the_order_of_gamma(summary: SweepSummary) -> None:
    axes = draw_frontier(summary).axes[0]
    line = axes.containers[0].lines[0]
    np.testing.assert_allclose(line.get_xdata(), [1.001, 0.011])
    np.testing.assert_allclose(line.get_ydata(), [80.5, 80.5])
    assert [text.get_text() for text in axes.texts] == ["γ 0.1", "γ 10"]
    assert axes.get_xscale() == "log"
    assert 70.0 in [float(np.asarray(item.get_ydata())[0]) for item in axes.lines if len(item.get_ydata())]


def test_the_frontier_tells_the_l2_norm_above(summary: SweepSummary) -> None:
    axes = draw_frontier(summary).axes[0]
    (top,) = axes.child_axes
    assert float(top._functions[0](0.02)) == pytest.approx(0.2)


def test_a_range_of_gamma_stands_at_its_middle() -> None:
    swept = (Axis("gamma", (1.0, (0.3, 30.0), 10.0)),)
    points = make_points({}, swept)
    assert [point.name for point in points] == ["gamma-1", "gamma-0.3..30", "gamma-10"]
    done = [Outcome(p.name, "done", figures(p.settings.first_gamma, 0)) for p in points]
    axes = draw_frontier(summarize("", swept, points, done)).axes[0]
    assert [text.get_text() for text in axes.texts] == ["γ 1", "γ 0.3..30", "γ 10"]


def test_there_is_a_line_for_each_other_setting() -> None:
    swept = (Axis("gamma", (1.0, 10.0)), Axis("loss", ("least-squares", "logistic")))
    points = make_points({}, swept)
    done = [Outcome(p.name, "done", figures(p.settings.gamma, 0)) for p in points]
    labels = draw_frontier(summarize("", swept, points, done)).axes[0].get_legend_handles_labels()[1]
    assert labels == ["clean images", "loss least-squares", "loss logistic"]


def test_the_curves_are_the_runs_epochs(summary: SweepSummary) -> None:
    found = {row.name: records(row.values["gamma"]) for row in summary.rows}
    losses, size, flips, accuracy = draw_sweep_curves(summary, found).axes
    np.testing.assert_allclose(losses.lines[0].get_ydata(), [0.5, 0.25])
    np.testing.assert_allclose(size.lines[0].get_ydata(), [0.2, 0.2])  # γ 10 was named first
    np.testing.assert_allclose(size.lines[1].get_ydata(), [20, 20])
    np.testing.assert_allclose(flips.lines[0].get_ydata(), [10, 20])  # per cent of 50 images
    np.testing.assert_allclose(flips.lines[1].get_ydata(), [2, 2])
    np.testing.assert_allclose(accuracy.lines[0].get_ydata(), [75, 80])


def test_a_stopped_seed_is_averaged_as_far_as_it_went(summary: SweepSummary) -> None:
    found = {row.name: records(row.values["gamma"], 1 + row.values["seed"]) for row in summary.rows}
    assert len(draw_sweep_curves(summary, found).axes[0].lines[0].get_ydata()) == 1


def test_nothing_to_draw_is_said(summary: SweepSummary) -> None:
    with pytest.raises(PgnStudioError, match="no run has finished an epoch"):
        draw_sweep_curves(summary, {})
    waiting = summarize(
        "", AXES, make_points({}, AXES), [Outcome(row.name, "waiting") for row in summary.rows]
    )
    with pytest.raises(PgnStudioError, match="no run is done"):
        draw_frontier(waiting)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_files_are_written(summary: SweepSummary, tmp_path: Path, suffix: str) -> None:
    export_frontier(tmp_path / f"f{suffix}", summary)
    export_sweep_curves(tmp_path / f"c{suffix}", summary, {row.name: records(1) for row in summary.rows})
    export_comparison(tmp_path / f"s{suffix}", [("γ 1", triptych(0.1))])
    assert len(list(tmp_path.iterdir())) == 3


def triptych(strength: float) -> TriptychRow:
    image = np.full((8, 8, 3), 100, dtype=np.uint8)
    p = np.full((8, 8, 3), strength, dtype=np.float32)
    return TriptychRow("a", image, p, image, "cat", "dog", 0.6, "cat", 0.7)


def test_all_perturbations_of_a_strip_have_one_scale() -> None:
    figure = draw_comparison([("γ 1", triptych(0.2)), ("γ 10", triptych(-0.1))], title="$One image")
    middle = [axes.images[0].get_array() for axes in figure.axes][1::3]
    assert int(middle[0][0, 0, 0]) == 255  # the largest of all: full scale
    assert int(middle[1][0, 0, 0]) == 64  # half as large, and negative
    words = [text.get_text() for text in figure.texts]
    assert {"γ 1", "γ 10", "✓ cat 70 %", "✗ dog 60 %"} <= set(words)


def test_a_strip_needs_columns() -> None:
    with pytest.raises(PgnStudioError, match="1 to 16 columns"):
        draw_comparison([])
