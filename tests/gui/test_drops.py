"""Files dropped anywhere: wherever the pointer is on a page, the window takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from pgn_studio.gui import lazy_imports
from pgn_studio.gui.app import Launcher
from pgn_studio.gui.dialogs.open_classifier import ClassifierSourceDialog
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.opening import CLASSIFIER_FORMAT, PGN_FORMAT
from pgn_studio.gui.preferences import Preferences
from tests.gui.driving import controller_of
from tests.gui.walking import controls, fill, place


def drop_at(window: MainWindow, where: QPoint, path: Path) -> bool:
    """As the window system does it: to whatever widget lies there. Whether it was taken."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    data.setText(str(path))  # as some file managers do, and text fields would take it
    rest = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    handle = window.windowHandle()
    enter = QDragEnterEvent(where, *rest)
    QApplication.sendEvent(handle, enter)
    if not enter.isAccepted():
        return False
    QApplication.sendEvent(handle, QDropEvent(QPointF(where), *rest))
    return True


def test_every_control_of_every_page_lets_files_through(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fill(window, qtbot)
    controller = window.controller
    assert controller is not None
    opened: list[Path] = []
    monkeypatch.setattr(controller.opener, "open_path", opened.append)
    window._messages_dock.show()
    missed = []
    for number in range(window.tabs.count()):
        window.tabs.setCurrentIndex(number)
        QApplication.processEvents()
        shown = [item for item in controls(window) if item.isVisible() and not item.visibleRegion().isEmpty()]
        assert len(shown) > 10
        for control in shown:
            where = control.mapTo(window, control.visibleRegion().boundingRect().center())
            opened.clear()
            if not drop_at(window, where, tmp_path) or opened != [tmp_path]:
                missed.append(place(control))
    assert sorted(set(missed)) == []


PAGES = ("Train", "Inspect", "Data", "Classifier", "Runs")
ASKED = {"folder": "load_dataset", "run": "open_run", "pgn": "open_pgn", "classifier": "load_classifier"}
ASKED |= {"program": "load_classifier"}


def make_files(folder: Path) -> dict[str, Path]:
    """One of each kind; only heads and names are looked at before something is opened."""
    from safetensors.numpy import save_file

    values = {"w": np.zeros(1, np.float32)}
    files = {
        "folder": folder / "photos",
        "run": folder / "a-run",
        "pgn": folder / "pgn.safetensors",
        "classifier": folder / "classifier.safetensors",
        "weights": folder / "resnet.pth",
        "program": folder / "net.pt2",
        "image": folder / "cat.png",
        "table": folder / "measurements.xlsx",
        "gone": folder / "gone.png",
    }
    for name in ("folder", "run"):
        files[name].mkdir()
    (files["run"] / "run.json").write_text("{}")
    save_file(values, files["pgn"], metadata={"format": PGN_FORMAT})
    save_file(values, files["classifier"], metadata={"format": CLASSIFIER_FORMAT})
    for name in ("weights", "program", "table"):
        files[name].write_bytes(b"")
    Image.new("RGB", (16, 16)).save(files["image"])
    return files


@pytest.mark.parametrize("page", PAGES)
def test_each_kind_of_file_does_the_sensible_thing_on_each_page(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str
) -> None:
    controller = controller_of(window)
    files = make_files(tmp_path)
    asked: list[tuple[str, object]] = []
    for name in set(ASKED.values()):
        monkeypatch.setattr(controller.project, name, lambda what, name=name, **_: asked.append((name, what)))
    window.tabs.setCurrentIndex(PAGES.index(page))
    where = window.tabs.mapTo(window, window.tabs.rect().center())
    for kind, path in files.items():
        asked.clear()
        controller.reporter.dialog = None
        assert drop_at(window, where, path), kind
        if kind in ASKED:
            ((name, what),) = asked
            assert name == ASKED[kind]
            field = {"load_dataset": "dataset", "load_classifier": "path"}.get(name)
            assert str(what if field is None else getattr(what, field)) == str(path)
            continue
        assert asked == []
        if kind == "weights":  # they do not say whose they are: it is asked, and nothing waits for it
            (question,) = (item for item in window.findChildren(ClassifierSourceDialog) if item.isVisible())
            question._open()
            assert [name for name, _ in asked] == ["load_classifier"]
            continue
        assert controller.reporter.dialog is not None, kind
        assert path.name in controller.reporter.dialog.message.text()
        assert controller.reporter.dialog.hint.text()
        controller.reporter.dialog.close()


def test_an_image_is_perturbed_from_every_page_once_a_pgn_is_open(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    fill(window, qtbot)
    image = make_files(tmp_path)["image"]
    where = window.tabs.mapTo(window, window.tabs.rect().center())
    for number in range(window.tabs.count()):
        window.tabs.setCurrentIndex(number)
        with qtbot.waitSignal(controller_of(window).inspect_page.sample_shown, timeout=20_000):
            assert drop_at(window, where, image)
        assert window.tabs.tabText(window.tabs.currentIndex()) == "&Inspect"


def test_what_is_dropped_on_the_start_page_is_opened_once_there_is_who_can(
    qtbot: QtBot, preferences: Preferences, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[Path] = []
    restored: list[bool] = []
    monkeypatch.setattr("pgn_studio.gui.opener.FileOpener.open_path", lambda _, path: opened.append(path))
    monkeypatch.setattr(
        "pgn_studio.gui.session_restore.SessionRestore.restore", lambda _: restored.append(True)
    )
    preferences.tour_seen = True
    window = MainWindow(preferences)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    for name in ("first", "second"):
        assert drop_at(window, window.rect().center(), tmp_path / name)
    told = window.start_page.findChild(QLabel, "start_message")
    assert isinstance(told, QLabel)
    assert "first, second will be opened" in told.text()
    assert opened == []
    launcher = Launcher(window, demo=False)
    launcher.start()
    qtbot.waitUntil(lambda: bool(opened), timeout=60_000)
    assert opened == [tmp_path / "first", tmp_path / "second"]
    assert restored == []  # what was dropped is wanted instead of the last session
    assert drop_at(window, window.rect().center(), tmp_path / "third")
    assert opened[-1] == tmp_path / "third"
    launcher.wait()


def test_nothing_can_be_dropped_where_nothing_can_ever_be_opened(
    qtbot: QtBot, preferences: Preferences, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lazy_imports, "FIRST", ("no_such_torch",))
    window = MainWindow(preferences)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    launcher = Launcher(window, demo=False)
    launcher.start()
    told = window.start_page.findChild(QLabel, "start_message")
    assert isinstance(told, QLabel)
    qtbot.waitUntil(lambda: "no_such_torch" in told.text(), timeout=20_000)
    assert not drop_at(window, window.rect().center(), tmp_path)
    launcher.wait()
