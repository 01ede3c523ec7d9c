"""Every control of every page and dialog has a name for screen readers, and words that explain it."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QComboBox,
    QDialogButtonBox,
    QLabel,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from pgn_studio.gui.main_window import MainWindow
from tests.gui.walking import controls, dialogs, fill, pages, place


def name_of(control: QWidget) -> str:
    """What a screen reader says: the accessible name, the button's text, or its label's."""
    if control.accessibleName() or isinstance(control, QComboBox):  # Qt gives a combo's text for its name
        return control.accessibleName() or label_of(control)
    return str(QAccessible.queryAccessibleInterface(control).text(QAccessible.Text.Name))


def label_of(control: QWidget) -> str:
    labels = control.window().findChildren(QLabel)
    return next((label.text() for label in labels if label.buddy() is control), "")


def explains_itself(control: QWidget) -> bool:
    """What only shows something, and the worded buttons of a dialog, need no tooltip."""
    if isinstance(control, QPlainTextEdit):
        return control.isReadOnly()
    if isinstance(control, QPushButton) and isinstance(control.parent(), QDialogButtonBox | QMessageBox):
        return len(control.text()) > 1
    return isinstance(control, QAbstractItemView | QProgressBar)


def every_control(window: MainWindow) -> Iterator[QWidget]:
    shown = list(pages(window))
    assert len(shown) == 5
    for top in (window, *dialogs(window)):
        yield from controls(top)


def test_every_control_has_an_accessible_name(window: MainWindow, qtbot: QtBot) -> None:
    fill(window, qtbot)
    found = list(every_control(window))
    assert len(found) > 150
    assert sorted({place(control) for control in found if not name_of(control).strip()}) == []


def test_a_name_is_more_than_a_sign(window: MainWindow, qtbot: QtBot) -> None:
    fill(window, qtbot)
    buttons = [item for item in every_control(window) if isinstance(item, QAbstractButton)]
    signs = [place(item) for item in buttons if not any(letter.isalpha() for letter in name_of(item))]
    assert sorted(set(signs)) == []


def test_what_does_not_explain_itself_has_a_tooltip(window: MainWindow, qtbot: QtBot) -> None:
    fill(window, qtbot)
    silent = {
        place(control)
        for control in every_control(window)
        if not explains_itself(control) and not control.toolTip()
    }
    assert sorted(silent) == []
