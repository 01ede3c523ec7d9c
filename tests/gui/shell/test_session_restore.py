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
from tests.gui.shell.driving import studio_of
from tests.gui.shell.opened import opens_quickly
from tests.legacy_files import of_then

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset

LONG_MS = 60_000


def restore(window: MainWindow, qtbot: QtBot) -> None:
    with qtbot.waitSignal(window.last_session.restored, timeout=LONG_MS):
        window.last_session.restore()


def told(window: MainWindow) -> str:
    label = window.notice.findChild(QLabel, "banner_text")
    assert isinstance(label, QLabel)
    return label.text() if window.notice.isVisible() else ""


def splitter(window: MainWindow) -> QSplitter:
    found = window.findChild(QSplitter, "inspection-splitter")
    assert isinstance(found, QSplitter)
    return found


def test_pgn_image_filter_zoom_and_sizes_come_back(
    make_window: Callable[..., MainWindow], qtbot: QtBot, state: Preferences, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, digits: ImageDataset, classifier: Classifier,
) -> None:  # fmt: skip
    opens_quickly(monkeypatch, digits, classifier)
    (tmp_path / "pgn.safetensors").touch()
    first = make_window()
    studio = studio_of(first)
    studio.workspace.open_pgn(tmp_path / "pgn.safetensors")
    qtbot.waitUntil(lambda: not studio.workspace.busy, timeout=LONG_MS)
    chosen = Selection(
        outcome=Outcome.BOTH_WRONG, ranges=(Range(SortKey.L2, 0.1, None),), sort=SortKey.L2, descending=True
    )
    gallery = studio.inspection.gallery
    gallery.filters.set_selection(chosen)
    image = gallery.model.image_index(2)
    gallery.view.choose(image)
    gallery.view.zoom(1)
    studio.setup.main.fill({"epochs": 7})
    total = sum(splitter(first).sizes())
    before = splitter(first).sizes()
    splitter(first).setSizes([total - 400, 400])
    sizes = splitter(first).sizes()
    assert abs(before[0] - sizes[0]) > 30
    first.tabs.setCurrentWidget(studio.inspection)
    first.close()
    second = make_window()
    second.resize(first.size())  # the test's screen is too small for its geometry
    restore(second, qtbot)
    studio = studio_of(second)
    gallery = studio.inspection.gallery
    assert studio.shown.path == str(tmp_path / "pgn.safetensors")
    assert second.tabs.currentWidget() is studio.inspection
    assert gallery.filters.selection == chosen
    assert studio.inspection.chosen == image
    assert gallery.view.thumbnail_px == 128
    assert studio.setup.main.values()["epochs"] == 7
    again = splitter(second).sizes()  # in proportion: the docks left another width
    assert again[0] / sum(again) == pytest.approx(sizes[0] / sum(sizes), abs=0.01)
    assert told(second) == ""
    assert not holds_objects(Path(state._settings.fileName()))


def test_data_and_classifier_come_back_without_a_pgn(
    window: MainWindow, make_window: Callable[..., MainWindow], classifier: Classifier, qtbot: QtBot
) -> None:
    from pgn_studio.core.project.source import ClassifierSource

    studio = studio_of(window)
    studio.workspace.use_classifier(ClassifierSource(classifier.info.path), classifier)
    qtbot.waitUntil(lambda: not studio.workspace.busy, timeout=LONG_MS)
    window.tabs.setCurrentWidget(window.data)
    window.close()
    second = make_window()
    restore(second, qtbot)
    workspace = studio_of(second).workspace
    assert workspace.dataset is not None
    assert workspace.dataset.name == "digits"
    assert workspace.classifier is not None
    assert workspace.classifier.info.path == classifier.info.path
    assert second.tabs.currentWidget() is second.data


def stored(state: Preferences, **session: Any) -> None:
    state.session = json.dumps(session)


