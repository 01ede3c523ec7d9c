"""What somebody stumbled on who used the window for the first time, on photographs of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import DataSettings, TrainingSettings
from pgn_studio.gui.dialogs.error import show_error
from pgn_studio.gui.main_window import MainWindow
from tests.gui.driving import child, controller_of
from tests.gui.opened import measured

if TYPE_CHECKING:
    from pathlib import Path

    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset


@pytest.fixture
def demo(window: MainWindow, digits: ImageDataset, classifier: Classifier) -> MainWindow:
    """With a PGN open, whose settings are not the usual ones: three epochs, a small encoder, γ 1."""
    controller_of(window).project._set_opened(measured(digits, classifier, "demo.safetensors"))
    assert controller_of(window).setup.main.values()["epochs"] == 3
    return window


def open_own(window: MainWindow, digits: ImageDataset, folder: Path) -> None:
    controller_of(window).project._set_dataset(DataSettings(dataset=str(folder)), digits)


def test_settings_of_the_demo_do_not_stay_for_own_images(
    demo: MainWindow, digits: ImageDataset, tmp_path: Path, qtbot: QtBot
) -> None:
    controller = controller_of(demo)
    lent = controller.setup.shown()
    controller.project._set_dataset(DataSettings(image_size=16), digits)  # the same images once more
    assert controller.setup.shown() == lent
    open_own(demo, digits, tmp_path)
    usual = TrainingSettings.make()
    assert controller.setup.main.values()["encoder"] == usual.encoder
    assert controller.setup.main.values()["epochs"] == usual.epochs
    assert controller.setup.gamma.value == usual.gamma
    assert "defaults" in demo.statusBar().currentMessage()
    controller.setup.undo.undo()
    assert controller.setup.shown() == lent
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=20_000)


def test_what_somebody_has_set_stays(
    demo: MainWindow, digits: ImageDataset, tmp_path: Path, qtbot: QtBot
) -> None:
    controller = controller_of(demo)
    controller.setup.gamma.user_set(7.0)
    open_own(demo, digits, tmp_path)
    assert controller.setup.gamma.value == 7.0
    assert controller.setup.main.values()["epochs"] == 3
    assert "defaults" not in demo.statusBar().currentMessage()
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=20_000)


def test_why_start_is_gray_is_said_beside_it(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    from pgn_studio.core.data.sources import load_dataset

    reason = child(window, QLabel, "start_reason")
    accuracy = child(window, QLabel, "clean_accuracy")
    assert not reason.isVisible()
    assert accuracy.isVisible()
    two = load_dataset(DataSettings(num_classes=2))
    controller = controller_of(window)
    controller.project._set_dataset(DataSettings(num_classes=2), two)
    assert not controller.setup.start_button.isEnabled()
    assert reason.isVisible()
    assert "train a classifier for" in reason.text() or "classes" in reason.text()
    assert not accuracy.isVisible()  # it was of other images
    assert "Loaded digits: 2 classes" in window.statusBar().currentMessage()


def test_too_little_memory_is_no_fault_of_the_program(window: MainWindow) -> None:
    error = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")
    dialog = show_error(window, "Measuring clean accuracy", error)
    assert "not enough memory" in dialog.message.text()
    assert "smaller image size" in dialog.hint.text()
    assert "DefaultCPUAllocator" in dialog.details.toPlainText()
    dialog.close()
