"""Every command of a window's menus, for the palette and the list of shortcuts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar


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
