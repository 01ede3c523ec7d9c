"""View > Text size: larger, smaller, and each size by its number."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu

from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.theme import TEXT_SIZES, current_theme

NORMAL = 100


class TextSizeMenu(QObject):
    """All texts at 80 to 200 % of the system's size; remembered."""

    def __init__(self, menu: QMenu, state: Preferences) -> None:
        super().__init__(menu)
        self._state = state
        larger = self._action(menu, "Larger", "Ctrl++", "Ctrl+=")
        smaller = self._action(menu, "Smaller", "Ctrl+-")
        normal = self._action(menu, "Normal", "Ctrl+0")
        larger.triggered.connect(self._enlarge)
        smaller.triggered.connect(self._shrink)
        normal.triggered.connect(self._reset)
        menu.addSeparator()
        self._sizes = QActionGroup(menu)
        for size in TEXT_SIZES:
            action = self._sizes.addAction(f"{size} %")
            action.setObjectName(f"text_size_{size}")
            action.setCheckable(True)
            action.setData(size)
            menu.addAction(action)
        self._sizes.triggered.connect(self._chosen)
        current_theme().changed.connect(self._refresh)
        self._refresh()

    def _action(self, menu: QMenu, text: str, *keys: str) -> QAction:
        action = menu.addAction(text)
        action.setObjectName(f"action_text_{text.lower()}")
        action.setShortcuts([QKeySequence(key) for key in keys])
        return action

    def _set(self, size: int) -> None:
        current_theme().set_text_size(size)
        self._state.text_size = current_theme().text_size

    def _step(self, steps: int) -> None:
        place = TEXT_SIZES.index(current_theme().text_size) + steps
        self._set(TEXT_SIZES[min(max(place, 0), len(TEXT_SIZES) - 1)])

    @Slot()
    def _enlarge(self) -> None:
        self._step(1)

    @Slot()
    def _shrink(self) -> None:
        self._step(-1)

    @Slot()
    def _reset(self) -> None:
        self._set(NORMAL)

    @Slot(QAction)
    def _chosen(self, action: QAction) -> None:
        self._set(int(action.data()))

    @Slot()
    def _refresh(self) -> None:
        for action in self._sizes.actions():
            action.setChecked(action.data() == current_theme().text_size)
