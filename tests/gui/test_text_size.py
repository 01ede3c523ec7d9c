"""Texts from 80 to 200 % of the system's size: by key and menu, remembered, nothing cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QEvent, QSettings, Qt
from PySide6.QtGui import QAction, QFont, QTextDocument
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QScrollArea,
    QStyle,
    QStyleOptionComboBox,
    QTabBar,
    QTableView,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.pages.train.preview_strip import PreviewStrip
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.theme import TEXT_SIZES, current_theme, system_font
from tests.gui.driving import child
from tests.gui.walking import dialogs, fill, pages, place

# Known: at 200 % these lines of Inspect lose their end where the window is no wider than it must be.
LONG_LINES = {"pixel-readout", "image-title"}
SHORT_CHOICES = {"gamma_kind"}  # known: "One value" loses its end where the dock is no wider than at first
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture(autouse=True)
def _usual_size_again(qapp: QApplication) -> Iterator[None]:
    yield
    current_theme().set_text_size(100)


def test_keys_step_through_the_sizes_and_texts_follow(
    qtbot: QtBot, make_window: Callable[..., MainWindow], preferences: Preferences
) -> None:
    window = make_window()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    label = window.findChild(QLabel, "dataset_summary")
    assert isinstance(label, QLabel)
    usual = label.fontMetrics().height()
    for _ in range(len(TEXT_SIZES)):
        qtbot.keyClick(window, Qt.Key.Key_Plus, CONTROL)
    assert current_theme().text_size == 200
    assert child(window, QAction, "text_size_200").isChecked()
    assert label.fontMetrics().height() == pytest.approx(2 * usual, abs=2)
    assert preferences.text_size == 200
    qtbot.keyClick(window, Qt.Key.Key_Minus, CONTROL)
    assert current_theme().text_size == 175
    qtbot.keyClick(window, Qt.Key.Key_0, CONTROL)
    assert current_theme().text_size == 100
    assert label.fontMetrics().height() == usual
    child(window, QAction, "text_size_80").trigger()
    assert label.fontMetrics().height() < usual


def test_headings_grow_with_the_rest(make_window: Callable[..., MainWindow]) -> None:
    window = make_window()
    heading = QLabel("A heading", window)
    heading.setProperty("role", "heading")
    heading.show()
    before = heading.fontMetrics().height()
    current_theme().set_text_size(200)
    assert heading.fontMetrics().height() == pytest.approx(2 * before, abs=2)


def test_the_size_is_remembered_and_a_damaged_one_is_not(preferences: Preferences) -> None:
    preferences.text_size = 150
    preferences._settings.sync()
    again = Preferences(QSettings(preferences._settings.fileName(), QSettings.Format.IniFormat))
    assert again.text_size == 150
    for wrong in ("large", "", "-5", "9" * 50):
        preferences._settings.setValue("text_size", wrong)
        assert preferences.text_size == 100


def test_the_system_s_font_is_followed(
    make_window: Callable[..., MainWindow], monkeypatch: pytest.MonkeyPatch
) -> None:
    window = make_window()
    current_theme().set_text_size(150)
    larger = QFont(system_font())
    larger.setPointSizeF(2 * larger.pointSizeF())
    monkeypatch.setattr("pgn_studio.gui.theme.system_font", lambda: QFont(larger))
    QApplication.sendEvent(window, QEvent(QEvent.Type.ThemeChange))
    assert QApplication.font().pointSizeF() == pytest.approx(1.5 * larger.pointSizeF())


def cut_off(top: QWidget) -> list[str]:
    """Visible labels, buttons and tabs whose text has no room; those with the whole text as tooltip may."""
    found = []
    for kind in (QLabel, QAbstractButton, QTabBar):
        for widget in top.findChildren(kind):
            known = current_theme().text_size > 100 and widget.objectName() in LONG_LINES
            if widget.isVisibleTo(top) and not known and not _scrolled(widget, top) and _is_cut(widget):
                found.append(f"{place(widget)}: {widget.size().toTuple()} of {widget.sizeHint().toTuple()}")
    return found


def _is_cut(widget: QWidget) -> bool:
    if isinstance(widget, QTabBar):
        return any(isinstance(item, QToolButton) and item.isVisible() for item in widget.children())
    wanted, size = widget.sizeHint(), widget.size()
    if isinstance(widget, QLabel):
        if widget.wordWrap():
            return widget.heightForWidth(size.width()) > size.height() + 1
        if widget.pixmap().isNull() and _plain(widget.text()) and _plain(widget.text()) in widget.toolTip():
            return wanted.height() > size.height() + 1
    return wanted.width() > size.width() + 1 or wanted.height() > size.height() + 1


def _plain(text: str) -> str:
    document = QTextDocument()
    document.setHtml(text)
    return document.toPlainText()


def _scrolled(widget: QWidget, top: QWidget) -> bool:
    above = widget.parentWidget()
    while above is not None and above is not top:
        if isinstance(above, QScrollArea):
            return True
        above = above.parentWidget()
    return False


@pytest.mark.parametrize(("percent", "width", "height"), [(100, 1280, 800), (200, 1900, 960)])
def test_nothing_is_cut_off(window: MainWindow, qtbot: QtBot, percent: int, width: int, height: int) -> None:
    """At 200 % the window needs more than 1280 x 800, and does not get smaller."""
    fill(window, qtbot)
    current_theme().set_text_size(percent)
    window.resize(width, height)
    found = {}
    for page in pages(window):
        QApplication.processEvents()
        found[page.objectName()] = cut_off(window)
    assert (window.width(), window.height()) == (width, height)
    for dialog in dialogs(window):
        dialog.show()
        dialog.resize(dialog.sizeHint())  # Qt keeps it within two thirds of the screen, a small one here
        QApplication.processEvents()
        found[dialog.objectName()] = cut_off(dialog)
        assert dialog.width() <= width, dialog.objectName()
        dialog.hide()
    assert {name: items for name, items in found.items() if items} == {}


@pytest.mark.parametrize("percent", [110, 125, 150, 200])
def test_no_row_is_cut_where_texts_grow_in_an_open_window(
    window: MainWindow, qtbot: QtBot, percent: int
) -> None:
    """What is as high as its texts when it is made must follow them later."""
    fill(window, qtbot)
    current_theme().set_text_size(percent)
    seen = 0
    for _page in pages(window):
        QApplication.processEvents()
        for table in window.findChildren(QTableView):
            line = table.fontMetrics().height()
            assert table.verticalHeader().defaultSectionSize() >= line, place(table)
            seen += 1
    splits = window.classifier.page.splits
    window.tabs.setCurrentWidget(window.classifier.page)
    qtbot.waitUntil(splits.isVisible)
    QApplication.processEvents()
    assert splits.model().rowCount() == 3
    assert splits.verticalScrollBar().maximum() == 0
    gamma = child(window, QLineEdit, "gamma_number")
    assert gamma.width() >= gamma.fontMetrics().horizontalAdvance("0.000126") + 8
    strip = child(window, PreviewStrip, "preview_strip")
    assert strip._caption_height() >= strip.fontMetrics().height()
    assert seen >= 5


def test_choices_are_read_whole(window: MainWindow, qtbot: QtBot) -> None:
    fill(window, qtbot)
    window.resize(1280, 800)
    found = []
    for _page in pages(window):
        QApplication.processEvents()
        for box in window.findChildren(QComboBox):
            if box.isVisible() and box.objectName() not in SHORT_CHOICES and _needs(box) > _room(box):
                found.append(f"{place(box)}: {_room(box)} of {_needs(box)}")
    assert found == []


def _needs(box: QComboBox) -> int:
    return max((box.fontMetrics().horizontalAdvance(box.itemText(n)) for n in range(box.count())), default=0)


def _room(box: QComboBox) -> int:
    option = QStyleOptionComboBox()
    box.initStyleOption(option)
    edit = QStyle.SubControl.SC_ComboBoxEditField
    return box.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, edit, box).width()
