"""The plots of a run: raw behind smooth, steps or epochs, read-out, legend, zoom, γ, compared runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QComboBox, QLabel, QSpinBox, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from pgn_studio.core.training.events import EpochCompleted, StepCompleted
from pgn_studio.gui.pages.train.page import TrainPage
from pgn_studio.gui.plots.live_plots import PlotBar
from pgn_studio.gui.plots.series import BLOCKS, DASHES, dashed
from pgn_studio.gui.plots.series_plot import SeriesPlot, mixed
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.training.controller import TrainingController
from pgn_studio.gui.training.history import RunHistory, means_per_epoch, smoothed

PER_EPOCH = 10


def step_event(step: int, gamma: float) -> StepCompleted:
    epoch = 1 + (step - 1) // PER_EPOCH
    return StepCompleted(step, epoch, gamma, 1 / step, 0.5, 1e-3, 0.9, 3, 1, 0.9, 0.93, 500.0)


def epoch_event(epoch: int, step: int) -> EpochCompleted:
    return EpochCompleted(epoch, step, 1.0, 0.9, 0.94, 0.93, 6, 2, 0.5, 0.03, 0.2, 0.1, 1.0, True)


def lines(steps: int = 40, *, gamma_from: int = 25, scale: float = 1.0) -> list[dict[str, Any]]:
    """A metrics.jsonl whose generator loss is scale / step; γ doubles at `gamma_from`."""
    found: list[dict[str, Any]] = [
        {"event": "RunStarted", "train_images": 640, "steps_per_epoch": PER_EPOCH, "val_images": 100}
    ]
    for number in range(1, steps + 1):
        step = asdict(step_event(number, 2.0 if number >= gamma_from else 1.0))
        found.append({"event": "StepCompleted", **step, "loss_g": scale / number})
        if number % PER_EPOCH == 0:
            found.append({"event": "EpochCompleted", **asdict(epoch_event(number // PER_EPOCH, number))})
    return found


@pytest.fixture
def page(qtbot: QtBot) -> Iterator[TrainPage]:
    current_theme().apply("light")
    owner = QWidget()
    qtbot.addWidget(owner)
    page = TrainPage(TrainingController(owner).bridge, owner)
    page.resize(1000, 700)
    owner.resize(1000, 700)
    owner.show()
    page.replay(lines())
    qtbot.waitUntil(lambda: all(_count(plot) for plot in page.plots.plots), timeout=5000)
    yield page
    page.plots.hide()


def _xy(curve: Any) -> tuple[Any, Any]:
    x, y = curve.getOriginalDataset()
    return (np.empty(0), np.empty(0)) if x is None else (x, y)


def _count(plot: SeriesPlot) -> int:
    return len(_xy(plot.curves[0])[0])


def _redrawn(qtbot: QtBot, page: TrainPage) -> None:
    qtbot.waitUntil(lambda: not page.plots._dirty, timeout=5000)


def test_raw_steps_lie_faintly_behind_the_smooth_curve(qtbot: QtBot, page: TrainPage) -> None:
    losses = page.plots.losses
    raw = np.array([1 / number for number in range(1, 41)])
    np.testing.assert_allclose(_xy(losses.raws[0])[1], raw)
    np.testing.assert_allclose(_xy(losses.curves[0])[1], smoothed(raw, 20))
    assert losses.raws[0].zValue() <= losses.curves[0].zValue()
    colors = current_theme().colors
    assert losses.raws[0].opts["pen"].color() == mixed(colors.first, colors.background, 0.28)
    smoothing = page.findChild(QSpinBox, "smoothing")
    assert smoothing is not None
    smoothing.setValue(1)
    _redrawn(qtbot, page)
    assert len(_xy(losses.raws[0])[0]) == 0  # the curve itself is raw
    np.testing.assert_allclose(_xy(losses.curves[0])[1], raw)


def test_a_flat_line_of_percentages_is_shown_among_percentages(qtbot: QtBot, page: TrainPage) -> None:
    perfect = {"clean_accuracy": 1.0, "perturbed_accuracy": 1.0, "fixed": 0, "broken": 0}
    steps = ("StepCompleted", "EpochCompleted")
    page.replay([{**line, **(perfect if line["event"] in steps else {})} for line in lines()])
    _redrawn(qtbot, page)
    for plot, level in ((page.plots.by_name["accuracy"], 100.0), (page.plots.by_name["flips"], 0.0)):
        box = plot.plot.getPlotItem().vb

        def shown(box: Any = box, level: float = level) -> bool:
            (_, last), (low, high) = box.viewRange()
            return last < 60 and low < level < high

        qtbot.waitUntil(shown, timeout=5000)
        low, high = box.viewRange()[1]
        assert -6 < low < level < high < 106


def test_smoothing_comes_before_decimation(qtbot: QtBot, page: TrainPage) -> None:
    count = 10 * BLOCKS
    many = lines(count)
    noise = np.random.default_rng(0).normal(size=count)
    for line, value in zip((line for line in many if line["event"] == "StepCompleted"), noise, strict=True):
        line["loss_g"] = 1.0 + float(value) * 0.1
    page.replay(many)
    _redrawn(qtbot, page)
    _, drawn = _xy(page.plots.losses.curves[0])
    truth = smoothed(page.history.steps.column("loss_g"), 20)
    assert len(drawn) <= 2 * BLOCKS + 1
    assert np.isin(drawn, truth).all()
    assert drawn.max() == truth.max()


def test_one_point_for_each_epoch(qtbot: QtBot, page: TrainPage) -> None:
    along = page.findChild(QComboBox, "plot_axis")
    assert along is not None
    along.setCurrentIndex(1)
    _redrawn(qtbot, page)
    x, y = _xy(page.plots.losses.curves[0])
    assert x.tolist() == [1, 2, 3, 4]
    assert y[1] == pytest.approx(np.mean([1 / number for number in range(11, 21)]))
    assert _xy(page.plots.by_name["accuracy"].points[1])[0].tolist() == [1, 2, 3, 4]
    assert not page.controls.smoothing.isEnabled()
    assert page.plots.losses.gamma_ticks.xvals == pytest.approx([3.0 - 0.5 + 4 / 10])
    low, high = page.plots.losses.plot.viewRange()[0]
    assert low < 1
    assert 4 < high < 6


def test_an_unfinished_epoch_has_the_mean_of_what_there_is() -> None:
    history = RunHistory()
    history.add_steps([step_event(number, 1.0) for number in range(1, 14)])
    numbers, means = means_per_epoch(history, history.steps.column("step"))
    assert (numbers.tolist(), means.tolist()) == ([1, 2], [5.5, 12.0])
    empty = RunHistory()
    assert means_per_epoch(empty, empty.steps.column("step"))[0].size == 0
    assert empty.epochs_of(np.array([3.0])).tolist() == [0.0]


def test_the_pointer_reads_the_same_step_in_all_plots(qtbot: QtBot, page: TrainPage) -> None:
    losses = page.plots.losses
    box = losses.plot.getPlotItem().vb
    place = losses.plot.mapFromScene(box.mapViewToScene(QPointF(30, 0.3)))
    qtbot.mouseMove(losses.plot.viewport(), QPoint(place.x() - 3, place.y()))
    qtbot.mouseMove(losses.plot.viewport(), place)
    qtbot.waitUntil(lambda: "step 30" in losses.readout(), timeout=5000)
    smooth = smoothed(np.array([1 / number for number in range(1, 41)]), 20)
    assert f"{smooth[29]:.3g}" in losses.readout()
    assert "93.0 %" in page.plots.by_name["accuracy"].readout()
    assert all(plot._cursor.isVisible() for plot in page.plots.plots)
    assert [plot for plot in page.plots.plots if plot._level.isVisible()] == [losses]
    losses._mouse_left()
    assert not any(plot._cursor.isVisible() for plot in page.plots.plots)
    assert losses.readout() == ""


def test_the_legend_shows_and_hides(qtbot: QtBot, page: TrainPage) -> None:
    accuracy = page.plots.by_name["accuracy"]
    switch = accuracy.findChild(QToolButton, "accuracy_clean_accuracy_switch")
    assert switch is not None
    qtbot.mouseClick(switch, Qt.MouseButton.LeftButton)
    assert not accuracy.curves[0].isVisible()
    assert not accuracy.raws[0].isVisible()
    assert not accuracy.points[0].isVisible()
    assert accuracy.curves[1].isVisible()
    accuracy.point_to(10)
    assert "90.0 %" not in accuracy.readout()
    qtbot.mouseClick(switch, Qt.MouseButton.LeftButton)
    assert accuracy.curves[0].isVisible()
    gamma = page.plots.findChild(QToolButton, "gamma_switch")
    assert gamma is not None
    qtbot.mouseClick(gamma, Qt.MouseButton.LeftButton)
    assert not page.plots.gamma.curve.isVisible()
    assert not accuracy.gamma_ticks.isVisible()


def test_gamma_changes_are_marked_in_every_plot(page: TrainPage) -> None:
    assert all(plot.gamma_ticks.xvals == [25.0] for plot in page.plots.plots)


def test_zoomed_plots_stay_until_they_are_reset(qtbot: QtBot, page: TrainPage) -> None:
    losses, reset = page.plots.losses.plot, page.findChild(QToolButton, "reset_zoom")
    assert reset is not None
    assert not reset.isEnabled()
    box = losses.getPlotItem().vb
    box.showAxRect(box.viewRect().adjusted(10, 0, -10, 0))  # what a drag ends with
    zoomed = losses.viewRange()[0]
    assert reset.isEnabled()
    page.plots.refresh()
    _redrawn(qtbot, page)
    assert losses.viewRange()[0] == pytest.approx(zoomed)
    assert page.plots.by_name["flips"].plot.viewRange()[0] == pytest.approx(zoomed, abs=1.0)
    qtbot.mouseClick(reset, Qt.MouseButton.LeftButton)
    assert losses.viewRange()[0] != pytest.approx(zoomed)
    assert not reset.isEnabled()
    box.showAxRect(box.viewRect().adjusted(10, 0, -10, 0))
    qtbot.mouseDClick(page.plots.by_name["flips"].plot.viewport(), Qt.MouseButton.LeftButton)
    assert losses.viewRange()[0][1] > 39


def test_compared_runs_are_dashed_named_and_can_be_taken_away(qtbot: QtBot, page: TrainPage) -> None:
    assert page.compare("first", "/first", lines(60, scale=2.0))
    assert page.compare("second", "/second", lines(20))
    losses = page.plots.losses
    x, y = _xy(losses.compared[0][0])
    assert (x[0], x[-1]) == (1, 60)
    assert y[-1] == pytest.approx(smoothed(2 / np.arange(1, 61), 20)[-1])
    assert losses.plot.viewRange()[0][1] > 60  # the longest is seen whole
    qtbot.waitUntil(lambda: len(page.findChildren(QToolButton, "compared_run")) == 2)
    buttons = page.findChildren(QToolButton, "compared_run")
    assert [button.accessibleName() for button in buttons] == [
        "Stop comparing with first",
        "Stop comparing with second",
    ]
    qtbot.mouseClick(buttons[0], Qt.MouseButton.LeftButton)
    assert _xy(losses.compared[0][0])[0][-1] == 20
    assert len(_xy(losses.compared[0][1])[0]) == 0


def test_there_are_only_as_many_compared_runs_as_dashes(page: TrainPage) -> None:
    for number in range(len(DASHES)):
        assert page.compare(f"run {number}", f"/{number}", lines(20))
    assert not page.compare("one too many", "/more", lines(20))
    assert page.compare("again", "/0", lines(30))  # takes its own place
    assert page.compared_bar.isVisible()


def test_dashes_leave_gaps_and_one_point_is_no_line() -> None:
    _, joined = dashed((np.arange(50.0), np.arange(50.0)), (6, 3))
    assert 0.6 < joined.mean() < 0.7
    single, joined = dashed((np.array([1.0]), np.array([2.0])), (6, 3))
    assert len(single[0]) == len(joined) == 1


def test_the_controls_say_what_they_are(page: TrainPage) -> None:
    bar = page.findChild(PlotBar)
    assert bar is not None
    assert all(part.accessibleName() for part in (bar.along, bar.smoothing, bar.reset))
    assert [label.buddy() for label in bar.findChildren(QLabel)] == [bar.smoothing]
