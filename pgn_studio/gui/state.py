"""What the window remembers from one session to the next."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QMainWindow

from pgn_studio.gui.theme import THEMES, ThemeName

RecentKind = Literal["datasets", "classifiers", "pgns"]
RECENT_LENGTH = 10
LAYOUT_VERSION = 1  # count up when docks change, so that an old layout is not forced on new ones


class SessionState:
    """Geometry, layout, theme and recent lists in one settings file."""

    def __init__(self, settings: QSettings | None = None) -> None:
        self._settings = settings if settings is not None else default_settings()

    @property
    def theme(self) -> ThemeName:
        stored = str(self._settings.value("theme", "system"))
        return next((name for name in THEMES if name == stored), "system")

    @theme.setter
    def theme(self, name: ThemeName) -> None:
        self._settings.setValue("theme", name)

    def recent(self, kind: RecentKind) -> list[str]:
        """Newest first; entries that no longer exist are left out."""
        return [path for path in self._stored(kind) if Path(path).exists()]

    def add_recent(self, kind: RecentKind, path: str | Path) -> None:
        entry = str(Path(path).absolute())
        others = [other for other in self._stored(kind) if other != entry]
        self._settings.setValue(f"recent/{kind}", [entry, *others][:RECENT_LENGTH])

    def save_layout(self, window: QMainWindow) -> None:
        self._settings.setValue("geometry", window.saveGeometry())
        self._settings.setValue("layout", window.saveState(LAYOUT_VERSION))
        self._settings.sync()

    def restore_layout(self, window: QMainWindow) -> bool:
        """False when there is none to restore."""
        geometry, layout = self._settings.value("geometry"), self._settings.value("layout")
        if geometry is None or layout is None:
            return False
        return window.restoreGeometry(geometry) and window.restoreState(layout, LAYOUT_VERSION)

    def _stored(self, kind: RecentKind) -> list[str]:
        value = self._settings.value(f"recent/{kind}", [])
        if isinstance(value, str):  # a list of one comes back as its element
            return [value]
        return [str(path) for path in value] if isinstance(value, list) else []


def default_settings() -> QSettings:
    """window.ini in PGN_STUDIO_HOME, else where the platform keeps settings."""
    home = os.environ.get("PGN_STUDIO_HOME")
    if home:
        return QSettings(str(Path(home).expanduser() / "window.ini"), QSettings.Format.IniFormat)
    return QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "pgn-studio", "window")
