"""The command palette: type a few letters of any menu's command, press Return."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QKeyEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QAbstractItemView, QDialog, QLineEdit, QTreeView, QVBoxLayout, QWidget

from pgn_studio.gui.commands import Command

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
        self.query.setToolTip("Words of a command in any order; arrows choose, Return runs")
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
