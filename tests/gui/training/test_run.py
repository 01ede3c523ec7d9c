"""What a run shows and lets be steered while it trains, and how it goes on: real widgets, real trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QSpinBox
from pytestqt.qtbot import QtBot

from pgn_studio.core.memory import MemoryUse
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training import callbacks
from pgn_studio.core.training.events import Preparing, RunStarted, StepCompleted, Vitals
from pgn_studio.core.training.step import TrainStep
from pgn_studio.gui.controller import Controller
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.training.controller import RunState
from tests.gui.driving import BATCH, PATIENCE_MS, child, controller_of, press, train, until_step

pytestmark = pytest.mark.timeout(900)


# ---------------------------------------------------------------------- memory and time left


def test_memory_and_time_left_are_shown_while_it_trains_and_gone_afterwards(
    qtbot: QtBot, real: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "_VITALS_SECONDS", 0.0)
    controller = controller_of(real)
    memory, left = child(real, QLabel, "run_memory"), child(real, QLabel, "run_left")
    rate = child(real, QLabel, "run_rate")
    controller.setup.fill({"epochs": 200})
    press(qtbot, real, "start_button")
    qtbot.waitUntil(lambda: memory.text().endswith("GiB"), timeout=PATIENCE_MS)
    assert float(memory.text().split()[1]) > 0.1
    qtbot.waitUntil(lambda: left.text().endswith("left"), timeout=PATIENCE_MS)
    press(qtbot, real, "pause_button")
    assert rate.text() == "paused"
    assert left.text().endswith("left")
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=PATIENCE_MS):
        press(qtbot, real, "stop_button")
    assert (memory.text(), left.text(), rate.text()) == ("", "", "")


def test_a_gpu_s_memory_stands_beside_the_process_s(qtbot: QtBot, make_window: Any) -> None:
    window = make_window()
    bridge = controller_of(window).training.bridge
    bridge.vitals.emit(Vitals(3, 725.0, MemoryUse(2**30, "cuda:0", 3 * 2**30, 2**32, 80 * 2**30)))
    shown = child(window, QLabel, "run_memory").text()
    assert shown == "GPU 3.0 of 80.0 GiB (4.0 reserved), memory 1.0 GiB"
    assert child(window, QLabel, "run_left").text() == "about 12 min left"
    assert window.minimumSizeHint().width() <= 1280


# ---------------------------------------------------------------------- out of memory


def test_out_of_memory_is_a_message_and_half_the_batch(
    qtbot: QtBot, real: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = TrainStep.__call__

    def call(step: TrainStep, batch: Any, **named: Any) -> Any:
        if len(batch.labels) > BATCH // 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return really(step, batch, **named)

    monkeypatch.setattr(TrainStep, "__call__", call)
    controller = controller_of(real)
    said = controller.train_page.health.model  # all notices; the strip's line may already show another
    with qtbot.waitSignal(controller.training.bridge.epoch, timeout=PATIENCE_MS):
        press(qtbot, real, "start_button")
    assert any("at 64 images a step" in said.item(row).text() for row in range(said.rowCount()))
    qtbot.waitUntil(lambda: controller.training.state is RunState.IDLE, timeout=PATIENCE_MS)
    assert controller.reporter.dialog is None
    run = RunFolder.open(Path(controller.shown.folder))
    assert run.run_json["status"] == "completed"
    assert run.settings.batch_size == BATCH // 2
    steps = controller.train_page.history.steps
    assert steps.column("step").tolist() == list(range(1, len(steps) + 1))
    assert BATCH // 4 < steps.column("images")[-1] <= BATCH // 2


def test_counts_are_shares_of_the_batch_that_they_were_counted_in(qtbot: QtBot, make_window: Any) -> None:
    window = make_window()
    controller = controller_of(window)
    bridge, plots = controller.training.bridge, controller.train_page.plots

    def start(first: int, per_epoch: int) -> RunStarted:
        return RunStarted("run", first, 99, per_epoch, 3, "cpu", "fp32", 64, 100, 0.9, 0.95)

    def step(number: int) -> StepCompleted:
        return StepCompleted(number, 1, 1.0, 0.5, 0.5, 1e-3, 0.9, 8, 0, 0.9, 0.93, 500.0)

    bridge.started.emit(start(0, 2))
    bridge.steps.emit([step(1), step(2)])
    bridge.started.emit(start(2, 4))
    bridge.steps.emit([step(3)])
    controller.train_page.controls.smoothing.setValue(1)
    fixed = plots.by_name["flips"].curves[0]
    qtbot.waitUntil(lambda: fixed.getOriginalDataset()[1] is not None)
    qtbot.waitUntil(lambda: fixed.getOriginalDataset()[1].tolist() == [25.0, 25.0, 50.0])


def test_preparing_is_shown_with_its_progress(make_window: Any) -> None:
    controller = controller_of(make_window())
    page = controller.train_page
    page.prepare()
    assert page.bar.maximum() == 0  # unknown how long
    controller.training.bridge.preparing.emit(Preparing(1024, 2041))
    assert (page.bar.value(), page.bar.maximum()) == (1024, 2041)
    assert "1,024 of 2,041" in page.position.text()
    controller.training.bridge.preparing.emit(Preparing(2041, 2041))
    assert page.bar.maximum() == 0  # unknown how long


# ---------------------------------------------------------------------- the preview's samples


def shown(controller: Controller) -> list[int]:
    preview = controller.train_page.strip.preview
    return [] if preview is None else [triptych.index for triptych in preview.triptychs]


def test_samples_are_chosen_pinned_and_shuffled_while_it_trains_and_while_it_pauses(
    qtbot: QtBot, real: MainWindow
) -> None:
    controller = controller_of(real)
    strip = controller.train_page.strip
    controller.setup.fill({"epochs": 200})
    press(qtbot, real, "start_button")
    until_step(qtbot, controller, 3)
    first = shown(controller)
    assert len(first) == 8

    cell = strip.cells()[2]
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(int(cell.center().x()), 20))
    qtbot.waitUntil(lambda: shown(controller)[0] == first[2], timeout=PATIENCE_MS)
    press(qtbot, real, "shuffle_samples")
    qtbot.waitUntil(lambda: set(shown(controller)) != set(first), timeout=PATIENCE_MS)
    assert shown(controller)[0] == first[2]

    press(qtbot, real, "pause_button")  # and it follows at once all the same
    rule = child(real, QComboBox, "sample_rule")
    rule.setFocus()
    qtbot.keyClick(rule, Qt.Key.Key_Down)
    assert rule.currentText() == "Only misclassified"

    def others_are_wrong() -> bool:
        preview = strip.preview
        assert preview is not None
        return all(item.clean_prediction != item.label for item in preview.triptychs[1:])

    qtbot.waitUntil(others_are_wrong, timeout=PATIENCE_MS)
    assert controller.training.state is RunState.PAUSED
    strip.setFocus()
    qtbot.keyClick(strip, Qt.Key.Key_Return)  # the column that was clicked last
    qtbot.waitUntil(lambda: len(controller.train_page.samples.choice.pinned) == 2)
    assert strip.accessibleDescription()
    press(qtbot, real, "unpin_samples")
    assert controller.train_page.samples.choice.pinned == ()
    qtbot.keyClick(strip, Qt.Key.Key_Left)
    qtbot.keyClick(strip, Qt.Key.Key_Return)
    pinned = controller.train_page.samples.choice.pinned
    assert len(pinned) == 1
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=PATIENCE_MS):
        press(qtbot, real, "stop_button")

    controller.setup.fill({"epochs": 1})  # remembered until the window closes
    train(qtbot, real)
    assert shown(controller)[0] == pinned[0]


# ---------------------------------------------------------------------- going on


def test_paused_resumed_and_stopped_by_the_buttons(qtbot: QtBot, real: MainWindow) -> None:
    controller = controller_of(real)
    controller.setup.fill({"epochs": 200})
    press(qtbot, real, "start_button")
    until_step(qtbot, controller, 2)
    press(qtbot, real, "pause_button")
    assert controller.training.state is RunState.PAUSED
    press(qtbot, real, "pause_button")
    assert controller.training.state is RunState.RUNNING
    reached = int(controller.train_page.history.steps.column("step")[-1])
    until_step(qtbot, controller, reached + 2)
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=PATIENCE_MS) as end:
        press(qtbot, real, "stop_button")
    assert end.args[0].reason == "stopped"
    assert Path(end.args[0].pgn_path).is_file()

    goes_on = end.args[0].step
    assert child(real, QPushButton, "continue_button").text() == "Continue"
    with qtbot.waitSignal(controller.training.bridge.started, timeout=PATIENCE_MS) as start:
        press(qtbot, real, "continue_button")
    assert start.args[0].first_step == goes_on


def test_a_completed_run_asks_how_many_more_epochs_and_trains_them(qtbot: QtBot, real: MainWindow) -> None:
    controller = controller_of(real)
    assert not child(real, QPushButton, "continue_button").isEnabled()
    train(qtbot, real)
    folder, steps = controller.shown.folder, len(controller.train_page.history.steps)
    press(qtbot, real, "continue_button")
    dialog = controller.continuation.dialog
    assert dialog is not None
    assert "has done its 2 epochs" in dialog.findChild(QLabel).text()
    dialog.findChild(QSpinBox, "more_epochs").setValue(1)
    assert "3 in all" in dialog.total.text()
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=PATIENCE_MS) as end:
        qtbot.mouseClick(dialog.go_on, Qt.MouseButton.LeftButton)
    assert controller.shown.folder == folder
    assert end.args[0].epoch == 3
    assert len(controller.train_page.history.steps) == steps * 3 // 2
    assert RunFolder.open(Path(folder)).settings.epochs == 3


def test_the_question_for_more_epochs_is_about_one_run(
    qtbot: QtBot, real: MainWindow, tmp_path: Path
) -> None:
    controller = controller_of(real)
    train(qtbot, real)
    first = Path(controller.shown.folder)
    train(qtbot, real)
    second, button = Path(controller.shown.folder), child(real, QPushButton, "continue_button")
    controller.opener.open_path(first)
    assert not button.isEnabled()  # another run is being loaded
    controller.continuation.ask()
    assert controller.continuation.dialog is None
    assert "Still loading" in real.statusBar().currentMessage()
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=PATIENCE_MS)
    assert controller.shown.folder == str(first)

    press(qtbot, real, "continue_button")
    assert controller.continuation.dialog is not None
    controller.opener.open_path(second)  # dropped on the window
    qtbot.waitUntil(lambda: controller.shown.folder == str(second), timeout=PATIENCE_MS)
    assert controller.continuation.dialog is None
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=PATIENCE_MS)
    assert button.isEnabled()
    assert not controller.training.active
    assert RunFolder.open(second).settings.epochs == 2


def test_more_epochs_in_the_set_up_need_no_question(qtbot: QtBot, real: MainWindow) -> None:
    controller = controller_of(real)
    train(qtbot, real)
    button, action = (
        child(real, QPushButton, "continue_button"),
        child(real, QAction, "action_continue_the_shown_run"),
    )
    assert [button.text()[-1], action.text()[-1]] == ["…", "…"]  # a dialog would come
    child(real, QSpinBox, "epochs_field").setValue(3)
    assert "…" not in button.text() + action.text()
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=PATIENCE_MS) as end:
        action.trigger()
    assert controller.continuation.dialog is None
    assert end.args[0].epoch == 3
