"""What a run shows and lets be steered while it trains, and how it goes on: real widgets, real trainer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QSpinBox
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import DataSettings
from pgn_studio.core.memory import MemoryUse
from pgn_studio.core.paths import runs_folder
from pgn_studio.core.runs import LOCK, RunFolder
from pgn_studio.core.training import live_view
from pgn_studio.core.training.events import Notice, RunStarted, StepCompleted, Vitals
from pgn_studio.core.training.step import TrainStep
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.studio import Studio
from pgn_studio.gui.training.session import RunState
from pgn_studio.gui.training.worker import make_trainer

PATIENCE_MS = 300_000  # a loaded machine, not a slow program
pytestmark = pytest.mark.timeout(900)
BATCH = 64
SMALL = {"encoder": "small", "decoder_widths": (4, 4), "epochs": 2, "batch_size": BATCH, "precision": "fp32"}
TINY = DataSettings(image_size=8, num_classes=2)


def studio_of(window: MainWindow) -> Studio:
    assert window.studio is not None
    return window.studio


def child(window: MainWindow, kind: type[Any], name: str) -> Any:
    found = window.findChild(kind, name)
    assert found is not None, name
    return found


def press(qtbot: QtBot, window: MainWindow, name: str) -> None:
    button = child(window, QPushButton, name)
    assert button.isEnabled(), name
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture(scope="module")
def tiny() -> Any:
    from pgn_studio.core.data.sources import load_dataset

    return load_dataset(TINY)


@pytest.fixture(scope="module")
def guesser(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An untrained classifier of it, from its file."""
    from pgn_studio.core.classifiers import load_classifier, save_classifier

    made = load_classifier("arch:small", classes=tiny.classes, image_size=tiny.image_size)
    path = tmp_path_factory.mktemp("classifier") / "guesser.safetensors"
    save_classifier(path, made.net, made.info)
    return load_classifier(path)