def test_what_is_gone_is_told_and_the_rest_is_opened(
    make_window: Callable[..., MainWindow], qtbot: QtBot, state: Preferences, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    stored(
        state,
        opened=str(gone / "run"),
        data=DataSettings().model_dump(mode="json"),
        classifier={"path": str(gone / "classifier.pth"), "foreign": True},
        page="data_page",
    )
    window = make_window()
    restore(window, qtbot)
    studio = studio_of(window)
    assert f"{gone / 'run'} is gone" in told(window)
    assert f"The classifier {gone / 'classifier.pth'} is gone" in told(window)
    assert studio.workspace.dataset is not None
    assert studio.error_dialog is None
    assert QApplication.activeModalWidget() is None
    assert window.tabs.currentWidget() is window.data


def test_settings_of_the_version_before_come_back(
    make_window: Callable[..., MainWindow], qtbot: QtBot, state: Preferences
) -> None:
    chosen = TrainingSettings.make(loss="logistic", select="last", encoder_training="frozen")
    stored(state, settings=of_then(chosen.model_dump(mode="json")))
    window = make_window()
    restore(window, qtbot)
    assert studio_of(window).setup.settings(DataSettings(), "") == chosen


def test_what_fails_to_open_is_told_without_a_dialog(
    make_window: Callable[..., MainWindow], qtbot: QtBot, state: Preferences, tmp_path: Path
) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"no PGN")
    stored(state, opened=str(tmp_path / "broken.safetensors"), page="runs_page")
    window = make_window()
    restore(window, qtbot)
    assert "broken.safetensors" in told(window)
    assert studio_of(window).error_dialog is None
    studio_of(window).show_problem("Later", ValueError("x"))  # later ones have their dialog again
    dialog = studio_of(window).error_dialog
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
    make_window: Callable[..., MainWindow], state: Preferences, text: str
) -> None:
    state.session = text
    window = make_window()
    window.last_session.restore()
    assert studio_of(window).error_dialog is None
    assert studio_of(window).deferred_errors is None
    assert not studio_of(window).workspace.busy


def test_it_can_be_switched_off(
    make_window: Callable[..., MainWindow], state: Preferences, tmp_path: Path
) -> None:
    stored(state, data=DataSettings().model_dump(mode="json"))
    window = make_window()
    action = window.findChild(QAction, "action_restore_session")
    assert isinstance(action, QAction)
    assert action.isChecked()
    action.trigger()
    state._settings.sync()
    again = Preferences(QSettings(state._settings.fileName(), QSettings.Format.IniFormat))
    assert not again.restores_session
    window.last_session.restore()
    assert not studio_of(window).workspace.busy


@pytest.mark.parametrize("demo", [False, True])
def test_the_start_restores_unless_the_demo_is_asked_for(
    make_window: Callable[..., MainWindow], state: Preferences, monkeypatch: pytest.MonkeyPatch, demo: bool
) -> None:
    state.tour_seen = True  # the tour of a first start opens the demo, too
    done: list[str] = []
    monkeypatch.setattr(
        "pgn_studio.gui.session_restore.SessionRestore.restore", lambda _: done.append("restored")
    )
    monkeypatch.setattr("pgn_studio.gui.studio.Studio.open_demo", lambda _: done.append("demo"))
    window = make_window()
    monkeypatch.setattr(window, "build", lambda: window.studio)
    launcher = Launcher(window, demo=demo)
    launcher._imported()
    assert done == ["demo" if demo else "restored"]


def test_a_black_box_is_not_asked_by_itself_and_its_header_not_kept(
    window: MainWindow, make_window: Callable[..., MainWindow], classifier: Classifier, qtbot: QtBot,
    state: Preferences,
) -> None:  # fmt: skip
    from pgn_studio.core.classifiers import Access
    from pgn_studio.core.project.source import ClassifierSource

    access = Access(headers=(("Authorization", "Bearer secret"),))
    source = ClassifierSource("http://127.0.0.1:9/ask", access=access)
    studio_of(window).workspace.use_classifier(source, classifier)
    qtbot.waitUntil(lambda: not studio_of(window).workspace.busy, timeout=LONG_MS)
    window.close()
    assert "secret" not in state.session
    second = make_window()
    restore(second, qtbot)
    assert studio_of(second).workspace.classifier is None
    assert "http://127.0.0.1:9/ask is not asked again by itself" in told(second)


def test_the_gallery_zooms_by_keys_and_wheel(qtbot: QtBot, window: MainWindow) -> None:
    from tests.gui.shell.walking import fill

    fill(window, qtbot)
    view = studio_of(window).inspection.gallery.view
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
