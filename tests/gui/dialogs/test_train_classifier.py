"""Training a classifier from the window: kept when it ends or is stopped, gone when canceled."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import DataSettings
from pgn_studio.gui.dialogs.error import ErrorDialog
from pgn_studio.gui.dialogs.train_classifier import ReplaceQuestion, TrainClassifierDialog, UnsavedQuestion
from pgn_studio.gui.operations import wait_for_all

if TYPE_CHECKING:
    from pgn_studio.core.data.dataset import ImageDataset


@pytest.fixture
def dialog(qtbot: QtBot, digits: ImageDataset, tmp_path: Path) -> Iterator[TrainClassifierDialog]:
    made = TrainClassifierDialog(digits, DataSettings())
    qtbot.addWidget(made)
    made.out.setText(str(tmp_path / "made.safetensors"))
    made.form.fill({"max_train_images": 20, "epochs": 1, "batch_size": 10, "augment": "none"})
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


def test_a_canceled_one_leaves_nothing(qtbot: QtBot, dialog: TrainClassifierDialog, tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    "place", ["", "  ", "/proc/nope/x.safetensors", "folder", "file/x.safetensors", "a" * 300]
)
def test_a_place_that_cannot_be_is_told_before_it_trains(
    dialog: TrainClassifierDialog, tmp_path: Path, place: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("a file")
    dialog.out.setText(str(tmp_path / place) if place.strip() else place)
    dialog.train_button.click()
    assert not dialog.training
    told = dialog.findChild(ErrorDialog)
    assert told is not None
    assert told.hint.text()
    assert "fault of the program" not in told.hint.text()
    told.close()
    assert dialog.train_button.isEnabled()


def test_a_name_without_its_ending_gets_it(
    qtbot: QtBot, dialog: TrainClassifierDialog, tmp_path: Path
) -> None:
    dialog.out.setText(str(tmp_path / "new" / "made-1.5"))
    with qtbot.waitSignal(dialog.trained, timeout=60_000) as signal:
        dialog.train_button.click()
    assert Path(signal.args[0]) == tmp_path / "new" / "made-1.5.safetensors"


def test_a_file_that_is_there_is_replaced_only_when_somebody_says_so(
    qtbot: QtBot, dialog: TrainClassifierDialog, tmp_path: Path
) -> None:
    file = tmp_path / "made.safetensors"
    file.write_text("an older one")
    dialog.train_button.click()
    question = dialog.findChild(ReplaceQuestion)
    assert question is not None
    qtbot.keyClick(question, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: dialog.findChild(ReplaceQuestion) is None)
    assert not dialog.training
    assert file.read_text() == "an older one"
    dialog.train_button.click()
    question = dialog.findChild(ReplaceQuestion)
    assert question is not None
    with qtbot.waitSignal(dialog.trained, timeout=60_000):
        question.replace.click()
    assert file.stat().st_size > 1000


def test_one_that_cannot_be_written_in_the_end_is_saved_elsewhere(
    qtbot: QtBot, dialog: TrainClassifierDialog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgn_studio.core.classifiers import saved

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(saved, "save_file", full)
        with qtbot.waitSignal(dialog.ended, timeout=60_000):
            dialog.train_button.click()
    assert dialog.isVisible()
    question = dialog.findChild(UnsavedQuestion)
    assert question is not None
    assert "No space left" in question.text()
    other = str(tmp_path / "other.safetensors")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (other, ""))
    with qtbot.waitSignal(dialog.trained, timeout=60_000) as signal:
        question.elsewhere.click()
    assert signal.args[0] == other
    qtbot.waitUntil(lambda: not dialog.isVisible())
