"""What the window remembers from one session to the next."""

from __future__ import annotations

import json
import logging
import os
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtWidgets import QMainWindow

from pgn_studio.core.files import parse_json
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.gui.theme import THEMES, ThemeName

if TYPE_CHECKING:
    from pgn_studio.core.data.dataset import ImageDataset

log = logging.getLogger(__name__)

RecentKind = Literal["datasets", "classifiers", "pgns"]
RECENT_LENGTH = 10
DECLINED_LENGTH = 100
ANSWERS_LENGTH = 100
LARGEST_FILE = 4 * 2**20
_ESCAPE = re.compile(r"\\x([0-9A-Fa-f]+)|\\([0-7]+)")
_CONTINUATION = re.compile(r"\\\r?\n")
_OBJECT = re.compile(r"@\s*(Variant|DataStream)")
LAYOUT_VERSION = 1  # count up when docks change, so that an old layout is not forced on new ones


class Preferences:
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

    @property
    def text_size(self) -> int:
        """Per cent of the system's."""
        stored = str(self._settings.value("text_size", "100"))
        return int(stored) if stored.isascii() and stored.isdigit() and len(stored) < 5 else 100

    @text_size.setter
    def text_size(self, percent: int) -> None:
        self._settings.setValue("text_size", str(percent))

    @property
    def restores_session(self) -> bool:
        """Whether the next start opens what the last one had open."""
        return str(self._settings.value("restore_session", "yes")) != "no"

    @restores_session.setter
    def restores_session(self, wanted: bool) -> None:
        self._settings.setValue("restore_session", "yes" if wanted else "no")

    @property
    def tour_seen(self) -> bool:
        return str(self._settings.value("tour_seen", "no")) == "yes"

    @tour_seen.setter
    def tour_seen(self, seen: bool) -> None:
        self._settings.setValue("tour_seen", "yes" if seen else "no")

    @property
    def session(self) -> str:
        """What was open, as JSON: texts are all that a settings file may hold."""
        return str(self._settings.value("session", ""))

    @session.setter
    def session(self, text: str) -> None:
        self._settings.setValue("session", text)

    def recent(self, kind: RecentKind) -> list[str]:
        """Newest first; entries that no longer exist are left out."""
        return [path for path in self._stored(kind) if Path(path).exists()]

    def add_recent(self, kind: RecentKind, path: str | Path) -> None:
        entry = str(Path(path).absolute())
        others = [other for other in self._stored(kind) if other != entry]
        self._settings.setValue(f"recent/{kind}", [entry, *others][:RECENT_LENGTH])

    def remember_source(self, source: ClassifierSource) -> None:
        """A classifier's file, with what was said of it that it does not say itself.

        Addresses and code have no place among the recent ones.
        """
        if not Path(source.path).is_file():
            return
        self.add_recent("classifiers", source.path)
        path = str(Path(source.path).absolute())
        recent, known = self._stored("classifiers"), {**self.sources(), path: source}
        kept = {name: item.to_json() for name, item in known.items() if name in recent}
        self._settings.setValue("sources", json.dumps(kept))

    def sources(self) -> dict[str, ClassifierSource]:
        """Of the recent classifiers, by their paths."""
        try:
            stored = parse_json(str(self._settings.value("sources", "{}")))
        except ValueError:
            return {}
        told = stored.items() if isinstance(stored, dict) else ()
        found = {path: ClassifierSource.from_json(facts) for path, facts in told if isinstance(facts, dict)}
        return {path: source for path, source in found.items() if source is not None}

    @property
    def declined_runs(self) -> list[str]:
        """Interrupted runs that are not to be offered again."""
        return self._texts("declined")

    def decline_run(self, key: str) -> None:
        others = [other for other in self.declined_runs if other != key]
        self._settings.setValue("declined", [key, *others][:DECLINED_LENGTH])

    def mirrored(self, folder: str) -> bool | None:
        """What the user has said of a data set: whether its mirrored images keep their class."""
        return next((text[0] == "y" for text in self._texts("mirrored") if text[2:] == folder), None)

    def remember_mirrored(self, folder: str, keeps: bool | None) -> None:
        others = [text for text in self._texts("mirrored") if text[2:] != folder]
        own = [] if keeps is None else [f"{'y' if keeps else 'n'} {folder}"]
        self._settings.setValue("mirrored", [*own, *others][:ANSWERS_LENGTH])

    def answered(self, dataset: ImageDataset) -> ImageDataset:
        """With what the user has said of its mirrored images, where it says nothing itself."""
        if dataset.mirrorable is not None:
            return dataset
        return replace(dataset, mirrorable=self.mirrored(dataset.root))

    def save_layout(self, window: QMainWindow) -> None:
        self._settings.setValue("geometry", window.saveGeometry())
        self._settings.setValue("layout", window.saveState(LAYOUT_VERSION))
        self._settings.sync()

    def restore_layout(self, window: QMainWindow) -> bool:
        """False when there is none to restore."""
        geometry, layout = self._settings.value("geometry"), self._settings.value("layout")
        if not isinstance(geometry, QByteArray) or not isinstance(layout, QByteArray):  # none, or damaged
            return False
        return window.restoreGeometry(geometry) and window.restoreState(layout, LAYOUT_VERSION)

    def _stored(self, kind: RecentKind) -> list[str]:
        return self._texts(f"recent/{kind}")

    def _texts(self, key: str) -> list[str]:
        value = self._settings.value(key, [])
        if isinstance(value, str):  # a list of one comes back as its element
            return [value]
        return [str(path) for path in value] if isinstance(value, list) else []


def default_settings() -> QSettings:
    """window.ini in PGN_STUDIO_HOME, else where the platform keeps settings."""
    home = os.environ.get("PGN_STUDIO_HOME")
    if home:
        path = Path(home).expanduser() / "window.ini"
    else:
        usual = QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "pgn-studio", "window")
        path = Path(usual.fileName())
    if holds_objects(path):
        log.warning("%s holds more than texts and is put aside: reading it could run code.", path)
        with suppress(OSError):
            path.replace(path.with_suffix(".refused"))
    return QSettings(str(path), QSettings.Format.IniFormat)


def holds_objects(path: Path) -> bool:
    """Whether a settings file holds what is no text, number or bytes.

    PySide unpickles Python objects in it, which runs what the pickle says. Escapes are resolved as
    Qt does, since Qt looks for objects after resolving them. A file beyond all sense counts too.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError:
        return False
    if len(content) > LARGEST_FILE:
        return True
    text = content.decode("latin-1").replace('"', "").replace("\0", "")
    text = _ESCAPE.sub(_resolved, _CONTINUATION.sub("", text))
    return _OBJECT.search(text) is not None


def _resolved(escape: re.Match[str]) -> str:
    code = int(escape[1], 16) if escape[1] else int(escape[2], 8)
    return chr(code & 0xFFFF)
