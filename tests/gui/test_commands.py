"""The command palette, the list of shortcuts and About."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from pgn_studio import __version__
from pgn_studio.core import paths, plugins
from pgn_studio.gui.dialogs.error import ErrorDialog
from pgn_studio.gui.dialogs.help import AboutDialog, CommandPalette, ShortcutsDialog, commands_of
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.pages.setup.cards import DataCard
from pgn_studio.gui.theme import current_theme
from tests.gui.driving import child


def palette_of(qtbot: QtBot, window: MainWindow) -> CommandPalette:
    qtbot.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.findChild(CommandPalette) is not None)
    palette = window.findChild(CommandPalette)
    assert palette is not None
    return palette


def test_no_shortcut_is_taken_twice(shown: MainWindow) -> None:
    keys = Counter(command.keys for command in commands_of(shown.menuBar()) if command.keys)
    assert [key for key, count in keys.items() if count > 1] == []
    assert {"Ctrl+K", "?", "Ctrl+3"} <= set(keys)


def test_the_palette_finds_and_runs(qtbot: QtBot, shown: MainWindow) -> None:
    palette = palette_of(qtbot, shown)
    qtbot.keyClicks(palette.query, "dark theme")
    assert [command.title for command in palette._shown] == ["View > Theme > Dark"]
    qtbot.keyClick(palette.query, Qt.Key.Key_Return)
    assert current_theme().is_dark
    current_theme().apply("light")


def test_arrows_choose_while_one_types(qtbot: QtBot, shown: MainWindow) -> None:
    palette = palette_of(qtbot, shown)
    qtbot.keyClicks(palette.query, "theme")
    titles = [command.title for command in palette._shown]
    assert len(titles) == 3
    qtbot.keyClick(palette.query, Qt.Key.Key_Down)
    qtbot.keyClick(palette.query, Qt.Key.Key_Down)
    qtbot.keyClick(palette.query, Qt.Key.Key_Return)
    assert current_theme().name == titles[2].rsplit(" ", 1)[-1].lower()
    current_theme().apply("light")


def test_nothing_happens_without_a_match_and_what_cannot_be_done_is_left_out(
    qtbot: QtBot, shown: MainWindow
) -> None:
    palette = palette_of(qtbot, shown)
    assert not [command for command in palette._shown if command.title == "Run > Start"]
    qtbot.keyClicks(palette.query, "no such command")
    qtbot.keyClick(palette.query, Qt.Key.Key_Return)
    assert palette.isVisible()
    qtbot.keyClick(palette.query, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: shown.findChild(CommandPalette) is None)


def test_a_question_mark_lists_the_shortcuts_but_can_be_typed(qtbot: QtBot, shown: MainWindow) -> None:
    search = shown.findChild(QLineEdit, "runs_search")
    assert search is not None
    shown.tabs.setCurrentWidget(shown.runs.page)
    search.setFocus()
    qtbot.keyClick(search, "?")
    assert search.text() == "?"
    assert shown.findChild(ShortcutsDialog) is None
    child(shown, QAction, "action_keyboard_shortcuts").trigger()
    dialog = shown.findChild(ShortcutsDialog)
    assert dialog is not None
    model = dialog.table.model()
    rows = {model.index(row, 0).data(): model.index(row, 1).data() for row in range(model.rowCount())}
    assert rows["File > Open classifier"] == "Ctrl+L"
    assert rows["Help > Keyboard shortcuts"] == "?"
    dialog.reject()


def test_about_gives_versions_to_copy(qtbot: QtBot, shown: MainWindow) -> None:
    child(shown, QAction, "action_about_pgn_studio").trigger()
    dialog = shown.findChild(AboutDialog)
    assert dialog is not None
    button = dialog.findChild(QPushButton, "copy_versions_button")
    assert button is not None
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    copied = QGuiApplication.clipboard().text()
    assert copied.startswith(f"pgn-studio {__version__}\n")
    assert "\ntorch " in copied
    dialog.reject()


def test_about_lists_plugins_that_cannot_be_used(shown: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("odd", "not_there:Any", "pgn_studio.baselines")
    monkeypatch.setattr(plugins, "_installed", lambda: {"baselines": (point,)})
    child(shown, QAction, "action_about_pgn_studio").trigger()
    dialog = shown.findChild(AboutDialog)
    assert dialog is not None
    assert dialog.problems.isVisible()
    assert "odd" in dialog.problems.text()
    assert "not_there" in dialog.problems.text()
    dialog.reject()


def test_a_data_set_of_another_package_is_in_the_list(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("mine", "not_there:Any", "pgn_studio.datasets")
    monkeypatch.setattr(plugins, "_installed", lambda: {"datasets": (point,)})
    card = DataCard()
    qtbot.addWidget(card)
    assert card.combo.findData("mine") > card.combo.findData("digits")


def test_f1_opens_the_documentation_or_says_how_to_build_it(
    qtbot: QtBot, shown: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "pgn_studio")
    qtbot.keyClick(shown, Qt.Key.Key_F1)
    dialog = shown.findChild(ErrorDialog)
    assert dialog is not None
    assert "make docs" in dialog.hint.text()
    dialog.close()
    page = tmp_path / "site" / "index.html"
    page.parent.mkdir()
    page.write_text("")
    qtbot.keyClick(shown, Qt.Key.Key_F1)
    assert opened == [page.as_posix()]
