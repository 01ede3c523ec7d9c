"""Edit > Undo and Redo: the set-up's steps, each by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu

if TYPE_CHECKING:
    from pgn_studio.gui.studio import Studio


class EditMenu(QObject):
    """While a run is under way only γ can go back: the run follows it, and nothing else."""

    def __init__(self, menu: QMenu, studio: Studio) -> None:
        super().__init__(menu)
        self._studio = studio
        self.undo = self._action(menu, "undo", "Ctrl+Z")
        self.redo = self._action(menu, "redo", "Ctrl+Shift+Z", "Ctrl+Y")
        self.undo.triggered.connect(studio.setup.undo.undo)
        self.redo.triggered.connect(studio.setup.undo.redo)
        studio.setup.undo.told.connect(studio.message)
        studio.setup.undo.changed.connect(self._refresh)
        studio.run_state_changed.connect(self._refresh)
        menu.aboutToShow.connect(self._refresh)
        self._refresh()

    def _action(self, menu: QMenu, name: str, *keys: str) -> QAction:
        action = menu.addAction(name.capitalize())
        action.setObjectName(f"action_{name}")
        action.setShortcuts([QKeySequence(key) for key in keys])
        return action

    @Slot()
    def _refresh(self) -> None:
        undo = self._studio.setup.undo
        for action, word, text, redo in (
            (self.undo, "&Undo", undo.undo_text, False),
            (self.redo, "&Redo", undo.redo_text, True),
        ):
            action.setText(f"{word}: {text}" if text else word)
            allowed = not self._studio.session.active or undo.concerns_gamma_only(redo=redo)
            action.setEnabled(bool(text) and allowed and not self._studio.workspace.busy)
