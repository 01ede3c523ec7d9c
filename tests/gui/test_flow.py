"""The whole flow with the real trainer: demo, train, γ, stop, the kept run, fixed images, a figure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractButton, QLabel, QSlider
from pytestqt.qtbot import QtBot

from pgn_studio.core import paths
from pgn_studio.gui.controller import Controller
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.project import DEMO_PGN
from pgn_studio.gui.training.controller import RunState
from pgn_studio.gui.training.worker import make_trainer
from tests.gui.driving import child, controller_of

PATIENCE_MS = 120_000  # a loaded machine, not a slow program


@pytest.fixture
def demo_window(qtbot: QtBot, make_window: Callable[..., MainWindow]) -> MainWindow:
    if not (paths.trained_folder() / DEMO_PGN).is_file():
        pytest.skip("the demo's files have not been made: make demo-models")
    window = make_window(make_runner=make_trainer)
    open_demo(qtbot, controller_of(window))
    return window


def open_demo(qtbot: QtBot, controller: Controller) -> None:
    with qtbot.waitSignal(controller.project.pgn_opened, timeout=PATIENCE_MS):
        controller.opener.open_demo()
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=PATIENCE_MS)


@pytest.mark.timeout(600)
def test_from_the_demo_to_a_figure(qtbot: QtBot, demo_window: MainWindow, tmp_path: Path) -> None:
    controller = controller_of(demo_window)
    assert demo_window.tabs.currentWidget() is controller.inspect_page
    assert "%" in child(demo_window, QLabel, "clean_accuracy").text()

    # Train anew from the demo's settings, and turn the dial meanwhile.
    child(demo_window, QAbstractButton, "start_button").click()
    assert demo_window.tabs.currentWidget() is controller.train_page
    qtbot.waitUntil(lambda: len(controller.train_page.history.steps) > 0, timeout=PATIENCE_MS)
    dial, strip = child(demo_window, QSlider, "gamma_dial"), controller.train_page.strip
    dial.setValue(dial.minimum())
    qtbot.waitUntil(lambda: strip.preview is not None and strip.preview.gamma == 0.3, timeout=PATIENCE_MS)

    # Stop: the run is kept, and measured on test.
    with qtbot.waitSignals(
        [controller.training.bridge.finished, controller.project.run_measured], timeout=PATIENCE_MS
    ):
        child(demo_window, QAbstractButton, "stop_button").click()
    run = Path(controller.shown.folder)
    assert json.loads((run / "run.json").read_text())["status"] == "stopped"
    assert (run / "pgn.safetensors").is_file()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert "GammaChanged" not in [line["event"] for line in lines]  # what is learned stays

    # Look at what the demo's PGN fixed, and export it.
    open_demo(qtbot, controller)
    page = controller.inspect_page
    with qtbot.waitSignal(page.sample_shown, timeout=PATIENCE_MS):
        child(demo_window, QAbstractButton, "outcome-fixed").click()
        page.gallery.view.setCurrentIndex(page.gallery.model.index(0, 0))
    figure = tmp_path / "fixed.png"
    page.export_figure_to(figure)
    qtbot.waitUntil(figure.is_file, timeout=PATIENCE_MS)

    curves = tmp_path / "curves.csv"
    controller.shown.show_run(str(run), "stopped", None)
    controller.curves.save(curves)
    qtbot.waitUntil(curves.is_file, timeout=PATIENCE_MS)


@pytest.mark.timeout(600)
def test_closing_while_it_trains_keeps_a_run_that_goes_on(qtbot: QtBot, demo_window: MainWindow) -> None:
    controller = controller_of(demo_window)
    controller.start()
    qtbot.waitUntil(lambda: len(controller.train_page.history.steps) > 0, timeout=PATIENCE_MS)
    demo_window.close()
    assert demo_window.isVisible()
    child(demo_window, QAbstractButton, "stop_and_keep_button").click()
    qtbot.waitUntil(lambda: not demo_window.isVisible(), timeout=PATIENCE_MS)
    assert controller.training.state is RunState.IDLE
    reached = int(controller.train_page.history.steps.column("step")[-1])

    controller.closing = demo_window.closing._decided = False
    controller.continuation.ask()
    qtbot.waitUntil(
        lambda: controller.train_page.history.steps.column("step")[-1] > reached, timeout=PATIENCE_MS
    )
    with qtbot.waitSignal(controller.project.run_measured, timeout=PATIENCE_MS):
        controller.training.stop()
    assert Path(controller.shown.folder).is_dir()


def test_without_its_files_the_demo_says_what_to_do(
    qtbot: QtBot, make_window: Callable[..., MainWindow], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "trained_folder", lambda: tmp_path)
    controller = controller_of(make_window())
    with qtbot.waitSignal(controller.project.failed, timeout=PATIENCE_MS):
        controller.opener.open_demo()
    assert controller.reporter.dialog is not None
    assert "The demo's PGN is missing" in controller.reporter.dialog.message.text()
    assert "make demo-models" in controller.reporter.dialog.hint.text()
    controller.reporter.dialog.close()
    qtbot.waitUntil(lambda: not controller.project.busy)
