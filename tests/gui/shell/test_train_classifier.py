"""Training a classifier from the window: kept when it ends or is stopped, gone when cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtWidgets import QDialog, QPushButton
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import DataSettings
from pgn_studio.gui.dialogs.train_classifier import TrainClassifierDialog
from pgn_studio.gui.operations import wait_for_all

if TYPE_CHECKING:
    from pgn_studio.core.data.dataset import ImageDataset


@pytest.fixture
def dialog(qtbot: QtBot, digits: ImageDataset, tmp_path: Path) -> Iterator[TrainClassifierDialog]:
    made = TrainClassifierDialog(digits, DataSettings())
    qtbot.addWidget(made)
    made.out.setText(str(tmp_path / "made.safetensors"))
    made.form.fill({"train_limit": 20, "epochs": 1, "batch_size": 10, "augment": "none"})
    made.show()
    yield made
    wait_for_all(20_000)


def test_a_trained_classifier_is_saved_and_announced(
    qtbot: QtBot, dialog: TrainClassifierDialog, tmp_path: Path
) -> None:
    with qtbot.waitSignal(dialog.trained, timeout=60_000) as signal:
        dialog.train_button.click()
    assert Path(signal.args[0]) == tmp_path / "made.safetensors"
    assert Path(signal.args[0]).is_file()
    qtbot.waitUntil(lambda: not dialog.isVisible())
    assert dialog.result() == QDialog.DialogCode.Accepted


def test_a_cancelled_one_leaves_nothing(qtbot: QtBot, dialog: TrainClassifierDialog, tmp_path: Path) -> None:
    dialog.form.fill({"epochs": 1000})
    with qtbot.waitSignal(dialog._progressed, timeout=60_000):
        dialog.train_button.click()
    cancel = dialog.findChild(QPushButton, "cancel_classifier_button")
    assert isinstance(cancel, QPushButton)
    cancel.click()
    assert dialog.isVisible()  # until the worker has ended
    qtbot.waitUntil(lambda: not dialog.isVisible(), timeout=30_000)
    assert list(tmp_path.glob("*.safetensors")) == []


def test_a_stopped_one_is_kept(qtbot: QtBot, dialog: TrainClassifierDialog, tmp_path: Path) -> None:
    dialog.form.fill({"epochs": 1000})
    with qtbot.waitSignal(dialog._progressed, timeout=60_000):
        dialog.train_button.click()
    with qtbot.waitSignal(dialog.trained, timeout=60_000):
        dialog.stop_button.click()
    assert (tmp_path / "made.safetensors").is_file()
    qtbot.waitUntil(lambda: not dialog.isVisible())
