"""Folders' names as class names, and as text that can be printed and written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from pgn_studio.core.class_names import composed
from pgn_studio.core.data.scanning import FolderScan
from pgn_studio.core.errors import DataError

_NAMED = 5

ClassFolders = Mapping[str, Sequence[str]]  # class -> its folders, mostly one


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
