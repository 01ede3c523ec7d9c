"""One's own weights, which do not say their architecture: asked about once, with the answer at hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QDialogButtonBox, QLabel, QMenu
from pytestqt.qtbot import QtBot

from pgn_studio.core.classifiers import Access
from pgn_studio.core.classifiers.networks import build_network
from pgn_studio.core.config import DataSettings
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.gui.dialogs.open_classifier import ClassifierSourceDialog
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.training.worker import make_trainer
from tests.gui.driving import PATIENCE_MS, child, controller_of, train

if TYPE_CHECKING:
    from pgn_studio.core.data.dataset import ImageDataset

pytestmark = pytest.mark.timeout(900)


def saved(path: Path, arch: str, *, classes: int, size: int) -> Path:
    torch.save(build_network(arch, classes, image_size=size).state_dict(), path)
    return path


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return saved(tmp_path / "mine.pth", "small", classes=10, size=16)


def questions(window: MainWindow) -> list[ClassifierSourceDialog]:
    return [item for item in window.findChildren(ClassifierSourceDialog) if item.isVisible()]


def asked(window: MainWindow, path: Path) -> ClassifierSourceDialog:
    controller_of(window).opener.open_path(path)
    (dialog,) = questions(window)
    return dialog


def looked(qtbot: QtBot, dialog: ClassifierSourceDialog) -> str:
    found = child(dialog, QLabel, "weights_found")
    qtbot.waitUntil(lambda: "Reading" not in found.text(), timeout=PATIENCE_MS)
    text: str = found.text()
    return text


def press_open(qtbot: QtBot, window: MainWindow, dialog: ClassifierSourceDialog) -> None:
    with qtbot.waitSignal(controller_of(window).project.classifier_changed, timeout=PATIENCE_MS):
        child(dialog, QDialogButtonBox, "").button(QDialogButtonBox.StandardButton.Open).click()
    settle(qtbot, window)


def settle(qtbot: QtBot, window: MainWindow) -> None:
    project = controller_of(window).project
    qtbot.waitUntil(lambda: not project.busy, timeout=PATIENCE_MS)


def answered(qtbot: QtBot, window: MainWindow, path: Path, arch: str) -> None:
    dialog = asked(window, path)
    child(dialog, QComboBox, "arch_combo").setCurrentText(arch)
    press_open(qtbot, window, dialog)


def restored(qtbot: QtBot, window: MainWindow) -> MainWindow:
    with qtbot.waitSignal(window.session_restore.restored, timeout=PATIENCE_MS):
        window.session_restore.restore()
    return window


def choose_recent(window: MainWindow, path: Path) -> None:
    menu = next(item for item in window.findChildren(QMenu) if item.title() == "Recent")
    menu.aboutToShow.emit()
    action = next(item for item in menu.actions() if item.text() == str(path))
    assert isinstance(action, QAction)
    action.trigger()


def test_they_come_back_with_the_last_session(
    qtbot: QtBot, window: MainWindow, make_window: Callable[..., MainWindow], weights: Path,
    digits: ImageDataset,
) -> None:  # fmt: skip
    answered(qtbot, window, weights, "small")
    source = controller_of(window).project.source
    window.close()
    again = restored(qtbot, make_window())
    project = controller_of(again).project
    assert not again.notice.isVisible()
    assert questions(again) == []
    assert project.classifier is not None
    assert project.classifier.info.arch == "small"
    assert project.classifier.info.classes == digits.classes
    assert project.source == source
    assert project.problem() == ""


def test_they_come_back_where_their_images_are_gone(
    qtbot: QtBot,
    make_window: Callable[..., MainWindow],
    preferences: Preferences,
    weights: Path,
    tmp_path: Path,
) -> None:
    names = tuple("abcdefghij")
    source = ClassifierSource(str(weights), arch="small", image_size=16, classes=names)
    data = DataSettings(dataset=str(tmp_path / "gone")).model_dump(mode="json")
    preferences.session = json.dumps({"data": data, "classifier": source.to_json()})
    project = controller_of(restored(qtbot, make_window())).project
    assert project.classifier is not None
    assert project.classifier.info.classes == names


def test_recent_opens_them_without_asking(
    qtbot: QtBot, window: MainWindow, make_window: Callable[..., MainWindow], weights: Path,
    digits: ImageDataset,
) -> None:  # fmt: skip
    answered(qtbot, window, weights, "small")
    window.close()
    again = make_window()
    with qtbot.waitSignal(controller_of(again).project.classifier_changed, timeout=PATIENCE_MS):
        choose_recent(again, weights)
    settle(qtbot, again)
    assert questions(again) == []
    classifier = controller_of(again).project.classifier
    assert classifier is not None
    assert (classifier.info.arch, classifier.info.image_size) == ("small", 16)
    assert classifier.info.classes == digits.classes


def test_opened_anew_the_question_comes_with_the_last_answer(
    qtbot: QtBot, window: MainWindow, weights: Path
) -> None:
    answered(qtbot, window, weights, "small")
    dialog = asked(window, weights)
    looked(qtbot, dialog)
    assert dialog.source().arch == "small"
    assert dialog.source().image_size == 16
    dialog.close()


def test_architecture_and_classes_are_guessed(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    path = saved(tmp_path / "theirs.pth", "resnet18", classes=10, size=16)
    dialog = asked(window, path)
    assert looked(qtbot, dialog) == "The weights are those of resnet18 with 10 classes."
    assert dialog.source().arch == "resnet18"
    press_open(qtbot, window, dialog)
    classifier = controller_of(window).project.classifier
    assert classifier is not None
    assert classifier.info.arch == "resnet18"


def test_another_number_of_classes_is_told_before_it_is_opened(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    dialog = asked(window, saved(tmp_path / "theirs.pth", "resnet18", classes=3, size=16))
    text = looked(qtbot, dialog)
    assert "resnet18 with 3 classes" in text
    assert "the data set has 10" in text
    dialog.close()


def test_what_somebody_typed_is_not_guessed_over(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    dialog = asked(window, saved(tmp_path / "theirs.pth", "resnet18", classes=10, size=16))
    child(dialog, QComboBox, "arch_combo").setCurrentText("mine")
    looked(qtbot, dialog)
    assert dialog.source().arch == "mine"
    dialog.close()


@pytest.mark.parametrize("content", [b"", b"not weights at all"])
def test_a_file_that_is_none_is_told_when_it_is_opened(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "none.pth").write_bytes(content)
    dialog = asked(window, tmp_path / "none.pth")
    assert looked(qtbot, dialog) == ""
    with qtbot.waitSignal(controller_of(window).project.failed, timeout=PATIENCE_MS):
        child(dialog, QDialogButtonBox, "").button(QDialogButtonBox.StandardButton.Open).click()
    error = controller_of(window).reporter.dialog
    assert error is not None
    assert "none.pth" in error.message.text()
    error.close()


def test_a_secret_is_never_written_down(preferences: Preferences, weights: Path) -> None:
    access = Access(headers=(("Authorization", "Bearer hush-hush"),))
    preferences.remember_source(ClassifierSource(str(weights), arch="small", access=access))
    preferences._settings.sync()
    assert preferences.sources()[str(weights)].arch == "small"
    assert "hush" not in Path(preferences._settings.fileName()).read_text()


@pytest.mark.parametrize("stored", ["{", "[]", "5", '{"a": 3, "b": {}, "c": {"path": 4}}'])
def test_what_is_damaged_is_as_if_it_were_not_there(preferences: Preferences, stored: str) -> None:
    preferences._settings.setValue("sources", stored)
    assert preferences.sources() == {}


def test_a_pgn_alone_finds_the_weights_that_were_opened_before(
    qtbot: QtBot, real: MainWindow, make_window: Callable[..., MainWindow], tmp_path: Path
) -> None:
    path = saved(tmp_path / "mine.pth", "small", classes=2, size=8)
    project = controller_of(real).project
    source = ClassifierSource(str(path), arch="small", image_size=8)
    with qtbot.waitSignal(project.classifier_changed, timeout=PATIENCE_MS):
        project.load_classifier(source)
    settle(qtbot, real)
    train(qtbot, real)
    alone = tmp_path / "alone.safetensors"
    shutil.copyfile(Path(controller_of(real).shown.folder) / "pgn.safetensors", alone)
    real.close()
    again = make_window(make_runner=make_trainer)
    with qtbot.waitSignal(controller_of(again).project.pgn_opened, timeout=PATIENCE_MS) as opened:
        controller_of(again).opener.open_path(alone)
    settle(qtbot, again)
    measured: Any = opened.args[0]
    assert measured.classifier.info.path == str(path)