@pytest.fixture
def real(
    make_window: Callable[..., MainWindow],
    tiny: Any,
    guesser: Any,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> MainWindow:
    """A window whose trainer is the real one, on two digits at 8 px, in a home of its own."""
    monkeypatch.setenv("PGN_STUDIO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("pgn_studio.gui.workspace.Workspace.measure_run", lambda *_: None)
    made = make_window(make_runner=make_trainer)
    studio = studio_of(made)
    studio.workspace._set_dataset(TINY, tiny)
    studio.workspace.use_classifier(replace(studio.workspace.source, path=guesser.info.path), guesser)
    qtbot.waitUntil(lambda: not studio.workspace.busy, timeout=PATIENCE_MS)
    studio.setup.fill(SMALL)
    return made


def until_step(qtbot: QtBot, studio: Studio, step: int) -> None:
    steps = studio.training.history.steps
    qtbot.waitUntil(lambda: len(steps) > 0 and steps.column("step")[-1] >= step, timeout=PATIENCE_MS)


def train(qtbot: QtBot, window: MainWindow, button: str = "start_button") -> None:
    studio = studio_of(window)
    with qtbot.waitSignal(studio.session.bridge.finished, timeout=PATIENCE_MS):
        press(qtbot, window, button)


# ---------------------------------------------------------------------- memory and time left


def test_memory_and_time_left_are_shown_while_it_trains_and_gone_afterwards(
    qtbot: QtBot, real: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_view, "_VITALS_SECONDS", 0.0)
    studio = studio_of(real)
    memory, left = child(real, QLabel, "run_memory"), child(real, QLabel, "run_left")
    rate = child(real, QLabel, "run_rate")
    studio.setup.fill({"epochs": 200})
    press(qtbot, real, "start_button")
    qtbot.waitUntil(lambda: memory.text().endswith("GiB"), timeout=PATIENCE_MS)
    assert float(memory.text().split()[1]) > 0.1
    qtbot.waitUntil(lambda: left.text().endswith("left"), timeout=PATIENCE_MS)
    press(qtbot, real, "pause_button")
    assert rate.text() == "paused"
    assert left.text().endswith("left")
    with qtbot.waitSignal(studio.session.bridge.finished, timeout=PATIENCE_MS):
        press(qtbot, real, "stop_button")
    assert (memory.text(), left.text(), rate.text()) == ("", "", "")


def test_a_gpu_s_memory_stands_beside_the_process_s(qtbot: QtBot, make_window: Any) -> None:
    window = make_window()
    bridge = studio_of(window).session.bridge
    bridge.vitals.emit(Vitals(3, 725.0, MemoryUse(2**30, False, "cuda:0", 3 * 2**30, 2**32, 80 * 2**30)))
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
    studio = studio_of(real)
    notices: list[Notice] = []
    studio.session.bridge.notice.connect(notices.append)
    with qtbot.waitSignal(studio.session.bridge.epoch, timeout=PATIENCE_MS):
        press(qtbot, real, "start_button")
        qtbot.waitUntil(lambda: "out-of-memory" in [notice.code for notice in notices], timeout=PATIENCE_MS)
        assert "at 64 images a step" in child(real, QLabel, "health_text").text()
    qtbot.waitUntil(lambda: studio.session.state is RunState.IDLE, timeout=PATIENCE_MS)
    assert studio.error_dialog is None
    run = RunFolder.open(Path(studio.run_folder))
    assert run.run_json["status"] == "completed"
    assert run.settings.batch_size == BATCH // 2
    steps = studio.training.history.steps
    assert steps.column("step").tolist() == list(range(1, len(steps) + 1))
    assert BATCH // 4 < steps.column("images")[-1] <= BATCH // 2


def test_counts_are_shares_of_the_batch_that_they_were_counted_in(qtbot: QtBot, make_window: Any) -> None:
    window = make_window()
    studio = studio_of(window)
    bridge, plots = studio.session.bridge, studio.training.plots

    def start(first: int, per_epoch: int) -> RunStarted:
        return RunStarted("run", first, 99, per_epoch, 3, "cpu", "fp32", 64, 100, 0.9, 0.95)

    def step(number: int) -> StepCompleted:
        return StepCompleted(number, 1, 1.0, 0.5, 0.5, 1e-3, 0.9, 8, 0, 0.9, 0.93, 500.0)

    bridge.started.emit(start(0, 2))
    bridge.steps.emit([step(1), step(2)])
    bridge.started.emit(start(2, 4))
    bridge.steps.emit([step(3)])
    studio.training.controls.smoothing.setValue(1)
    qtbot.waitUntil(lambda: plots.flips.curves[0].getOriginalDataset()[1] is not None)
    qtbot.waitUntil(lambda: plots.flips.curves[0].getOriginalDataset()[1].tolist() == [25.0, 25.0, 50.0])


# ---------------------------------------------------------------------- the preview's samples


def shown(studio: Studio) -> list[int]:
    preview = studio.training.strip.preview
    return [] if preview is None else [triptych.index for triptych in preview.triptychs]


def test_samples_are_chosen_pinned_and_shuffled_while_it_trains_and_while_it_pauses(
    qtbot: QtBot, real: MainWindow
) -> None:
    studio = studio_of(real)
    strip = studio.training.strip
    studio.setup.fill({"epochs": 200})
    press(qtbot, real, "start_button")
    until_step(qtbot, studio, 3)
    first = shown(studio)
    assert len(first) == 8

    cell = strip.cells()[2]
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(int(cell.center().x()), 20))
    qtbot.waitUntil(lambda: shown(studio)[0] == first[2], timeout=PATIENCE_MS)
    press(qtbot, real, "shuffle_samples")
    qtbot.waitUntil(lambda: set(shown(studio)) != set(first), timeout=PATIENCE_MS)
    assert shown(studio)[0] == first[2]

    press(qtbot, real, "pause_button")  # and it follows at once all the same
    rule = child(real, QComboBox, "sample_rule")
    rule.setFocus()
    qtbot.keyClick(rule, Qt.Key.Key_Down)
    assert rule.currentText() == "Only wrong"

    def others_are_wrong() -> bool:
        preview = strip.preview
        assert preview is not None
        return all(item.clean_prediction != item.label for item in preview.triptychs[1:])

    qtbot.waitUntil(others_are_wrong, timeout=PATIENCE_MS)
    assert studio.session.state is RunState.PAUSED
    strip.setFocus()
    qtbot.keyClick(strip, Qt.Key.Key_Return)  # the column that was clicked last
    qtbot.waitUntil(lambda: len(studio.training.samples.choice.pinned) == 2)
    assert strip.accessibleDescription()
    press(qtbot, real, "unpin_samples")
    assert studio.training.samples.choice.pinned == ()
    qtbot.keyClick(strip, Qt.Key.Key_Left)
    qtbot.keyClick(strip, Qt.Key.Key_Return)
    pinned = studio.training.samples.choice.pinned
    assert len(pinned) == 1
    with qtbot.waitSignal(studio.session.bridge.finished, timeout=PATIENCE_MS):
        press(qtbot, real, "stop_button")

    studio.setup.fill({"epochs": 1})  # remembered for the session
    train(qtbot, real)
    assert shown(studio)[0] == pinned[0]


# ---------------------------------------------------------------------- going on


def test_paused_resumed_and_stopped_by_the_buttons(qtbot: QtBot, real: MainWindow) -> None:
    studio = studio_of(real)
    studio.setup.fill({"epochs": 200})
    press(qtbot, real, "start_button")
    until_step(qtbot, studio, 2)
    press(qtbot, real, "pause_button")
    assert studio.session.state is RunState.PAUSED
    press(qtbot, real, "pause_button")
    assert studio.session.state is RunState.RUNNING
    reached = int(studio.training.history.steps.column("step")[-1])
    until_step(qtbot, studio, reached + 2)
    with qtbot.waitSignal(studio.session.bridge.finished, timeout=PATIENCE_MS) as end:
        press(qtbot, real, "stop_button")
    assert end.args[0].reason == "stopped"
    assert Path(end.args[0].pgn_path).is_file()

    goes_on = end.args[0].step
    with qtbot.waitSignal(studio.session.bridge.started, timeout=PATIENCE_MS) as start:
        press(qtbot, real, "continue_button")
    assert start.args[0].first_step == goes_on


def test_a_completed_run_asks_how_many_more_epochs_and_trains_them(qtbot: QtBot, real: MainWindow) -> None:
    studio = studio_of(real)
    assert not child(real, QPushButton, "continue_button").isEnabled()
    train(qtbot, real)
    folder, steps = studio.run_folder, len(studio.training.history.steps)
    press(qtbot, real, "continue_button")
    dialog = studio.continuation.dialog
    assert dialog is not None
    assert "has done its 2 epochs" in dialog.findChild(QLabel).text()
    dialog.findChild(QSpinBox, "more_epochs").setValue(1)
    assert "3 in all" in dialog.total.text()
    with qtbot.waitSignal(studio.session.bridge.finished, timeout=PATIENCE_MS) as end:
        qtbot.mouseClick(dialog.go_on, Qt.MouseButton.LeftButton)
    assert studio.run_folder == folder
    assert end.args[0].epoch == 3
    assert len(studio.training.history.steps) == steps * 3 // 2
    assert RunFolder.open(Path(folder)).settings.epochs == 3


def test_more_epochs_in_the_set_up_need_no_question(qtbot: QtBot, real: MainWindow) -> None:
    studio = studio_of(real)
    train(qtbot, real)
    studio.setup.fill({"epochs": 3})
    with qtbot.waitSignal(studio.session.bridge.finished, timeout=PATIENCE_MS) as end:
        child(real, QAction, "action_continue_the_last_run").trigger()
    assert studio.continuation.dialog is None
    assert end.args[0].epoch == 3


# ---------------------------------------------------------------------- interrupted


def interrupt(run_folder: str, *, epochs: int = 3) -> RunFolder:
    """As if the process that trained the run had been killed."""
    run = RunFolder.open(Path(run_folder))
    settings = run.settings.updated(epochs=epochs)
    run.update(status="running", results={}, settings=settings.model_dump(mode="json"))
    return run


@pytest.fixture
def interrupted(qtbot: QtBot, real: MainWindow) -> RunFolder:
    train(qtbot, real)
    run = interrupt(studio_of(real).run_folder)
    real.close()
    return run


def offered(qtbot: QtBot, make_window: Callable[..., MainWindow]) -> MainWindow:
    window = make_window(make_runner=make_trainer)
    offer = studio_of(window).continuation.offer
    qtbot.waitUntil(offer.isVisible, timeout=PATIENCE_MS)
    return window


def not_offered(
    qtbot: QtBot, make_window: Callable[..., MainWindow], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[object] = []
    from pgn_studio.gui.training.continuation import Continuation

    really = Continuation._found
    monkeypatch.setattr(Continuation, "_found", lambda desk, run: (found.append(run), really(desk, run)))
    window = make_window(make_runner=make_trainer)
    qtbot.waitUntil(lambda: bool(found), timeout=PATIENCE_MS)
    assert found == [None]
    assert not studio_of(window).continuation.offer.isVisible()


def test_an_interrupted_run_is_offered_and_goes_on(
    qtbot: QtBot, make_window: Callable[..., MainWindow], interrupted: RunFolder
) -> None:
    window = offered(qtbot, make_window)
    studio = studio_of(window)
    assert interrupted.path.name in child(window, QLabel, "interrupted_text").text()
    assert studio.workspace.dataset is None
    with qtbot.waitSignal(studio.session.bridge.finished, timeout=PATIENCE_MS) as end:
        press(qtbot, window, "continue_interrupted")
        assert not studio.continuation.offer.isVisible()
    assert end.args[0].epoch == 3
    assert end.args[0].run_folder == str(interrupted.path)
    steps = studio.training.history.steps.column("step")
    assert steps.tolist() == list(range(1, len(steps) + 1))


def test_without_a_first_epoch_it_begins_anew(
    qtbot: QtBot, make_window: Callable[..., MainWindow], interrupted: RunFolder
) -> None:
    for name in ("pgn", "best", "last", "checkpoint"):
        (interrupted.path / f"{name}.safetensors").unlink()
    interrupt(str(interrupted.path), epochs=1)
    window = offered(qtbot, make_window)
    studio = studio_of(window)
    with qtbot.waitSignal(studio.workspace.run_reopened, timeout=PATIENCE_MS):
        press(qtbot, window, "show_interrupted")
    assert len(studio.training.history.steps) > 0  # its curves
    assert studio.setup.main.values()["encoder"] == "small"
    with qtbot.waitSignal(studio.session.bridge.finished, timeout=PATIENCE_MS):
        press(qtbot, window, "continue_button")
    assert RunFolder.open(interrupted.path).run_json["status"] == "completed"


def test_a_declined_run_is_not_offered_again(
    qtbot: QtBot,
    make_window: Callable[..., MainWindow],
    interrupted: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = offered(qtbot, make_window)
    press(qtbot, window, "decline_interrupted")
    assert not studio_of(window).continuation.offer.isVisible()
    assert json.loads((interrupted.path / "run.json").read_text())["status"] == "running"  # left as it was
    window.close()
    not_offered(qtbot, make_window, monkeypatch)


def test_a_run_that_another_process_trains_is_not_offered(
    qtbot: QtBot,
    make_window: Callable[..., MainWindow],
    interrupted: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pgn_studio.core.locks import Lock

    lock = Lock(interrupted.path / LOCK)
    not_offered(qtbot, make_window, monkeypatch)
    lock.release()


def test_one_that_was_taken_meanwhile_is_said_so(
    qtbot: QtBot, make_window: Callable[..., MainWindow], interrupted: RunFolder
) -> None:
    from pgn_studio.core.locks import Lock

    window = offered(qtbot, make_window)
    studio = studio_of(window)
    lock = Lock(interrupted.path / LOCK)
    with qtbot.waitSignal(studio.workspace.failed, timeout=PATIENCE_MS):
        press(qtbot, window, "continue_interrupted")
    assert studio.error_dialog is not None
    assert "is being trained by process" in studio.error_dialog.message.text()
    studio.error_dialog.close()
    lock.release()
    qtbot.waitUntil(lambda: not studio.workspace.busy, timeout=PATIENCE_MS)
    assert not studio.session.active
    assert runs_folder().is_dir()
