"""Finding image files below a folder, fast: one os.scandir a folder, one stat a file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from pgn_studio.core.data.dataset import SkippedFile
from pgn_studio.core.data.images import IMAGE_SUFFIXES
from pgn_studio.core.errors import DataError

_SYSTEM_FOLDERS = frozenset({"__MACOSX", "$RECYCLE.BIN", "System Volume Information"})


class FoundFile(NamedTuple):
    name: str  # relative to the root, with "/"
    size: int  # bytes
    mtime_ns: int


class FolderScan:
    """Lists what lies below `root`; hidden entries and files that are no images are passed over.

    What looks like an image or a folder and cannot be had goes to `skipped`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.skipped: list[SkippedFile] = []

    def folders(self, relative: str = "") -> list[str]:
        """Names of the visible folders directly in `relative`, sorted. Raises DataError if it can't."""
        try:
            with os.scandir(self.root / relative) as entries:
                return sorted(entry.name for entry in entries if self._is_folder(entry, relative))
        except OSError as error:
            raise DataError(
                f"Folder {self.root / relative} cannot be listed: {error.strerror or error}.",
                hint="Check the folder's permissions.",
            ) from error

    def images(self, relative: str) -> list[FoundFile]:
        """All image files below `relative`, at any depth, in the order of their names."""
        found: list[FoundFile] = []
        self._collect(relative, found, ())
        return found

    def has_images(self, relative: str = "") -> bool:
        """Whether image files lie directly in `relative`."""
        try:
            with os.scandir(self.root / relative) as entries:
                return any(_looks_like_image(entry.name) for entry in entries)
        except OSError:
            return False

    def _collect(self, relative: str, found: list[FoundFile], above: tuple[tuple[int, int], ...]) -> None:
        """Depth first; `above` holds the (device, inode) of the folders around, to see loops."""
        try:
            status = os.stat(self.root / relative)
            if (status.st_dev, status.st_ino) in above:
                self.skipped.append(SkippedFile(relative, "a link back to a folder around it"))
                return
            with os.scandir(self.root / relative) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            self._skip(relative, error)
            return
        for entry in entries:
            if self._is_folder(entry, relative):
                inner = (*above, (status.st_dev, status.st_ino))
                self._collect(f"{relative}/{entry.name}", found, inner)
            elif _looks_like_image(entry.name):
                self._add(entry, f"{relative}/{entry.name}", found)

    def _add(self, entry: os.DirEntry[str], name: str, found: list[FoundFile]) -> None:
        try:
            status = entry.stat()
        except OSError as error:
            self._skip(name, error)
            return
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            self.skipped.append(SkippedFile(name, "not a regular file"))
        elif status.st_size == 0:
            self.skipped.append(SkippedFile(name, "empty file"))
        else:
            found.append(FoundFile(name, status.st_size, status.st_mtime_ns))

    def _is_folder(self, entry: os.DirEntry[str], relative: str) -> bool:
        if entry.name.startswith(".") or entry.name in _SYSTEM_FOLDERS:
            return False
        try:
            return entry.is_dir()
        except OSError as error:  # a link to itself
            if not _looks_like_image(entry.name):
                self._skip(f"{relative}/{entry.name}".lstrip("/"), error)
            return False

    def _skip(self, relative: str, error: OSError) -> None:
        self.skipped.append(SkippedFile(relative, error.strerror or str(error)))


def _looks_like_image(name: str) -> bool:
    stem, _, suffix = name.rpartition(".")
    return bool(stem) and not name.startswith(".") and suffix.lower() in IMAGE_SUFFIXES
