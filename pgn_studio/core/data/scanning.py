"""Folders on disk, fast to list (one os.scandir a folder, one stat a file), and their names as classes."""

from __future__ import annotations

import logging
import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pgn_studio.core.class_names import composed
from pgn_studio.core.data.dataset import SkippedFile
from pgn_studio.core.data.images import IMAGE_SUFFIXES
from pgn_studio.core.errors import DataError

_Inode = tuple[int, int]  # device, number
_DEEPEST = 100  # folders in each other; Python's own recursion ends at some hundreds
_LOOKED_INTO = 1000  # folders, to find whether images lie below one
# What systems and programs leave beside people's files, in lower case; hidden names need no list.
_SYSTEM_FOLDERS = frozenset(
    ("@eadir", "@tmp", "@recycle", "@recently-snapshot", "@__thumb", "#recycle", "#snapshot", "~snapshot")
    + ("$recycle.bin", "system volume information", "lost+found", "__macosx", "network trash folder")
    + ("temporary items", "thevolumesettingsfolder", "__pycache__", "_vti_cnf")
)
_RESCUED = re.compile(r"found\.\d{3}")  # what Windows saves of a damaged disk
_THUMBNAILS = frozenset(("thumbs", "_thumbs", "thumbnails", "_thumbnails"))
# What lies beside images and is none of them; of all other suffixes people may think that they are read.
_SIDE_SUFFIXES = frozenset(
    ("txt", "csv", "tsv", "json", "jsonl", "xml", "md", "rst", "db", "ini", "yaml", "yml", "toml", "cfg")
    + ("html", "htm", "css", "js", "py", "pyc", "ipynb", "m", "sh", "bat", "log", "pkl", "pickle", "mat")
    + ("pdf", "doc", "docx", "xls", "xlsx", "ods", "odt", "url", "lnk", "md5", "sha1", "sha256", "lock")
    + ("pt", "pth", "ckpt", "safetensors", "onnx", "cache", "xmp", "aae", "pp3", "thm", "bak", "tmp")
)
_SIDE_NAMES = frozenset(("readme", "license", "licence", "copying", "authors", "makefile", "icon\r"))
_ARCHIVE = re.compile(r".+\.(?:zip|7z|rar|tar|tgz|tbz2?|txz|tar\.(?:gz|bz2|xz|zst|lzma))", re.IGNORECASE)
_LONGEST_SUFFIX = 12

logger = logging.getLogger(__name__)
_NAMED = 5

ClassFolders = Mapping[str, Sequence[str]]  # class -> its folders, mostly one


class FoundFile(NamedTuple):
    name: str  # relative to the root, with "/"
    size: int  # bytes
    mtime_ns: int


class _Listed(NamedTuple):
    folders: list[str]
    images: int
    archives: list[str]


