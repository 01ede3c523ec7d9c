"""Opening a black box in the window."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QCheckBox, QDialogButtonBox, QLineEdit
from pytestqt.qtbot import QtBot

from pgn_studio.gui.dialogs.error import ErrorDialog
from pgn_studio.gui.dialogs.open_classifier import BlackBoxDialog
from pgn_studio.gui.main_window import MainWindow

MODULE = """
import numpy as np

def predict(images):
    return images.mean((1, 2, 3)).astype(np.int64) % 10
"""


@pytest.fixture
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "window_box.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("window_box", None)


def asked(window: MainWindow) -> BlackBoxDialog:
    assert window.controller is not None
    window.controller.opener.choose_black_box()
    (dialog,) = [item for item in window.findChildren(BlackBoxDialog) if item.isVisible()]
    return dialog


def press_open(dialog: BlackBoxDialog) -> None:
    buttons = dialog.findChild(QDialogButtonBox)
    assert buttons is not None
    buttons.button(QDialogButtonBox.StandardButton.Open).click()


def type_source(dialog: BlackBoxDialog, text: str) -> None:
    line = dialog.findChild(QLineEdit, "black_box_source")
    assert line is not None
    line.setText(text)


@pytest.mark.usefixtures("_module")
def test_code_is_run_only_with_the_tick(window: MainWindow, qtbot: QtBot) -> None:
    controller = window.controller
    assert controller is not None
    dialog = asked(window)
    type_source(dialog, "window_box:predict")
    press_open(dialog)
    (error,) = dialog.findChildren(ErrorDialog)
    error.close()
    assert dialog.isVisible()
    assert "window_box" not in sys.modules
    tick = dialog.findChild(QCheckBox, "black_box_trust")
    assert tick is not None
    tick.setChecked(True)
    with qtbot.waitSignal(controller.project.classifier_changed, timeout=20_000):
        press_open(dialog)
    assert not [item for item in window.findChildren(BlackBoxDialog) if item.isVisible()]
    classifier = controller.project.classifier
    assert classifier is not None
    assert classifier.info.path == "python:window_box:predict"
    assert classifier.queries is not None
    assert classifier.queries.used == 3  # to see how it answers; measuring is for a button
    facts = classifier.info.told
    assert "trust_code" not in facts["access"]
    assert controller.project.problem() == ""


def test_what_is_no_black_box_stays_in_the_dialog(window: MainWindow) -> None:
    dialog = asked(window)
    for text in ("", "model.safetensors"):
        type_source(dialog, text)
        press_open(dialog)
        assert dialog.isVisible()
    for error in dialog.findChildren(ErrorDialog):
        error.close()
    dialog.reject()


def test_a_file_that_cannot_be_opened_is_an_error_like_others(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    controller = window.controller
    assert controller is not None
    before = controller.project.classifier
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"nothing")
    dialog = asked(window)
    type_source(dialog, str(path))
    with qtbot.waitSignal(controller.project.failed, timeout=20_000):
        press_open(dialog)
    qtbot.waitUntil(lambda: not controller.project.busy)
    assert controller.reporter.dialog is not None
    controller.reporter.dialog.close()
    assert controller.project.classifier is before
