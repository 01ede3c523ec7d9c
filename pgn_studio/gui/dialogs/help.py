"""What Help shows: the shortcuts, and which versions of what this is."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from pgn_studio import __version__
from pgn_studio.core.runs import versions
from pgn_studio.gui.commands import Command
from pgn_studio.plugins import plugins

# Keys that belong to no menu's command.
MORE_KEYS = (
    ("Plots: show all", "Ctrl+R, double click"),
    ("Plots: zoom in", "Drag, wheel"),
    ("Runs: open, rename, delete", "Return, F2, Del"),
    ("Inspect: compare with the original", "Space"),
    ("Inspect: larger or smaller images in the gallery", "+, -, Ctrl+wheel"),
    ("Inspect: search file names", "/"),
)


class ShortcutsDialog(QDialog):
    """Every shortcut of the menus, and those of the pages."""

    def __init__(self, commands: Sequence[Command], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("shortcuts_dialog")
        self.setWindowTitle("Keyboard shortcuts")
        rows = [(command.title, command.keys) for command in commands if command.keys]
        self.table = _table([*rows, *MORE_KEYS], "Keyboard shortcuts", self)
        _finish(self, self.table)
        self.resize(520, 520)


class AboutDialog(QDialog):
    """The versions that a result depends on, ready to copy into a report."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("about_dialog")
        self.setWindowTitle("About PGN Studio")
        title = QLabel(f"PGN Studio {__version__}", self)
        title.setProperty("role", "heading")
        text = QLabel(
            "Perturbation generation networks: images changed a little, so that a frozen classifier "
            "is right, or wrong, more often.",
            self,
        )
        text.setWordWrap(True)
        self._versions = versions()
        self.table = _table(list(self._versions.items()), "Versions", self)
        self._broken = [str(plugin) for plugin in plugins() if plugin.reason]
        self.problems = QLabel("\n".join(["Plug-ins that are left out:", *self._broken]), self)
        self.problems.setTextFormat(Qt.TextFormat.PlainText)
        self.problems.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.problems.setWordWrap(True)
        self.problems.setVisible(bool(self._broken))
        buttons = _finish(self, title, text, self.table, self.problems)
        copy = buttons.addButton("Copy", QDialogButtonBox.ButtonRole.ActionRole)
        copy.setObjectName("copy_versions_button")
        copy.setAutoDefault(False)
        copy.clicked.connect(self._copy)
        self.resize(480, 400)

    def _copy(self) -> None:
        lines = [f"pgn-studio {__version__}", *(f"{name} {value}" for name, value in self._versions.items())]
        QGuiApplication.clipboard().setText("\n".join([*lines, *self._broken]))


def _table(rows: Sequence[tuple[str, str]], name: str, parent: QWidget) -> QTableView:
    model = QStandardItemModel(0, 2, parent)
    for row in rows:
        model.appendRow([QStandardItem(text) for text in row])
    table = QTableView(parent)
    table.setAccessibleName(name)
    table.setModel(model)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setShowGrid(False)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.horizontalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + 8)
    table.verticalHeader().hide()
    table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
    table.horizontalHeader().setStretchLastSection(True)
    return table


def _finish(dialog: QDialog, *parts: QWidget) -> QDialogButtonBox:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, dialog)
    buttons.rejected.connect(dialog.reject)
    buttons.button(QDialogButtonBox.StandardButton.Close).setDefault(True)
    layout = QVBoxLayout(dialog)
    for part in (*parts, buttons):
        layout.addWidget(part)
    return buttons
