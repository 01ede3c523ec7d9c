"""Return, Space and Esc destroy nothing: no button that ends or deletes is default, or has the keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data.dataset import SkippedFile
from pgn_studio.core.runs import RunFolder
from pgn_studio.gui.dialogs.error import ErrorDialog
from pgn_studio.gui.dialogs.questions import list_skipped
from pgn_studio.gui.dialogs.train_classifier import TrainClassifierDialog
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.training.controller import RunState
from tests.gui.driving import PATIENCE_MS, child, controller_of, press
from tests.gui.walking import dialogs, fill

if TYPE_CHECKING:
    from conftest import FakeTrainer

FOREVER = 1_000_000
LONG = {"max_train_images": 20, "epochs": 10_000, "batch_size": 10, "augment": "none"}
DESTROYING = ("stop", "discard", "delete", "trash", "cancel_classifier")  # in a button's name or text
KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space, Qt.Key.Key_Escape)


def destroying(dialog: QDialog) -> list[QPushButton]:
    def destroys(button: QPushButton) -> bool:
        words = f"{button.objectName()} {button.text()}".lower()
        return any(word in words for word in DESTROYING) or _role(button) is _DESTRUCTIVE

    return [button for button in dialog.findChildren(QPushButton) if destroys(button)]


_DESTRUCTIVE = QMessageBox.ButtonRole.DestructiveRole


def _role(button: QPushButton) -> object:
    above: QWidget | None = button.parentWidget()
    while above is not None:
        if isinstance(above, QMessageBox):
            return above.buttonRole(button)
        if isinstance(above, QDialogButtonBox) and not isinstance(above.parentWidget(), QMessageBox):
            role = above.buttonRole(button)
            return _DESTRUCTIVE if role is QDialogButtonBox.ButtonRole.DestructiveRole else role
        above = above.parentWidget()
    return None


def check(dialog: QDialog) -> None:
    for button in destroying(dialog):
        where = f"{dialog.objectName()}: {button.objectName()}"
        assert not button.isDefault(), where
        assert not button.autoDefault(), where
        assert not button.hasFocus(), where


def messages(window: MainWindow, tmp_path: Path) -> list[QDialog]:
    """Those that are made on the way, not by a class of their own; they are open."""
    controller = controller_of(window)
    list_skipped(window, [SkippedFile("a.png", "damaged")])
    controller.inspect_page._offer_report("report.html")
    RunFolder.create(tmp_path / "runs" / "one", TrainingSettings.make())
    return [item for item in QApplication.topLevelWidgets() if isinstance(item, QMessageBox)]


def test_no_dialog_offers_to_destroy(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    fill(window, qtbot)
    every = [*messages(window, tmp_path), *dialogs(window)]
    assert {"skipped_dialog", "report-written", "closing_dialog", "more_epochs_dialog"} <= {
        item.objectName() for item in every
    }
    for dialog in every:
        dialog.open()
        check(dialog)
        for button in dialog.findChildren(QPushButton):
            if button.isDefault():
                assert button.isEnabled(), button.text()
        dialog.close()


def test_deleting_runs_is_not_what_return_does(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "runs" / "one", TrainingSettings.make())
    page = window.runs.page
    window.tabs.setCurrentWidget(page)
    page.show_folder(run.path.parent)
    qtbot.waitUntil(lambda: page.shown.row_of(run.path) >= 0, timeout=PATIENCE_MS)
    for key in KEYS:
        page.select(run.path)
        page.actions_of_runs["delete"].trigger()
        box = next(item for item in page.findChildren(QMessageBox) if item.isVisible())
        assert destroying(box)
        check(box)
        qtbot.keyClick(box.focusWidget() or box, key)
        assert not box.isVisible()
        assert run.path.is_dir()


def test_closing_the_window_and_pressing_return_trains_on(
    qtbot: QtBot, window: MainWindow, trainer: type[FakeTrainer]
) -> None:
    trainer.steps = FOREVER
    controller = controller_of(window)
    with qtbot.waitSignal(controller.training.bridge.steps, timeout=PATIENCE_MS):
        press(qtbot, window, "start_button")
    for key in KEYS:
        window.close()
        box = next(item for item in window.findChildren(QMessageBox) if item.isVisible())
        check(box)
        qtbot.keyClick(box.focusWidget() or box, key)
        assert controller.training.state is RunState.RUNNING
        assert window.isVisible()


def test_after_start_the_keyboard_is_not_on_stop(
    qtbot: QtBot, window: MainWindow, trainer: type[FakeTrainer]
) -> None:
    trainer.steps = FOREVER
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    controller = controller_of(window)
    start = child(window, QPushButton, "start_button")
    start.setFocus()
    with qtbot.waitSignal(controller.training.bridge.steps, timeout=PATIENCE_MS):
        qtbot.keyClick(start, Qt.Key.Key_Space)
    assert QApplication.focusWidget() is not child(window, QPushButton, "stop_button")
    for state in (RunState.PAUSED, RunState.RUNNING):
        qtbot.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Space)
        assert controller.training.state is state


# ---------------------------------------------------------------------- a classifier that is being trained


@pytest.fixture
def dialog(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> TrainClassifierDialog:
    """Training, begun by the keyboard."""
    press(qtbot, window, "train_classifier_button")
    made = controller_of(window).classifier_training.dialog
    assert made is not None
    made.out.setText(str(tmp_path / "made.safetensors"))
    made.form.fill(LONG)
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    made.train_button.setFocus()
    with qtbot.waitSignal(made._progressed, timeout=PATIENCE_MS):
        qtbot.keyClick(made.train_button, Qt.Key.Key_Return)
    return made


def end(qtbot: QtBot, window: MainWindow, button: str) -> None:
    training = controller_of(window).classifier_training
    with qtbot.waitSignal(training.ended, timeout=PATIENCE_MS):
        press(qtbot, window, button)
    project = controller_of(window).project
    qtbot.waitUntil(lambda: not project.busy, timeout=PATIENCE_MS)


def strip(window: MainWindow) -> QWidget:
    found: Any = child(window, QWidget, "classifier_training_strip")
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize("key", KEYS)
def test_keys_put_the_training_aside_and_the_page_shows_it(
    qtbot: QtBot, window: MainWindow, dialog: TrainClassifierDialog, tmp_path: Path, key: Qt.Key
) -> None:
    check(dialog)
    qtbot.keyClick(dialog.focusWidget() or dialog, key)
    assert not dialog.isVisible()
    assert controller_of(window).classifier_training.active
    assert "Classifier page" in window.statusBar().currentMessage()
    window.tabs.setCurrentWidget(window.classifier.page)
    assert strip(window).isVisible()
    bar, text = (
        child(window, QProgressBar, "classifier_training_progress"),
        child(window, QLabel, "classifier_training_told"),
    )
    before = bar.value()
    qtbot.waitUntil(lambda: bar.value() > before, timeout=PATIENCE_MS)  # it trains on
    assert "Epoch" in text.text()
    press(qtbot, window, "show_classifier_training")
    assert dialog.isVisible()
    qtbot.keyClick(dialog.focusWidget() or dialog, Qt.Key.Key_Escape)
    end(qtbot, window, "stop_classifier_training")
    assert (tmp_path / "made.safetensors").is_file()
    assert not strip(window).isVisible()
    assert "trained further" not in window.statusBar().currentMessage()
    assert "made.safetensors" in window.statusBar().currentMessage()


def test_discarding_is_said_and_leaves_nothing_behind(
    qtbot: QtBot, window: MainWindow, dialog: TrainClassifierDialog, tmp_path: Path
) -> None:
    cancel = child(dialog, QPushButton, "cancel_classifier_button")
    assert cancel.text() == "Discard"
    with qtbot.waitSignal(controller_of(window).classifier_training.ended, timeout=PATIENCE_MS):
        qtbot.mouseClick(cancel, Qt.MouseButton.LeftButton)
        assert not cancel.isEnabled()
        assert not child(dialog, QPushButton, "stop_classifier_button").isEnabled()
    qtbot.waitUntil(lambda: not dialog.isVisible())
    assert list(tmp_path.glob("*.safetensors")) == []
    assert not strip(window).isVisible()
    assert "Nothing is kept" in window.statusBar().currentMessage()


def test_one_that_fails_while_it_is_put_aside_comes_back_with_its_settings(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_named: Any) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("pgn_studio.core.classifiers.training.train_classifier", fail)
    press(qtbot, window, "train_classifier_button")
    training = controller_of(window).classifier_training
    made = training.dialog
    assert made is not None
    made.form.fill(LONG)
    with qtbot.waitSignal(training.ended, timeout=PATIENCE_MS):
        made.train_button.click()
        qtbot.keyClick(made, Qt.Key.Key_Escape)
        assert not made.isVisible()
    assert made.isVisible()
    assert made.form.values()["epochs"] == LONG["epochs"]
    assert child(made, QPushButton, "train_button").isEnabled()
    error = next(item for item in made.findChildren(ErrorDialog) if item.isVisible())
    error.close()
    assert "could not be trained" in window.statusBar().currentMessage()
    assert not strip(window).isVisible()
    assert child(made, QPushButton, "cancel_classifier_button").text() == "Cancel"
    made.close()
