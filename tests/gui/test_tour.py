"""The first-run tour: shown once, by keyboard and mouse, beside the widgets that it speaks of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QRect, QSettings, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from pgn_studio.gui.app import Launcher
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.tour import RIM_PX, STEPS, TourCard
from tests.gui.driving import child
from tests.gui.walking import fill


@pytest.fixture
def toured(window: MainWindow, qtbot: QtBot) -> MainWindow:
    """With something to inspect, so that the tour opens no demo, and the tour begun from Help."""
    fill(window, qtbot)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    action = window.findChild(QAction, "action_tour")
    assert isinstance(action, QAction)
    action.trigger()
    assert window.tour.active
    return window


def framed(window: MainWindow, target: QWidget) -> bool:
    """Whether the frame lies around `target`, and the card beside it, in the window."""
    card = window.tour.card
    area = QRect(target.mapTo(window, QPoint()), target.size()).intersected(window.rect())
    around = card.frame.geometry() == area.adjusted(-RIM_PX, -RIM_PX, RIM_PX, RIM_PX)
    inside = window.rect().contains(card.geometry())
    apart = not card.geometry().intersects(area) or area.contains(card.geometry())
    return card.isVisible() and card.frame.isVisible() and around and inside and apart


def key(qtbot: QtBot, window: MainWindow, name: Qt.Key) -> None:
    focus = QApplication.focusWidget()
    assert isinstance(focus, TourCard)
    qtbot.keyClick(focus, name)


def test_each_step_points_at_its_widget(qtbot: QtBot, toured: MainWindow) -> None:
    targets = set()
    for step in STEPS:
        target = child(toured, QWidget, step.widget)
        assert target is not toured.tabs, step.title  # what is not found
        qtbot.waitUntil(lambda target=target: framed(toured, target))
        assert step.title in toured.tour.card.title.text()
        assert QApplication.activeModalWidget() is None
        targets.add(target)
        key(qtbot, toured, Qt.Key.Key_Right)
    assert len(targets) == len(STEPS)
    assert not toured.tour.active
    assert not toured.tour.card.isVisible()
    assert not toured.tour.card.frame.isVisible()


def test_arrows_step_and_escape_ends(qtbot: QtBot, toured: MainWindow) -> None:
    card = toured.tour.card
    key(qtbot, toured, Qt.Key.Key_Left)  # nothing before the first
    assert STEPS[0].title in card.title.text()
    assert not card.previous.isEnabled()
    key(qtbot, toured, Qt.Key.Key_Right)
    key(qtbot, toured, Qt.Key.Key_Right)
    key(qtbot, toured, Qt.Key.Key_Left)
    assert STEPS[1].title in card.title.text()
    key(qtbot, toured, Qt.Key.Key_Escape)
    assert not toured.tour.active
    assert not card.isVisible()


def test_buttons_do_the_same(qtbot: QtBot, toured: MainWindow) -> None:
    card = toured.tour.card
    qtbot.mouseClick(card.next, Qt.MouseButton.LeftButton)
    assert STEPS[1].title in card.title.text()
    qtbot.mouseClick(card.previous, Qt.MouseButton.LeftButton)
    assert STEPS[0].title in card.title.text()
    qtbot.mouseClick(card.skip, Qt.MouseButton.LeftButton)
    assert not toured.tour.active


def test_the_window_is_usable_meanwhile(qtbot: QtBot, toured: MainWindow) -> None:
    assert toured.controller is not None
    seed = toured.controller.setup.main.editor("seed")
    seed.setFocus()
    qtbot.keyClicks(seed, "5")
    assert toured.controller.setup.main.values()["seed"] != 0
    assert toured.tour.active


def test_marks_follow_when_the_window_or_the_theme_changes(qtbot: QtBot, toured: MainWindow) -> None:
    for number in (4, 5):
        toured.tour._show(number)
        target = child(toured, QWidget, STEPS[number].widget)
        toured.resize(1000, 640)
        qtbot.waitUntil(lambda target=target: framed(toured, target))
        toured.resize(1280, 800)
        qtbot.waitUntil(lambda target=target: framed(toured, target))
        current_theme().apply("dark")
        qtbot.waitUntil(lambda target=target: framed(toured, target))
        current_theme().apply("light")
    card = toured.tour.card
    assert card.grab().toImage().pixelColor(40, 4).lightness() > 200  # the ground of the light theme


def test_it_follows_a_page_that_is_left(qtbot: QtBot, toured: MainWindow) -> None:
    toured.tour._show(4)
    toured.tabs.setCurrentWidget(toured.data)
    qtbot.waitUntil(lambda: not toured.tour.card.frame.isVisible())
    assert toured.rect().contains(toured.tour.card.geometry())
    toured.show_inspect_page()
    qtbot.waitUntil(lambda: framed(toured, child(toured, QWidget, STEPS[4].widget)))


def test_it_shows_a_set_up_that_was_hidden(qtbot: QtBot, toured: MainWindow) -> None:
    toured._setup_dock.hide()
    toured.tour._show(3)
    qtbot.waitUntil(lambda: framed(toured, child(toured, QWidget, STEPS[3].widget)))


@pytest.mark.parametrize("seen", [False, True])
def test_the_first_start_offers_it_and_later_ones_do_not(
    make_window: Callable[..., MainWindow],
    monkeypatch: pytest.MonkeyPatch,
    preferences: Preferences,
    seen: bool,
) -> None:
    opened: list[bool] = []
    monkeypatch.setattr("pgn_studio.gui.opener.FileOpener.open_demo", lambda _: opened.append(True))
    preferences.tour_seen = seen
    window = make_window()
    assert not window.tour.active  # not by itself: tests and scripts make windows too
    monkeypatch.setattr(window, "build", lambda: window.controller)
    Launcher(window, demo=False)._imported()
    assert window.tour.active is not seen
    assert opened == ([] if seen else [True])
    window.tour.end()
    again = Preferences(QSettings(preferences._settings.fileName(), QSettings.Format.IniFormat))
    preferences._settings.sync()
    assert again.tour_seen
