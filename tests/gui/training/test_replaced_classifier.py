"""The window goes on with a run only against the classifier that the run was begun with."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from pgn_studio.core.runs import RUN_JSON, RunFolder
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.training.controller import RunState
from tests.gui.driving import PATIENCE_MS, controller_of, press, until_step

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def stopped(qtbot: QtBot, real: MainWindow) -> RunFolder:
    """A run that is shown, whose run.json names another file's hash: as if the file had been replaced."""
    controller = controller_of(real)
    controller.setup.fill({"epochs": 200})
    press(qtbot, real, "start_button")
    until_step(qtbot, controller, 2)
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=PATIENCE_MS):
        press(qtbot, real, "stop_button")
    run = RunFolder.open(Path(controller.shown.folder))
    assert len(run.classifier_sha256) == 64
    run.update(classifier={**run.run_json["classifier"], "sha256": "0" * 64})
    return run


def test_continue_refuses_another_classifier(qtbot: QtBot, real: MainWindow, stopped: RunFolder) -> None:
    controller = controller_of(real)
    controller.reporter.deferred = told = []
    before = (stopped.path / RUN_JSON).read_bytes()
    press(qtbot, real, "continue_button")
    assert controller.training.state is RunState.IDLE
    assert "hash differs" in " ".join(told)
    assert (stopped.path / RUN_JSON).read_bytes() == before


def test_a_run_whose_classifier_was_replaced_is_not_opened_to_go_on(
    qtbot: QtBot, real: MainWindow, stopped: RunFolder
) -> None:
    controller = controller_of(real)
    controller.reporter.deferred = told = []
    with qtbot.waitSignal(controller.project.failed, timeout=PATIENCE_MS):
        controller.project.reopen_run(stopped.path)
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=PATIENCE_MS)
    assert "hash differs" in " ".join(told)


def test_a_run_that_knows_no_hash_goes_on(qtbot: QtBot, real: MainWindow, stopped: RunFolder) -> None:
    controller = controller_of(real)
    stopped.update(classifier={"path": stopped.run_json["classifier"]["path"]})
    with qtbot.waitSignal(controller.project.run_reopened, timeout=PATIENCE_MS):
        controller.project.reopen_run(stopped.path)
    with qtbot.waitSignal(controller.training.bridge.started, timeout=PATIENCE_MS):
        press(qtbot, real, "continue_button")
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=PATIENCE_MS):
        press(qtbot, real, "stop_button")
