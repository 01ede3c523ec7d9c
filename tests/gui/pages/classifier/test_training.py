"""A classifier is trained beside everything else: nothing is blocked, put aside is not canceled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from pgn_studio.gui.dialogs.train_classifier import TrainClassifierDialog
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.training.controller import RunState
from tests.gui.driving import PATIENCE_MS, controller_of, press

if TYPE_CHECKING:
    from conftest import FakeTrainer

LONG = {"max_train_images": 20, "epochs": 10_000, "batch_size": 10, "augment": "none"}


@pytest.fixture
def dialog(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> TrainClassifierDialog:
    """As the set-up's button opens it, training."""
    press(qtbot, window, "train_classifier_button")
    made = controller_of(window).classifier_training.dialog
    assert made is not None
    made.out.setText(str(tmp_path / "made.safetensors"))
    made.form.fill(LONG)
    with qtbot.waitSignal(made._progressed, timeout=PATIENCE_MS):
        made.train_button.click()
    return made


def stop(qtbot: QtBot, window: MainWindow) -> None:
    training = controller_of(window).classifier_training
    with qtbot.waitSignal(training.ended, timeout=PATIENCE_MS):
        training.stop_and_keep()


def test_nothing_is_modal_while_it_trains(
    qtbot: QtBot, window: MainWindow, dialog: TrainClassifierDialog
) -> None:
    assert QApplication.activeModalWidget() is None
    bar = window.tabs.tabBar()
    for number in range(window.tabs.count()):
        qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(number).center())
        assert window.tabs.currentIndex() == number
    search = window.findChild(QLineEdit, "runs_search")
    assert isinstance(search, QLineEdit)
    qtbot.keyClicks(search, "abc")
    assert search.text() == "abc"
    with qtbot.waitSignal(dialog._progressed, timeout=PATIENCE_MS):
        pass  # it went on meanwhile
    stop(qtbot, window)


def test_escape_puts_it_aside_and_the_command_shows_it_again(
    qtbot: QtBot, window: MainWindow, dialog: TrainClassifierDialog, tmp_path: Path
) -> None:
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert "Train a classifier" in window.statusBar().currentMessage()
    with qtbot.waitSignal(dialog._progressed, timeout=PATIENCE_MS):
        pass
    press(qtbot, window, "train_classifier_button")
    assert dialog.isVisible()
    assert controller_of(window).classifier_training.dialog is dialog
    with qtbot.waitSignal(controller_of(window).project.classifier_changed, timeout=PATIENCE_MS):
        stop(qtbot, window)
    assert controller_of(window).project.source.path == str(tmp_path / "made.safetensors")
    qtbot.waitUntil(lambda: not controller_of(window).project.busy, timeout=PATIENCE_MS)


def test_a_run_that_is_under_way_keeps_its_classifier(
    qtbot: QtBot, window: MainWindow, dialog: TrainClassifierDialog, trainer: type[FakeTrainer],
    tmp_path: Path, preferences: Preferences,
) -> None:  # fmt: skip
    trainer.steps = 1_000_000
    controller = controller_of(window)
    used = controller.project.classifier
    with qtbot.waitSignal(controller.training.bridge.steps, timeout=PATIENCE_MS):
        controller.start()
    stop(qtbot, window)
    qtbot.waitUntil(lambda: "saved" in window.statusBar().currentMessage())
    assert controller.project.classifier is used
    assert not controller.project.busy
    assert preferences.recent("classifiers")[0] == str(tmp_path / "made.safetensors")
    controller.training.stop()
    qtbot.waitUntil(lambda: controller.training.state is RunState.IDLE, timeout=PATIENCE_MS)


def test_closing_the_window_keeps_it(
    qtbot: QtBot, window: MainWindow, dialog: TrainClassifierDialog, tmp_path: Path
) -> None:
    window.close()
    assert window.isVisible()  # until it is saved
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=PATIENCE_MS)
    assert (tmp_path / "made.safetensors").is_file()


def test_there_is_one_at_a_time(window: MainWindow, qtbot: QtBot) -> None:
    press(qtbot, window, "train_classifier_button")
    first = controller_of(window).classifier_training.dialog
    assert first is not None
    press(qtbot, window, "train_classifier_button")
    tops = QApplication.topLevelWidgets()
    assert sum(isinstance(item, TrainClassifierDialog) and item.isVisible() for item in tops) == 1
