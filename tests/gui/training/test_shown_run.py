"""Set-up, Train page, status bar, Continue and title speak of one run, whichever way it came."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import QFile, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QLineEdit, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from pgn_studio.core.annotations import Annotations, read_annotations, write_annotations
from pgn_studio.core.config import DataSettings
from pgn_studio.core.locks import Lock
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.core.runs import LOCK, RunFolder
from pgn_studio.core.training.events import RunFailed
from pgn_studio.gui.controller import Controller
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.training.controller import RunState
from pgn_studio.gui.training.worker import make_trainer
from tests.gui.driving import PATIENCE_MS, TINY, child, controller_of, press, train, until_step
from tests.gui.opened import measured

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset

pytestmark = pytest.mark.timeout(900)


def agree(window: MainWindow, run: Path | None, status: str = "", *, continues: bool = False) -> None:
    """All five speak of `run`, or none speaks of any."""
    controller = controller_of(window)
    header, name = child(window, QWidget, "run_header"), child(window, QLabel, "shown_run_name")
    button, action = child(window, QPushButton, "continue_button"), "action_continue_the_shown_run"
    assert button.isEnabled() == continues
    assert child(window, QAction, action).isEnabled() == continues
    if run is None:
        assert header.isHidden()
        assert window.windowTitle() == "PGN Studio"
        assert controller.shown.folder == ""
        return
    called = read_annotations(run).name or run.name
    assert not header.isHidden()
    assert name.text() == called
    assert child(window, QLabel, "shown_run_status").text() == status
    assert window.windowTitle() == f"{called} · {status} – PGN Studio"
    assert called in window.statusBar().currentMessage()
    assert called in button.toolTip()
    assert controller.shown.folder == str(run)
    settings = RunFolder.open(run).settings
    assert controller.setup.main.values()["epochs"] == settings.epochs
    assert controller.setup.gamma.value == settings.gamma


def goes_on_with(qtbot: QtBot, window: MainWindow, run: Path) -> None:
    """Continue trains this run and no other."""
    controller = controller_of(window)
    with qtbot.waitSignal(controller.training.bridge.started, timeout=PATIENCE_MS) as start:
        press(qtbot, window, "continue_button")
    assert start.args[0].run_folder == str(run)
    agree(window, run, "Running")
    stop(qtbot, window)


def stop(qtbot: QtBot, window: MainWindow) -> None:
    bridge = controller_of(window).training.bridge
    with qtbot.waitSignal(bridge.finished, timeout=PATIENCE_MS):
        press(qtbot, window, "stop_button")


def settle(qtbot: QtBot, window: MainWindow) -> None:
    project = controller_of(window).project
    qtbot.waitUntil(lambda: not project.busy, timeout=PATIENCE_MS)


def stopped_run(qtbot: QtBot, window: MainWindow, **settings: Any) -> Path:
    """A run of these settings that was stopped at one of its first steps."""
    controller = controller_of(window)
    controller.setup.fill({"epochs": 200, **settings})
    press(qtbot, window, "start_button")
    until_step(qtbot, controller, 2)
    stop(qtbot, window)
    return Path(controller.shown.folder)


def restored(qtbot: QtBot, make_window: Callable[..., MainWindow]) -> MainWindow:
    window = make_window(make_runner=make_trainer)
    with qtbot.waitSignal(window.session_restore.restored, timeout=PATIENCE_MS):
        window.session_restore.restore()
    return window


def told(window: MainWindow) -> str:
    return child(window.notice, QLabel, "banner_text").text() if window.notice.isVisible() else ""


def open_run(qtbot: QtBot, window: MainWindow, run: Path) -> None:
    controller_of(window).opener.open_path(run)
    settle(qtbot, window)


def without_pgn(run: Path) -> None:
    for name in ("pgn", "best", "last", "checkpoint"):
        (run / f"{name}.safetensors").unlink(missing_ok=True)


# ---------------------------------------------------------------------- trained here


def test_started_paused_resumed_stopped_and_continued(qtbot: QtBot, real: MainWindow) -> None:
    controller = controller_of(real)
    agree(real, None)
    controller.setup.fill({"epochs": 200, "gamma": 3.0})
    press(qtbot, real, "start_button")
    assert real.windowTitle() == "New run · Starting – PGN Studio"
    until_step(qtbot, controller, 2)
    run = Path(controller.shown.folder)
    agree(real, run, "Running")
    press(qtbot, real, "pause_button")
    agree(real, run, "Paused")
    press(qtbot, real, "pause_button")
    agree(real, run, "Running")
    press(qtbot, real, "stop_button")
    agree(real, run, "Stopping")
    qtbot.waitUntil(lambda: controller.training.state is RunState.IDLE, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: "Stopped" in real.windowTitle(), timeout=PATIENCE_MS)
    agree(real, run, "Stopped", continues=True)
    goes_on_with(qtbot, real, run)
    agree(real, run, "Stopped", continues=True)


def test_a_run_that_has_ended_goes_on_with_more_epochs(qtbot: QtBot, real: MainWindow) -> None:
    controller = controller_of(real)
    train(qtbot, real)
    run = Path(controller.shown.folder)
    agree(real, run, "Finished", continues=True)
    controller.setup.fill({"gamma": 9.0, "learning_rate_g": 1e-2})  # Continue goes on with those of the run
    press(qtbot, real, "continue_button")
    dialog = controller.continuation.dialog
    assert dialog is not None
    dialog.more.setValue(1)
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=PATIENCE_MS):
        dialog.go_on.click()
    assert RunFolder.open(run).settings.epochs == 3
    shown = controller.setup.settings(DataSettings(), "")
    assert shown.learning_rate_g == RunFolder.open(run).settings.learning_rate_g
    agree(real, run, "Finished", continues=True)


def test_the_set_up_shows_the_gamma_with_which_a_run_goes_on(qtbot: QtBot, real: MainWindow) -> None:
    controller = controller_of(real)
    controller.setup.fill({"epochs": 200, "gamma": 3.0})
    press(qtbot, real, "start_button")
    until_step(qtbot, controller, 1)
    controller.setup.gamma.user_set(7.0)
    used = controller.train_page.history.steps
    qtbot.waitUntil(lambda: used.column("gamma")[-1] == 7.0, timeout=PATIENCE_MS)
    stop(qtbot, real)
    controller.setup.gamma.user_set(1.0)
    with qtbot.waitSignal(controller.training.bridge.steps, timeout=PATIENCE_MS) as steps:
        press(qtbot, real, "continue_button")
    assert controller.setup.gamma.value == steps.args[0][0].gamma == 7.0
    stop(qtbot, real)
    for open_it in (controller.opener.open_path, controller.project.reopen_run):
        controller.setup.gamma.user_set(1.0)
        open_it(Path(controller.shown.folder))
        qtbot.waitUntil(lambda: not controller.project.busy, timeout=PATIENCE_MS)
        assert controller.setup.gamma.value == 7.0


def test_a_run_that_fails(qtbot: QtBot, real: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    from pgn_studio.core.training.step import TrainStep

    def fail(*_args: Any, **_named: Any) -> None:
        raise RuntimeError("a fault")

    controller = controller_of(real)
    with monkeypatch.context() as patch:
        patch.setattr(TrainStep, "__call__", fail)
        with qtbot.waitSignal(controller.training.bridge.failed, timeout=PATIENCE_MS):
            press(qtbot, real, "start_button")
    assert controller.reporter.dialog is not None
    controller.reporter.dialog.close()
    run = Path(controller.shown.folder)
    agree(real, run, "Failed", continues=True)
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=PATIENCE_MS):
        press(qtbot, real, "continue_button")
    agree(real, run, "Finished", continues=True)


def test_one_that_fails_before_it_has_a_folder_is_none_to_go_on_with(qtbot: QtBot, real: MainWindow) -> None:
    run = stopped_run(qtbot, real)
    controller = controller_of(real)
    early = RunFailed(0, "", "No room.", "Make room.", "")
    controller.shown.begin("", controller.project.subject)
    controller.shown.follow_end(early)
    assert real.windowTitle() == "New run · Failed – PGN Studio"
    assert not child(real, QPushButton, "continue_button").isEnabled()
    controller.shown.begin(str(run), controller.project.subject)  # but one that was to go on stays
    controller.shown.follow_end(early)
    agree(real, run, "Failed", continues=True)


# ---------------------------------------------------------------------- the last session


def test_the_run_that_was_stopped_at_closing_comes_back_not_the_one_opened_before(
    qtbot: QtBot, real: MainWindow, make_window: Callable[..., MainWindow]
) -> None:
    older = stopped_run(qtbot, real, gamma=2.0)
    open_run(qtbot, real, older)
    agree(real, older, "Stopped", continues=True)
    controller = controller_of(real)
    controller.setup.fill({"epochs": 150, "gamma": 5.0})
    press(qtbot, real, "start_button")
    until_step(qtbot, controller, 2)
    newer = Path(controller.shown.folder)
    assert newer != older
    real.close()
    child(real, QPushButton, "stop_and_keep_button").click()
    qtbot.waitUntil(lambda: not real.isVisible(), timeout=PATIENCE_MS)
    again = restored(qtbot, make_window)
    assert told(again) == ""
    agree(again, newer, "Stopped", continues=True)
    assert len(controller_of(again).train_page.history.steps) > 0
    assert controller_of(again).inspect_page.split_name == "test"
    goes_on_with(qtbot, again, newer)


def test_a_run_without_a_pgn_comes_back_too(
    qtbot: QtBot, real: MainWindow, make_window: Callable[..., MainWindow]
) -> None:
    run = stopped_run(qtbot, real)
    without_pgn(run)
    real.close()
    again = restored(qtbot, make_window)
    assert told(again) == ""
    agree(again, run, "Stopped", continues=True)
    goes_on_with(qtbot, again, run)


def test_a_run_that_is_gone_leaves_its_images_and_its_classifier(
    qtbot: QtBot, real: MainWindow, make_window: Callable[..., MainWindow]
) -> None:
    run = stopped_run(qtbot, real)
    real.close()
    run.rename(run.with_name("elsewhere"))
    again = restored(qtbot, make_window)
    assert f"{run} no longer exists" in told(again)
    agree(again, None)
    assert child(again, QPushButton, "start_button").isEnabled()


def test_a_run_that_is_damaged_leaves_its_images_and_its_classifier(
    qtbot: QtBot, real: MainWindow, make_window: Callable[..., MainWindow]
) -> None:
    run = stopped_run(qtbot, real)
    real.close()
    (run / "run.json").write_text("{")
    again = restored(qtbot, make_window)
    assert "is damaged" in told(again)
    agree(again, None)
    assert child(again, QPushButton, "start_button").isEnabled()


def test_a_run_that_another_process_has_taken_meanwhile(
    qtbot: QtBot, real: MainWindow, make_window: Callable[..., MainWindow]
) -> None:
    run = stopped_run(qtbot, real)
    real.close()
    lock = Lock(run / LOCK)
    again = restored(qtbot, make_window)
    agree(again, run, "Trained by another process")
    assert controller_of(again).train_page.banner.isVisible()
    lock.release()
    controller_of(again).shown._application_state_changed(Qt.ApplicationState.ApplicationActive)
    agree(again, run, "Stopped", continues=True)


# ---------------------------------------------------------------------- opened


def test_runs_opened_one_after_another(qtbot: QtBot, real: MainWindow) -> None:
    first = stopped_run(qtbot, real, gamma=2.0)
    second = stopped_run(qtbot, real, gamma=5.0)
    without_pgn(first)
    open_run(qtbot, real, second)
    agree(real, second, "Stopped", continues=True)
    open_run(qtbot, real, first)  # of which there are only curves
    agree(real, first, "Stopped", continues=True)
    goes_on_with(qtbot, real, first)


def test_a_pgn_s_file_belongs_to_no_run(
    qtbot: QtBot, real: MainWindow, make_window: Callable[..., MainWindow], tmp_path: Path
) -> None:
    run = stopped_run(qtbot, real)
    steps = len(controller_of(real).train_page.history.steps)
    assert steps > 0
    alone = (run / "pgn.safetensors").rename(tmp_path / "alone.safetensors")
    open_run(qtbot, real, alone)
    shows_alone(real, alone)
    assert len(controller_of(real).train_page.history.steps) == 0
    assert "run from disk" not in child(real, QLabel, "run_position").text()
    real.close()
    shows_alone(restored(qtbot, make_window), alone)


def shows_alone(window: MainWindow, pgn: Path) -> None:
    shown = controller_of(window).shown
    assert (shown.path, shown.folder) == (str(pgn), "")
    assert child(window, QLabel, "shown_run_name").text() == shown.now.name
    assert child(window, QLabel, "shown_run_status").text() == "PGN file without a run"
    assert window.windowTitle() == f"{shown.now.name} – PGN Studio"
    assert shown.now.name in window.statusBar().currentMessage()
    assert not child(window, QPushButton, "continue_button").isEnabled()


def test_the_demo_takes_the_place_of_a_run(
    window: MainWindow, digits: ImageDataset, classifier: Classifier
) -> None:
    controller = controller_of(window)
    controller.shown.show_run("earlier", "stopped", controller.project.subject)
    assert child(window, QPushButton, "continue_button").isEnabled()
    controller.project._set_opened(measured(digits, classifier, "greener.safetensors"))
    shows_alone(window, Path("greener.safetensors"))


def test_other_images_or_another_classifier_are_nothing_to_go_on_with(
    qtbot: QtBot, real: MainWindow, classifier: Classifier, digits: ImageDataset
) -> None:
    run = stopped_run(qtbot, real)
    project = controller_of(real).project
    tiny, guesser, source = project.dataset, project.classifier, project.source
    button, name = child(real, QPushButton, "continue_button"), child(real, QLabel, "shown_run_name")
    assert tiny is not None
    assert guesser is not None
    for load in (
        lambda: project.use_classifier(ClassifierSource(classifier.info.path), classifier),
        lambda: project._set_dataset(DataSettings(), digits),
    ):
        load()
        settle(qtbot, real)
        assert not button.isEnabled()
        assert "other images or another classifier" in button.toolTip()
        assert name.text() == run.name  # whose curves are still there
        assert run.name in real.windowTitle()
    project._set_dataset(TINY, tiny)
    project.use_classifier(source, guesser)
    settle(qtbot, real)
    assert button.isEnabled()


# ---------------------------------------------------------------------- the Runs page


def runs_page(qtbot: QtBot, window: MainWindow, run: Path) -> Any:
    page = window.runs.page
    window.tabs.setCurrentWidget(page)
    page.show_folder(run.parent)
    qtbot.waitUntil(lambda: any(item.path == run for item in page.model.records), timeout=PATIENCE_MS)
    page.select(run)
    return page


def test_a_run_is_opened_named_and_deleted_from_the_list(
    qtbot: QtBot, real: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stopped_run(qtbot, real, gamma=2.0)
    second = stopped_run(qtbot, real, gamma=5.0)
    write_annotations(second, Annotations(name="the second"))
    page = runs_page(qtbot, real, first)
    page.table.activated.emit(page.table.currentIndex())  # as a double click or Return does
    settle(qtbot, real)
    agree(real, first, "Stopped", continues=True)

    page = runs_page(qtbot, real, first)
    line = child(page.details, QLineEdit, "run_name")
    line.setText("the first")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    agree(real, first, "Stopped", continues=True)
    assert "the first" in real.windowTitle()

    open_run(qtbot, real, second)
    agree(real, second, "Stopped", continues=True)
    monkeypatch.setattr(QFile, "moveToTrash", lambda _path: True)
    page = runs_page(qtbot, real, second)
    child(page, QPushButton, "run_delete_button").click()
    box = child(page, QMessageBox, "delete_dialog")
    with qtbot.waitSignal(page.deleted, timeout=PATIENCE_MS):
        child(box, QPushButton, "move_to_trash_button").click()
    agree(real, None)
    assert len(controller_of(real).train_page.history.steps) == 0


# ---------------------------------------------------------------------- interrupted, or trained elsewhere


def interrupted_run(qtbot: QtBot, window: MainWindow) -> Path:
    run = stopped_run(qtbot, window)
    RunFolder.open(run).update(status="running", results={})
    return run


def offered(qtbot: QtBot, make_window: Callable[..., MainWindow]) -> Controller:
    controller = controller_of(make_window(make_runner=make_trainer))
    qtbot.waitUntil(controller.continuation.offer.isVisible, timeout=PATIENCE_MS)
    return controller


def test_an_interrupted_run_is_shown_by_its_offer(
    qtbot: QtBot, real: MainWindow, make_window: Callable[..., MainWindow]
) -> None:
    run = interrupted_run(qtbot, real)
    real.close()
    controller = offered(qtbot, make_window)
    window = controller._window
    assert isinstance(window, MainWindow)
    agree(window, None)
    press(qtbot, window, "show_interrupted")
    settle(qtbot, window)
    agree(window, run, "Interrupted", continues=True)
    goes_on_with(qtbot, window, run)


def test_the_offer_of_the_run_that_is_shown_is_withdrawn(
    qtbot: QtBot, real: MainWindow, make_window: Callable[..., MainWindow]
) -> None:
    run = interrupted_run(qtbot, real)
    real.close()
    controller = offered(qtbot, make_window)
    window = controller._window
    assert isinstance(window, MainWindow)
    with qtbot.waitSignal(window.session_restore.restored, timeout=PATIENCE_MS):
        window.session_restore.restore()
    agree(window, run, "Interrupted", continues=True)
    assert not controller.continuation.offer.isVisible()


def test_continue_tells_that_another_process_has_it(qtbot: QtBot, real: MainWindow) -> None:
    run = stopped_run(qtbot, real)
    controller = controller_of(real)
    lock = Lock(run / LOCK)
    press(qtbot, real, "continue_button")
    assert controller.reporter.dialog is not None
    assert "is being trained by process" in controller.reporter.dialog.message.text()
    controller.reporter.dialog.close()
    agree(real, run, "Trained by another process")
    lock.release()
    controller.shown.reread()
    goes_on_with(qtbot, real, run)
