"""What was open comes back at the next start; what is gone is told, and stops nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import QPoint, QPointF, QSettings, Qt
from PySide6.QtGui import QAction, QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel, QSplitter
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import DataSettings, TrainingSettings
from pgn_studio.core.evaluation.selection import Outcome, Range, Selection, SortKey
from pgn_studio.gui.app import Launcher
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.preferences import Preferences, holds_objects
from tests.gui.driving import controller_of
from tests.gui.opened import opens_quickly
from tests.legacy_files import of_then

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset

LONG_MS = 60_000


def restore(window: MainWindow, qtbot: QtBot) -> None:
    with qtbot.waitSignal(window.session_restore.restored, timeout=LONG_MS):
        window.session_restore.restore()


def told(window: MainWindow) -> str:
    label = window.notice.findChild(QLabel, "banner_text")
    assert isinstance(label, QLabel)
    return label.text() if window.notice.isVisible() else ""


def splitter(window: MainWindow) -> QSplitter:
    found = window.findChild(QSplitter, "inspection-splitter")
    assert isinstance(found, QSplitter)
    return found


def test_pgn_image_filter_zoom_and_sizes_come_back(
    make_window: Callable[..., MainWindow], qtbot: QtBot, preferences: Preferences, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, digits: ImageDataset, classifier: Classifier,
) -> None:  # fmt: skip
    opens_quickly(monkeypatch, digits, classifier)
    (tmp_path / "pgn.safetensors").touch()
    first = make_window()
    controller = controller_of(first)
    controller.project.open_pgn(tmp_path / "pgn.safetensors")
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=LONG_MS)
    chosen = Selection(
        outcome=Outcome.BOTH_WRONG, ranges=(Range(SortKey.L2, 0.1, None),), sort=SortKey.L2, descending=True
    )
    gallery = controller.inspect_page.gallery
    gallery.filters.set_selection(chosen)
    image = gallery.model.image_index(2)
    gallery.view.choose(image)
    gallery.view.zoom(1)
    controller.setup.main.fill({"epochs": 7})
    total = sum(splitter(first).sizes())
    before = splitter(first).sizes()
    splitter(first).setSizes([total - 400, 400])
    sizes = splitter(first).sizes()
    assert abs(before[0] - sizes[0]) > 30
    first.tabs.setCurrentWidget(controller.inspect_page)
    first.close()
    second = make_window()
    second.resize(first.size())  # the test's screen is too small for its geometry
    restore(second, qtbot)
    controller = controller_of(second)
    gallery = controller.inspect_page.gallery
    assert controller.shown.path == str(tmp_path / "pgn.safetensors")
    assert second.tabs.currentWidget() is controller.inspect_page
    assert gallery.filters.selection == chosen
    assert controller.inspect_page.chosen == image
    assert gallery.view.thumbnail_px == 128
    assert controller.setup.main.values()["epochs"] == 7
    again = splitter(second).sizes()  # in proportion: the docks left another width
    assert again[0] / sum(again) == pytest.approx(sizes[0] / sum(sizes), abs=0.01)
    assert told(second) == ""
    assert not holds_objects(Path(preferences._settings.fileName()))


def test_data_and_classifier_come_back_without_a_pgn(
    window: MainWindow, make_window: Callable[..., MainWindow], classifier: Classifier, qtbot: QtBot
) -> None:
    from pgn_studio.core.project.source import ClassifierSource

    controller = controller_of(window)
    controller.project.use_classifier(ClassifierSource(classifier.info.path), classifier)
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=LONG_MS)
    window.tabs.setCurrentWidget(window.data)
    window.close()
    second = make_window()
    restore(second, qtbot)
    project = controller_of(second).project
    assert project.dataset is not None
    assert project.dataset.name == "digits"
    assert project.classifier is not None
    assert project.classifier.info.path == classifier.info.path
    assert second.tabs.currentWidget() is second.data


def stored(preferences: Preferences, **session: Any) -> None:
    preferences.session = json.dumps(session)


def test_what_is_gone_is_told_and_the_rest_is_opened(
    make_window: Callable[..., MainWindow], qtbot: QtBot, preferences: Preferences, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    stored(
        preferences,
        opened=str(gone / "run"),
        data=DataSettings().model_dump(mode="json"),
        classifier={"path": str(gone / "classifier.pth"), "foreign": True},
        page="data_page",
    )
    window = make_window()
    restore(window, qtbot)
    controller = controller_of(window)
    assert f"{gone / 'run'} no longer exists" in told(window)
    assert f"The classifier {gone / 'classifier.pth'} no longer exists" in told(window)
    assert controller.project.dataset is not None
    assert controller.reporter.dialog is None
    assert QApplication.activeModalWidget() is None
    assert window.tabs.currentWidget() is window.data


def test_settings_of_the_version_before_come_back(
    make_window: Callable[..., MainWindow], qtbot: QtBot, preferences: Preferences
) -> None:
    chosen = TrainingSettings.make(loss="logistic", select="last", encoder_training="frozen")
    stored(preferences, settings=of_then(chosen.model_dump(mode="json")))
    window = make_window()
    restore(window, qtbot)
    assert controller_of(window).setup.settings(DataSettings(), "") == chosen


def test_what_fails_to_open_is_told_without_a_dialog(
    make_window: Callable[..., MainWindow], qtbot: QtBot, preferences: Preferences, tmp_path: Path
) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"no PGN")
    stored(preferences, opened=str(tmp_path / "broken.safetensors"), page="runs_page")
    window = make_window()
    restore(window, qtbot)
    assert "broken.safetensors" in told(window)
    assert controller_of(window).reporter.dialog is None
    controller_of(window).reporter.show_problem(
        "Later", ValueError("x")
    )  # later ones have their dialog again
    dialog = controller_of(window).reporter.dialog
    assert dialog is not None
    dialog.close()


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "7", '{"opened": 7, "data": [1], "classifier": "x", "image": "y", "splitters": 3}',
        '{"data": {"dataset": "digits", "image_size": -5}, "filter": {"outcome": "none", "ranges": 5}}',
        '{"splitters": {"inspection-splitter": ["a", 2]}, "thumbnails": "large", "settings": {"epochs": {}}}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_a_damaged_session_stops_nothing(
    make_window: Callable[..., MainWindow], preferences: Preferences, text: str
) -> None:
    preferences.session = text
    window = make_window()
    window.session_restore.restore()
    assert controller_of(window).reporter.dialog is None
    assert controller_of(window).reporter.deferred is None
    assert not controller_of(window).project.busy


def test_it_can_be_switched_off(
    make_window: Callable[..., MainWindow], preferences: Preferences, tmp_path: Path
) -> None:
    stored(preferences, data=DataSettings().model_dump(mode="json"))
    window = make_window()
    action = window.findChild(QAction, "action_restore_session")
    assert isinstance(action, QAction)
    assert action.isChecked()
    action.trigger()
    preferences._settings.sync()
    again = Preferences(QSettings(preferences._settings.fileName(), QSettings.Format.IniFormat))
    assert not again.restores_session
    window.session_restore.restore()
    assert not controller_of(window).project.busy


@pytest.mark.parametrize("demo", [False, True])
def test_the_start_restores_unless_the_demo_is_asked_for(
    make_window: Callable[..., MainWindow],
    preferences: Preferences,
    monkeypatch: pytest.MonkeyPatch,
    demo: bool,
) -> None:
    preferences.tour_seen = True  # the tour of a first start opens the demo, too
    done: list[str] = []
    monkeypatch.setattr(
        "pgn_studio.gui.session_restore.SessionRestore.restore", lambda _: done.append("restored")
    )
    monkeypatch.setattr("pgn_studio.gui.opener.FileOpener.open_demo", lambda _: done.append("demo"))
    window = make_window()
    monkeypatch.setattr(window, "build", lambda: window.controller)
    launcher = Launcher(window, demo=demo)
    launcher._imported()
    assert done == ["demo" if demo else "restored"]


def test_a_black_box_is_not_asked_by_itself_and_its_header_not_kept(
    window: MainWindow, make_window: Callable[..., MainWindow], classifier: Classifier, qtbot: QtBot,
    preferences: Preferences,
) -> None:  # fmt: skip
    from pgn_studio.core.classifiers import Access
    from pgn_studio.core.project.source import ClassifierSource

    access = Access(headers=(("Authorization", "Bearer secret"),))
    source = ClassifierSource("http://127.0.0.1:9/ask", access=access)
    controller_of(window).project.use_classifier(source, classifier)
    qtbot.waitUntil(lambda: not controller_of(window).project.busy, timeout=LONG_MS)
    window.close()
    assert "secret" not in preferences.session
    second = make_window()
    restore(second, qtbot)
    assert controller_of(second).project.classifier is None
    assert "http://127.0.0.1:9/ask is not opened" in told(second)


def test_the_gallery_zooms_by_keys_and_wheel(qtbot: QtBot, window: MainWindow) -> None:
    from tests.gui.walking import fill

    fill(window, qtbot)
    view = controller_of(window).inspect_page.gallery.view
    view.resize(400, 300)
    wide = view.gridSize().width()
    qtbot.keyClick(view, "+")
    assert view.thumbnail_px == 128
    assert view.gridSize().width() > wide
    qtbot.waitUntil(lambda: view._gallery._thumbnails.get(view._gallery.image_index(0)) is not None)
    image = view._gallery._thumbnails.get(view._gallery.image_index(0))
    assert image is not None
    assert max(image.width(), image.height()) == 128
    qtbot.keyClick(view, "-")
    qtbot.keyClick(view, "-")
    qtbot.keyClick(view, "-")
    assert view.thumbnail_px == 64
    where = QPointF(20, 20)
    wheel = QWheelEvent(
        where, where, QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.ControlModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    view.wheelEvent(wheel)
    assert view.thumbnail_px == 96