class FolderScan:
    """Lists what lies below `root`; hidden entries and files that are no images are passed over.

    What looks like an image or a folder and cannot be had goes to `skipped`; hidden folders, and those
    of systems and programs, go to `passed_over` where images lie in them. Among the images, `others`
    counts files of other kinds by their suffix (without those that describe images), and `archives`
    has the paths of packed files.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.passed_over: list[str] = []
        self.others: Counter[str] = Counter()
        self.archives: list[str] = []
        self._judged: set[str] = set()  # folders that are passed over, with images or without
        self._skipped: dict[str, str] = {}
        self._listed: dict[str, _Listed] = {}

    @property
    def skipped(self) -> list[SkippedFile]:
        return [SkippedFile(path, reason) for path, reason in self._skipped.items()]

    def folders(self, relative: str = "") -> list[str]:
        """Names of the visible folders directly in `relative`, sorted. Raises DataError if it can't."""
        return self._list(relative).folders

    def loose_images(self, relative: str = "") -> int:
        """How many image files lie directly in `relative`. Raises DataError if it cannot be listed."""
        return self._list(relative).images

    def archives_in(self, relative: str) -> list[str]:
        """Paths of the packed files directly in `relative`. Raises DataError if it cannot be listed."""
        return [f"{relative}/{name}".lstrip("/") for name in self._list(relative).archives]

    def holds_images(self, relative: str) -> bool:
        """Whether an image is found below `relative`, in a bounded search."""
        waiting = [relative]
        for _ in range(_LOOKED_INTO):
            if not waiting:
                break
            folder = waiting.pop()
            try:
                with os.scandir(self.root / folder) as entries:
                    for entry in entries:
                        if _is_own_folder(entry):
                            waiting.append(f"{folder}/{entry.name}")
                        elif _looks_like_image(entry.name) and entry.is_file():
                            return True
            except OSError:
                continue
        return False

    def images(self, relative: str) -> list[FoundFile]:
        """All image files below `relative`, at any depth, in the order of their names."""
        found: list[FoundFile] = []
        around = [os.stat(folder) for folder in (self.root, *self.root.absolute().parents)]
        self._collect(relative, found, tuple((status.st_dev, status.st_ino) for status in around[1:]), set())
        return found

    def _list(self, relative: str) -> _Listed:
        """What lies directly in `relative`; read once."""
        if relative not in self._listed:
            try:
                with os.scandir(self.root / relative) as listing:
                    entries = list(listing)
            except OSError as error:
                raise DataError(
                    f"Folder {self.root / relative} cannot be listed: {error.strerror or error}.",
                    hint="Check the folder's permissions.",
                ) from error
            folders = sorted(entry.name for entry in entries if self._is_folder(entry, relative))
            images = {entry.name for entry in entries if _looks_like_image(entry.name)}
            archives = sorted(entry.name for entry in entries if _is_archive(entry.name))
            self._listed[relative] = _Listed(
                folders,
                len(images.difference(folders)),
                [name for name in archives if name not in folders],
            )
        return self._listed[relative]

    def _collect(
        self, relative: str, found: list[FoundFile], above: tuple[_Inode, ...], seen: set[_Inode]
    ) -> None:
        """Depth first; `above` holds the folders around, to see loops, `seen` all that were entered."""
        try:
            status = os.stat(self.root / relative)
            inode = (status.st_dev, status.st_ino)
            reason = self._reason_to_stay_out(relative, inode, above, seen)
            if reason:
                self._skipped[relative] = reason
                return
            seen.add(inode)
            with os.scandir(self.root / relative) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            self._skip(relative, error)
            return
        has_images = any(_looks_like_image(entry.name) for entry in entries)
        for entry in entries:
            if has_images and entry.name.casefold() in _THUMBNAILS:  # of the images beside it
                self._pass_over(f"{relative}/{entry.name}")
            elif self._is_folder(entry, relative):
                self._collect(f"{relative}/{entry.name}", found, (*above, inode), seen)
            elif _looks_like_image(entry.name):
                self._add(entry, f"{relative}/{entry.name}", found)
            elif os.path.isfile(self.root / relative / entry.name):
                self._leave_out(entry.name, relative)

    def _leave_out(self, name: str, relative: str) -> None:
        if name.startswith("."):
            return
        if _is_archive(name):
            self.archives.append(f"{relative}/{name}")
            return
        stem, _, suffix = name.lower().rpartition(".")
        if not stem or len(suffix) > _LONGEST_SUFFIX or not suffix.isidentifier() and not suffix.isalnum():
            suffix = ""
        if suffix not in _SIDE_SUFFIXES and name.lower() not in _SIDE_NAMES:
            self.others[suffix] += 1

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
            self._skipped[name] = "not a regular file"
        elif status.st_size == 0:
            self._skipped[name] = "empty file"
        else:
            found.append(FoundFile(name, status.st_size, status.st_mtime_ns))

    def _is_folder(self, entry: os.DirEntry[str], relative: str) -> bool:
        try:
            if not entry.is_dir():
                return False
        except OSError as error:  # a link to itself
            if not _looks_like_image(entry.name) and not _is_of_a_system(entry.name):
                self._skip(f"{relative}/{entry.name}".lstrip("/"), error)
            return False
        if _is_of_a_system(entry.name):
            self._pass_over(f"{relative}/{entry.name}".lstrip("/"))
            return False
        return True

    def _pass_over(self, path: str) -> None:
        if path in self._judged:
            return
        self._judged.add(path)
        if self.holds_images(path):
            self.passed_over.append(path)
            logger.info("passed over %s", self.root / path)

    def _skip(self, relative: str, error: OSError) -> None:
        self._skipped[relative] = error.strerror or str(error)


def _is_of_a_system(name: str) -> bool:
    lower = name.casefold()
    return name.startswith(".") or lower in _SYSTEM_FOLDERS or bool(_RESCUED.fullmatch(lower))


def _is_own_folder(entry: os.DirEntry[str]) -> bool:
    return not _is_of_a_system(entry.name) and entry.is_dir()


def _is_archive(name: str) -> bool:
    return not name.startswith(".") and bool(_ARCHIVE.fullmatch(name))


def _looks_like_image(name: str) -> bool:
    stem, _, suffix = name.rpartition(".")
    return bool(stem) and not name.startswith(".") and suffix.lower() in IMAGE_SUFFIXES


def class_folders(scan: FolderScan, folder: str) -> dict[str, list[str]]:
    """The classes in `folder`, in the order of their names, each with the folders that are called so.

    One name in two Unicode forms (macOS takes é apart, others do not) is one class, here and across
    splits. Raises DataError where two names cannot be told apart.
    """
    found: dict[str, list[str]] = {}
    for name in sorted(scan.folders(folder), key=composed):
        found.setdefault(class_name(name), []).append(name)
    for name, folders in found.items():
        if len({composed(one) for one in folders}) > 1:
            raise DataError(
                f"Two folders of {scan.root / folder} are called {quoted(name)} once their bytes are text.",
                hint="Rename one of them.",
            )
    return found


def class_name(folder: str) -> str:
    return composed(printable(folder))


def printable(name: str) -> str:
    r"""A file's name as text: bytes that are no UTF-8 are escaped (\xff), so that names stay different."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def quoted(name: str) -> str:
    text = printable(name)
    return f"'{text}'" if text.isprintable() and "'" not in text else repr(text)


def some(names: Sequence[str]) -> str:
    """The first few of `names`, quoted, and how many more there are."""
    more = len(names) - _NAMED
    listed = ", ".join(map(quoted, names[:_NAMED]))
    return f"{listed} and {more} more" if more > 0 else listed


def spelled_alike(names: Iterable[str], others: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of a name and another one that differ in case, spaces, hyphens and underscores only."""
    by_letters = {_letters(name): name for name in names}
    pairs = [(by_letters.get(_letters(other), other), other) for other in others]
    return [(name, other) for name, other in pairs if name != other]


def _letters(name: str) -> str:
    text = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", text.replace("_", " ")).strip()
