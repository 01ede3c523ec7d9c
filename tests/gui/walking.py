"""Every page and dialog of a window, and every control on them, for tests that walk through all."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QDialog,
    QHeaderView,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QScrollBar,
    QTabBar,
    QTextEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot

from pgn_studio.core.evaluation.selection import Selection
from pgn_studio.gui.dialogs.error import ErrorDialog
from pgn_studio.gui.dialogs.help import AboutDialog, CommandPalette, ShortcutsDialog, commands_of
from pgn_studio.gui.dialogs.open_classifier import BlackBoxDialog, ClassifierSourceDialog
from pgn_studio.gui.dialogs.questions import ClosingDialog, MoreEpochsDialog
from pgn_studio.gui.dialogs.train_classifier import TrainClassifierDialog
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.pages.inspect.export_dialog import ExportDialog, Offered
from tests.studies import make_study

CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QTextEdit,
)
PARTS_OF_CONTROLS = (QAbstractSpinBox, QComboBox, QHeaderView, QAbstractItemView, QLineEdit, QTabBar)


def fill(window: MainWindow, qtbot: QtBot) -> None:
    """Something to inspect, small enough to be there at once."""
    controller = window.controller
    assert controller is not None
    with qtbot.waitSignal(controller.inspect_page.sample_shown, timeout=20_000):
        make_study().show_on(controller.inspect_page)


def pages(window: MainWindow) -> Iterator[QWidget]:
    """Each page in front in its turn, with everything that folds opened."""
    for number in range(window.tabs.count()):
        window.tabs.setCurrentIndex(number)
        yield window.tabs.widget(number)


def dialogs(window: MainWindow) -> list[QDialog]:
    """One of each of the program's dialogs, not shown; they go with the window."""
    controller = window.controller
    assert controller is not None
    project = controller.project
    assert project.dataset is not None
    subject = controller.inspect_page._subject
    assert subject is not None
    commands = commands_of(window.menuBar())
    return [
        ErrorDialog("Title", "Message", "Hint", "Details", window),
        BlackBoxDialog(16, window),
        ClassifierSourceDialog("file.pth", 16, window),
        ClosingDialog(window),
        MoreEpochsDialog(3, window),
        ShortcutsDialog(commands, window),
        AboutDialog(window),
        CommandPalette(commands, window),
        MoreEpochsDialog(3, window),
        TrainClassifierDialog(project.dataset, project.data_settings, window),
        ExportDialog(Offered(subject, (0,), Selection(), 1), window),
    ]


def controls(top: QWidget) -> Iterator[QWidget]:
    """What people operate below `top`; not the inner parts that Qt's own controls are made of."""
    for widget in top.findChildren(QWidget):
        if isinstance(widget, CONTROLS) and not _is_part(widget):
            yield widget


def place(widget: QWidget) -> str:
    """Where it is, for a list of what is wrong: "SetupPanel > QPushButton#start_button 'Start'"."""
    parent = widget.parentWidget()
    while parent is not None and type(parent).__module__.startswith("PySide6"):
        parent = parent.parentWidget()
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    above = type(parent).__name__ if parent is not None else ""
    return f"{above} > {type(widget).__name__}#{widget.objectName()} {text!r}"


def _is_part(widget: QWidget) -> bool:
    if isinstance(widget, QScrollBar | QHeaderView) or widget.objectName().startswith("qt_"):
        return True
    above = widget.parentWidget()
    while above is not None and not isinstance(above, QMessageBox):
        if isinstance(above, PARTS_OF_CONTROLS) or type(above).__name__ in ("QComboBoxPrivateContainer",):
            return True
        above = above.parentWidget()
    return False
