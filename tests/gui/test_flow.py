"""The whole flow with the real trainer: demo, train, γ, stop, the kept run, fixed images, a figure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractButton, QLabel, QSlider
from pytestqt.qtbot import QtBot

from pgn_studio.core import paths
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.studio import Studio
from pgn_studio.gui.training.controller import RunState
from pgn_studio.gui.training.worker import make_trainer
from pgn_studio.gui.workspace import DEMO_PGN
from tests.gui.driving import child, studio_of

PATIENCE_MS = 120_000  # a loaded machine, not a slow program


@pytest.fixture
def demo_window(qtbot: QtBot, make_window: Callable[..., MainWindow]) -> MainWindow:
    if not (paths.trained_folder() / DEMO_PGN).is_file():
        pytest.skip("the demo's files have not been made: make demo-models")
    window = make_window(make_runner=make_trainer)
    open_demo(qtbot, studio_of(window))
    return window


def open_demo(qtbot: QtBot, studio: Studio) -> None:
    with qtbot.waitSignal(studio.workspace.pgn_opened, timeout=PATIENCE_MS):
        studio.open_demo()
    qtbot.waitUntil(lambda: not studio.workspace.busy, timeout=PATIENCE_MS)


@pytest.mark.timeout(600)
def test_from_the_demo_to_a_figure(qtbot: QtBot, demo_window: MainWindow, tmp_path: Path) -> None:
    studio = studio_of(demo_window)
    assert demo_window.tabs.currentWidget() is studio.inspection
    assert "%" in child(demo_window, QLabel, "clean_accuracy").text()

    # Train anew from the demo's settings, and turn the dial meanwhile.
    child(demo_window, QAbstractButton, "start_button").click()
    assert demo_window.tabs.currentWidget() is studio.training
    qtbot.waitUntil(lambda: len(studio.training.history.steps) > 0, timeout=PATIENCE_MS)
    dial, strip = child(demo_window, QSlider, "gamma_dial"), studio.training.strip
    dial.setValue(dial.minimum())
    qtbot.waitUntil(lambda: strip.preview is not None and strip.preview.gamma == 0.3, timeout=PATIENCE_MS)

    # Stop: the run is kept, and measured on test.
    with qtbot.waitSignals(
        [studio.session.bridge.finished, studio.workspace.run_measured], timeout=PATIENCE_MS
    ):
        child(demo_window, QAbstractButton, "stop_button").click()
    run = Path(studio.shown.folder)
    assert json.loads((run / "run.json").read_text())["status"] == "stopped"
    assert (run / "pgn.safetensors").is_file()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert "GammaChanged" not in [line["event"] for line in lines]  # what is learned stays

    # Look at what the demo's PGN fixed, and export it.
    open_demo(qtbot, studio)
    page = studio.inspection
    with qtbot.waitSignal(page.sample_shown, timeout=PATIENCE_MS):
        child(demo_window, QAbstractButton, "outcome-fixed").click()
        page.gallery.view.setCurrentIndex(page.gallery.model.index(0, 0))
    figure = tmp_path / "fixed.png"
    page.export_figure_to(figure)
    qtbot.waitUntil(figure.is_file, timeout=PATIENCE_MS)

    curves = tmp_path / "curves.csv"
    studio.shown.show_run(str(run), "stopped", None)
    studio.curves.save(curves)
    qtbot.waitUntil(curves.is_file, timeout=PATIENCE_MS)


@pytest.mark.timeout(600)
def test_closing_while_it_trains_keeps_a_run_that_goes_on(qtbot: QtBot, demo_window: MainWindow) -> None:
    studio = studio_of(demo_window)
    studio.start()
    qtbot.waitUntil(lambda: len(studio.training.history.steps) > 0, timeout=PATIENCE_MS)
    demo_window.close()
    assert demo_window.isVisible()
    child(demo_window, QAbstractButton, "stop_and_keep_button").click()
    qtbot.waitUntil(lambda: not demo_window.isVisible(), timeout=PATIENCE_MS)
    assert studio.session.state is RunState.IDLE
    reached = int(studio.training.history.steps.column("step")[-1])

    studio.closing = False
    studio.continue_run()
    qtbot.waitUntil(lambda: studio.training.history.steps.column("step")[-1] > reached, timeout=PATIENCE_MS)
    with qtbot.waitSignal(studio.workspace.run_measured, timeout=PATIENCE_MS):
        studio.session.stop()
    assert Path(studio.shown.folder).is_dir()


def test_without_its_files_the_demo_says_what_to_do(
    qtbot: QtBot, make_window: Callable[..., MainWindow], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "trained_folder", lambda: tmp_path)
    studio = studio_of(make_window())
    with qtbot.waitSignal(studio.workspace.failed, timeout=PATIENCE_MS):
        studio.open_demo()
    assert studio.error_dialog is not None
    assert "The demo's PGN is missing" in studio.error_dialog.message.text()
    assert "make demo-models" in studio.error_dialog.hint.text()
    studio.error_dialog.close()
    qtbot.waitUntil(lambda: not studio.workspace.busy)
