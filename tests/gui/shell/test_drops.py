"""Files dropped anywhere: wherever the pointer is on a page, the window takes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from pgn_studio.gui.main_window import MainWindow
from tests.gui.shell.walking import controls, fill, place


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
    studio = window.studio
    assert studio is not None
    opened: list[Path] = []
    monkeypatch.setattr(studio, "open_path", opened.append)
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
