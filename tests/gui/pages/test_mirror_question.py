"""Whether mirrored images keep their class is asked where nothing says it, and trainings heed the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import DataSettings
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.training.worker import TrainingJob
from tests.gui.driving import child, controller_of, train

if TYPE_CHECKING:
    from pgn_studio.core.data.dataset import ImageDataset


@pytest.fixture
def unknown(digits: ImageDataset, tmp_path: Path) -> ImageDataset:
    """A folder of which nothing says how its images can be mirrored."""
    return replace(digits, name="signs", root=str(tmp_path / "a, b"), mirrorable=None)


def load(qtbot: QtBot, window: MainWindow, dataset: ImageDataset) -> QComboBox:
    """The data set in the window, and the question's box on its page."""
    project = controller_of(window).project
    project._set_dataset(DataSettings(dataset=dataset.root or dataset.name), dataset)
    qtbot.waitUntil(lambda: not project.busy, timeout=20_000)
    window.tabs.setCurrentWidget(window.data)
    box: QComboBox = child(window, QComboBox, "mirrored_answer")
    return box


def test_the_answer_is_heeded_and_remembered_for_its_folder(
    qtbot: QtBot,
    window: MainWindow,
    trainer: Any,
    make_window: Callable[..., MainWindow],
    digits: ImageDataset,
    unknown: ImageDataset,
) -> None:
    jobs: list[TrainingJob] = []
    begin = trainer.run
    trainer.run = lambda self: (jobs.append(self.job), begin(self))[1]
    box = load(qtbot, window, unknown)
    assert box.isVisible()
    assert box.currentText() == "not sure"
    train(qtbot, window)
    assert jobs[-1].dataset.mirrorable is None
    window.tabs.setCurrentWidget(window.data)
    qtbot.keyClick(box, Qt.Key.Key_End)
    assert box.currentText() == "no"
    train(qtbot, window)
    assert jobs[-1].dataset.mirrorable is False
    controller = controller_of(window)
    controller.classifier_training.open()
    assert controller.classifier_training.dialog is not None
    assert controller.classifier_training.dialog._dataset.mirrorable is False

    other = load(qtbot, make_window(), replace(unknown, root=unknown.root + "2"))
    assert other.currentText() == "not sure"
    again = load(qtbot, make_window(), unknown)
    assert again.currentText() == "no"
    qtbot.keyClick(again, Qt.Key.Key_Home)
    assert load(qtbot, make_window(), unknown).currentText() == "not sure"


@pytest.mark.parametrize("known", [True, False])
def test_what_is_known_is_not_asked(
    qtbot: QtBot, window: MainWindow, unknown: ImageDataset, known: bool
) -> None:
    assert not load(qtbot, window, replace(unknown, mirrorable=known)).isVisible()
