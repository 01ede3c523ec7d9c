"""A run whose process died is offered at the next start of the window."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from pgn_studio.core.locks import Lock
from pgn_studio.core.runs import LOCK, RunFolder
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.pages.train.continuation import Continuation
from pgn_studio.gui.training.worker import make_trainer
from tests.gui.driving import PATIENCE_MS, child, controller_of, press, train

pytestmark = pytest.mark.timeout(900)


def interrupt(run_folder: str, *, epochs: int = 3) -> RunFolder:
    """As if the process that trained the run had been killed."""
    run = RunFolder.open(Path(run_folder))
    settings = run.settings.updated(epochs=epochs)
    run.update(status="running", results={}, settings=settings.model_dump(mode="json"))
    return run


@pytest.fixture
def interrupted(qtbot: QtBot, real: MainWindow) -> RunFolder:
    train(qtbot, real)
    run = interrupt(controller_of(real).shown.folder)
    real.close()
    return run


def offered(qtbot: QtBot, make_window: Callable[..., MainWindow]) -> MainWindow:
    window = make_window(make_runner=make_trainer)
    offer = controller_of(window).continuation.offer
    qtbot.waitUntil(offer.isVisible, timeout=PATIENCE_MS)
    return window


def not_offered(
    qtbot: QtBot, make_window: Callable[..., MainWindow], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[object] = []
    really = Continuation._found
    monkeypatch.setattr(Continuation, "_found", lambda owner, run: (found.append(run), really(owner, run)))
    window = make_window(make_runner=make_trainer)
    qtbot.waitUntil(lambda: bool(found), timeout=PATIENCE_MS)
    assert found == [None]
    assert not controller_of(window).continuation.offer.isVisible()


def test_an_interrupted_run_is_offered_and_goes_on(
    qtbot: QtBot, make_window: Callable[..., MainWindow], interrupted: RunFolder
) -> None:
    window = offered(qtbot, make_window)
    controller = controller_of(window)
    assert interrupted.path.name in child(window, QLabel, "interrupted_text").text()
    assert controller.project.dataset is None
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=PATIENCE_MS) as end:
        press(qtbot, window, "continue_interrupted")
        assert not controller.continuation.offer.isVisible()
    assert end.args[0].epoch == 3
    assert end.args[0].run_folder == str(interrupted.path)
    steps = controller.train_page.history.steps.column("step")
    assert steps.tolist() == list(range(1, len(steps) + 1))


def test_without_a_first_epoch_it_begins_anew(
    qtbot: QtBot, make_window: Callable[..., MainWindow], interrupted: RunFolder
) -> None:
    for name in ("pgn", "best", "last", "checkpoint"):
        (interrupted.path / f"{name}.safetensors").unlink()
    interrupt(str(interrupted.path), epochs=1)
    window = offered(qtbot, make_window)
    controller = controller_of(window)
    with qtbot.waitSignal(controller.project.run_reopened, timeout=PATIENCE_MS):
        press(qtbot, window, "show_interrupted")
    assert len(controller.train_page.history.steps) > 0  # its curves
    assert controller.setup.main.values()["encoder"] == "small"
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=PATIENCE_MS):
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
    assert not controller_of(window).continuation.offer.isVisible()
    assert json.loads((interrupted.path / "run.json").read_text())["status"] == "running"  # left as it was
    window.close()
    not_offered(qtbot, make_window, monkeypatch)


def test_a_run_that_another_process_trains_is_not_offered(
    qtbot: QtBot,
    make_window: Callable[..., MainWindow],
    interrupted: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock = Lock(interrupted.path / LOCK)
    not_offered(qtbot, make_window, monkeypatch)
    lock.release()


def test_one_that_was_taken_meanwhile_is_said_so(
    qtbot: QtBot, make_window: Callable[..., MainWindow], interrupted: RunFolder
) -> None:
    window = offered(qtbot, make_window)
    controller = controller_of(window)
    lock = Lock(interrupted.path / LOCK)
    with qtbot.waitSignal(controller.project.failed, timeout=PATIENCE_MS):
        press(qtbot, window, "continue_interrupted")
    assert controller.reporter.dialog is not None
    assert "is being trained by process" in controller.reporter.dialog.message.text()
    controller.reporter.dialog.close()
    lock.release()
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=PATIENCE_MS)
    assert not controller.training.active
