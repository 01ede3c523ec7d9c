"""While a run is under way nothing blocks the window: every page can be visited and used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.training.controller import RunState

if TYPE_CHECKING:
    from conftest import FakeTrainer


def test_no_page_is_blocked_while_it_trains(
    qtbot: QtBot, window: MainWindow, trainer: type[FakeTrainer]
) -> None:
    trainer.steps = 1_000_000
    controller = window.controller
    assert controller is not None
    with qtbot.waitSignal(controller.training.bridge.steps, timeout=20_000):
        controller.start()
    assert QApplication.activeModalWidget() is None
    for number in range(window.tabs.count()):
        qtbot.mouseClick(
            window.tabs.tabBar(), Qt.MouseButton.LeftButton, pos=window.tabs.tabBar().tabRect(number).center()
        )
        assert window.tabs.currentIndex() == number
        assert QApplication.activeModalWidget() is None
    search = window.findChild(QLineEdit, "runs_search")
    assert isinstance(search, QLineEdit)
    qtbot.keyClicks(search, "abc")
    assert search.text() == "abc"
    steps = len(controller.train_page.history.steps)
    qtbot.waitUntil(lambda: len(controller.train_page.history.steps) > steps, timeout=20_000)
    controller.training.stop()
    qtbot.waitUntil(lambda: controller.training.state is RunState.IDLE, timeout=20_000)
