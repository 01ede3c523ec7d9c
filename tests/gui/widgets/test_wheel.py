"""The wheel scrolls; it changes an input only where that has the keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QScrollArea,
    QScrollBar,
    QSpinBox,
    QWidget,
)
from pytestqt.qtbot import QtBot

from pgn_studio.gui.main_window import MainWindow
from tests.gui.driving import controller_of
from tests.gui.walking import dialogs, fill, pages, place

DOWN, UP = -120, 120


def roll(widget: QWidget, angle: int) -> None:
    """Also of a page that is not in front."""
    middle = QPointF(widget.rect().center())
    none = Qt.KeyboardModifier.NoModifier
    event = QWheelEvent(
        middle, QPointF(widget.mapToGlobal(middle)), QPoint(), QPoint(0, angle),
        Qt.MouseButton.NoButton, none, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)


def inputs(top: QWidget) -> list[QWidget]:
    kinds = (QComboBox, QAbstractSpinBox, QAbstractSlider)
    return [
        widget
        for widget in top.findChildren(QWidget)
        if isinstance(widget, kinds) and not isinstance(widget, QScrollBar)
    ]


def value(widget: QWidget) -> Any:
    if isinstance(widget, QComboBox):
        return widget.currentIndex(), widget.currentText()
    assert isinstance(widget, QSpinBox | QDoubleSpinBox | QAbstractSlider)
    return widget.value()


def changed_by_the_wheel(top: QWidget) -> list[str]:
    found = []
    for widget in inputs(top):
        line = widget.findChild(QLineEdit)  # of a spin box and an editable list: the pointer is over it
        before = value(widget)
        for target in (widget, line):
            for angle in (DOWN, UP, UP):
                if target is not None and not widget.hasFocus():
                    roll(target, angle)
                    if value(widget) != before:
                        found.append(place(widget))
        if widget.focusPolicy() is Qt.FocusPolicy.WheelFocus:
            found.append(f"{place(widget)}: the wheel gives it the keyboard")
    return sorted(set(found))


def test_no_input_of_any_page_or_dialog_is_changed_without_the_keyboard(
    window: MainWindow, qtbot: QtBot
) -> None:
    fill(window, qtbot)
    found, seen = [], 0
    for _page in pages(window):
        QApplication.processEvents()
        window.setFocus()
        seen += len(inputs(window))
        found += changed_by_the_wheel(window)
    for dialog in dialogs(window):
        seen += len(inputs(dialog))
        found += changed_by_the_wheel(dialog)
    assert seen > 100
    assert found == []


def test_the_set_up_scrolls_under_the_wheel_wherever_the_pointer_is(window: MainWindow, qtbot: QtBot) -> None:
    setup = controller_of(window).setup
    window.resize(window.width(), 500)
    QApplication.processEvents()
    area = setup.findChild(QScrollArea)
    assert area is not None
    bar = area.verticalScrollBar()
    for widget in (setup.main.editor("device"), setup.main.editor("epochs"), setup.gamma._slider):
        area.ensureWidgetVisible(widget)
        before, at = value(widget), bar.value()
        QApplication.processEvents()
        here = QPointF(widget.mapTo(window, widget.rect().center()))
        QTest.wheelEvent(window.windowHandle(), here, QPoint(0, UP if at else DOWN))
        assert bar.value() != at, widget.objectName()
        assert value(widget) == before
        assert not widget.hasFocus()


@pytest.mark.parametrize(("name", "angle"), [("loss", DOWN), ("epochs", UP)])
def test_what_has_the_keyboard_follows_the_wheel(
    shown: MainWindow, qtbot: QtBot, name: str, angle: int
) -> None:
    widget = controller_of(shown).setup.main.editor(name)
    widget.setFocus()
    qtbot.waitUntil(widget.hasFocus)
    before = value(widget)
    roll(widget, angle)
    assert value(widget) != before


def test_the_wheel_over_the_tabs_changes_no_page(shown: MainWindow) -> None:
    bar = shown.tabs.tabBar()
    for angle in (DOWN, UP):
        roll(bar, angle)
        assert shown.tabs.currentIndex() == 0
