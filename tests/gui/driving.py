"""What tests of real runs share: tiny data, small settings, and hands for the window."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import DataSettings
from pgn_studio.gui.controller import Controller
from pgn_studio.gui.main_window import MainWindow

PATIENCE_MS = 300_000  # a loaded machine, not a slow program
BATCH = 64
SMALL = {"encoder": "small", "decoder_widths": (4, 4), "epochs": 2, "batch_size": BATCH, "precision": "fp32"}
TINY = DataSettings(image_size=8, num_classes=2)


def controller_of(window: MainWindow) -> Controller:
    assert window.controller is not None
    return window.controller


def child(parent: QWidget, kind: type[Any], name: str) -> Any:
    found = parent.findChild(kind, name)
    assert found is not None, name
    return found


def press(qtbot: QtBot, window: MainWindow, name: str) -> None:
    button = child(window, QPushButton, name)
    assert button.isEnabled(), name
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def until_step(qtbot: QtBot, controller: Controller, step: int) -> None:
    steps = controller.train_page.history.steps
    qtbot.waitUntil(lambda: len(steps) > 0 and steps.column("step")[-1] >= step, timeout=PATIENCE_MS)


def train(qtbot: QtBot, window: MainWindow, button: str = "start_button") -> None:
    controller = controller_of(window)
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=PATIENCE_MS):
        press(qtbot, window, button)
