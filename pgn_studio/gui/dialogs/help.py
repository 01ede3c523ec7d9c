"""Every command of the menus: the palette and the list of shortcuts; and About."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QAction, QGuiApplication, QKeyEvent, QKeySequence, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QMenuBar,
    QTableView,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from pgn_studio import __version__
from pgn_studio.core.runs import versions
from pgn_studio.plugins import plugins


@dataclass(frozen=True)
class Command:
    """`title` with the menus that lead to it: "View > Theme > Dark"."""

    title: str
    action: QAction

    @property
    def keys(self) -> str:
        return self.action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)

    def matches(self, query: str) -> bool:
        """Whether each word of `query` is in the title, in any order."""
        return all(word in self.title.casefold() for word in query.casefold().split())


def commands_of(bar: QMenuBar) -> list[Command]:
    """All, in the menus' order."""
    return [command for action in bar.actions() for command in _below(action, ())]


def _below(action: QAction, above: tuple[str, ...]) -> Iterator[Command]:
    path = (*above, action.text().replace("&", "").rstrip("…"))
    menu = action.menu()
    if isinstance(menu, QMenu):
        menu.aboutToShow.emit()  # those that are filled when they open
        for inner in menu.actions():
            yield from _below(inner, path)
    elif action.text() and not action.isSeparator():
        yield Command(" > ".join(path), action)


_WIDTH_PX, _HEIGHT_PX = 520, 380
_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class CommandPalette(QDialog):
    """Runs the chosen command after it has closed. Commands that do not work now are left out."""

    def __init__(self, commands: Sequence[Command], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("command_palette")
        self.setWindowTitle("Commands")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._commands = [command for command in commands if command.action.isEnabled()]
        self._shown: list[Command] = []
        self.query = QLineEdit(self)
        self.query.setObjectName("palette_query")
        self.query.setAccessibleName("Command")
        self.query.setToolTip("Words of a command in any order. Arrows choose, Return runs it.")
        self.query.setPlaceholderText("Type a few letters of a command")
        self.query.installEventFilter(self)
        self._model = QStandardItemModel(0, 2, self)
        self.list = QTreeView(self)
        self.list.setObjectName("palette_list")
        self.list.setAccessibleName("Commands")
        self.list.setModel(self._model)
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.addWidget(self.query)
        layout.addWidget(self.list, 1)
        self.resize(_WIDTH_PX, _HEIGHT_PX)
        self.query.textChanged.connect(self._search)
        self.query.returnPressed.connect(self._run)
        self.list.clicked.connect(self._run)
        self._search("")
        self.list.setColumnWidth(0, _WIDTH_PX - 150)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrows move in the list while the keyboard is in the line."""
        if watched is self.query and isinstance(event, QKeyEvent) and event.key() in _MOVES:
            if event.type() is QEvent.Type.KeyPress:
                self.list.keyPressEvent(event)
            return True
        return super().eventFilter(watched, event)

    @Slot(str)
    def _search(self, text: str) -> None:
        self._shown = [command for command in self._commands if command.matches(text)]
        self._model.setRowCount(0)
        for command in self._shown:
            self._model.appendRow([QStandardItem(command.title), QStandardItem(command.keys)])
        self.list.setCurrentIndex(self._model.index(0, 0))

    @Slot()
    def _run(self, *_: object) -> None:
        row = self.list.currentIndex().row()
        if not 0 <= row < len(self._shown):
            return
        action = self._shown[row].action
        self.accept()
        action.trigger()


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
