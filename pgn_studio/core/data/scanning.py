"""Finding image files below a folder, fast: one os.scandir a folder, one stat a file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from pgn_studio.core.data.dataset import SkippedFile
from pgn_studio.core.data.images import IMAGE_SUFFIXES
from pgn_studio.core.errors import DataError

_Inode = tuple[int, int]  # device, number
_DEEPEST = 100  # folders in each other; Python's own recursion ends at some hundreds
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
        around = [os.stat(folder) for folder in (self.root, *self.root.absolute().parents)]
        self._collect(relative, found, tuple((status.st_dev, status.st_ino) for status in around[1:]), set())
        return found

    def has_images(self, relative: str = "") -> bool:
        """Whether image files lie directly in `relative`."""
        try:
            with os.scandir(self.root / relative) as entries:
                return any(_looks_like_image(entry.name) for entry in entries)
        except OSError:
            return False

    def _collect(
        self, relative: str, found: list[FoundFile], above: tuple[_Inode, ...], seen: set[_Inode]
    ) -> None:
        """Depth first; `above` holds the folders around, to see loops, `seen` all that were entered."""
        try:
            status = os.stat(self.root / relative)
            inode = (status.st_dev, status.st_ino)
            reason = self._reason_to_stay_out(relative, inode, above, seen)
            if reason:
                self.skipped.append(SkippedFile(relative, reason))
                return
            seen.add(inode)
            with os.scandir(self.root / relative) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            self._skip(relative, error)
            return
        for entry in entries:
            if self._is_folder(entry, relative):
                self._collect(f"{relative}/{entry.name}", found, (*above, inode), seen)
            elif _looks_like_image(entry.name):
                self._add(entry, f"{relative}/{entry.name}", found)

    def _reason_to_stay_out(
        self, relative: str, inode: _Inode, above: tuple[_Inode, ...], seen: set[_Inode]
    ) -> str:
        if not inode[1]:  # some shares number nothing
            return ""
        if inode in above:
            return "a link back to a folder around it"
        if inode in seen and os.path.islink(self.root / relative):
            return "a link to a folder that was read already"  # two a level would double without end
        return "nested too deeply" if relative.count("/") > _DEEPEST else ""

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
