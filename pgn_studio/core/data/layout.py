"""How an image folder is arranged: which folders are splits and classes, which files belong to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pgn_studio.core.data.dataset import SPLIT_ALIASES, SkippedFile
from pgn_studio.core.data.scanning import FolderScan, FoundFile
from pgn_studio.core.data.store import Rows
from pgn_studio.core.errors import DataError
from pgn_studio.core.protocols import Labels

_NAMED_IN_ERRORS = 5


@dataclass(frozen=True)
class Listing:
    """The image files of the chosen classes, not yet opened."""

    files: list[FoundFile]
    labels: Labels  # (len(files),)
    rows: dict[str, Rows]  # split -> its rows in files; class/… is all "train"


def find_layout(scan: FolderScan, *, val_is_test: bool) -> dict[str, str]:
    """Map split to folder; {"train": ""} where the classes lie directly in the root.

    A folder with a split's name counts as one when it holds folders itself; so classes called
    "train" or "test" among other classes stay classes. Raises DataError.
    """
    top = scan.folders()
    layout: dict[str, str] = {}
    for folder in top:
        split = SPLIT_ALIASES.get(folder.lower())
        if split is None or not scan.folders(folder):
            continue
        if split in layout:
            raise DataError(
                f"Folders {layout[split]!r} and {folder!r} in {scan.root} both mean the {split} split.",
                hint="Keep one of them, or put their images together.",
            )
        layout[split] = folder
    if "train" not in layout:
        _check_class_layout(scan, top)
        return {"train": ""}
    if val_is_test and "test" not in layout and "val" in layout:
        layout["test"] = layout.pop("val")
    return {split: layout[split] for split in ("train", "val", "test") if split in layout}


def _check_class_layout(scan: FolderScan, top: Sequence[str]) -> None:
    where = f"in {scan.root}"
    if not top:
        found = "images that lie in no class folder" if scan.has_images() else "no folders"
        raise DataError(
            f"Expected class folders {where}, found {found}.",
            hint="Arrange the images as class/… or train|val|test/class/….",
        )
    if all(folder.lower() in SPLIT_ALIASES for folder in top):
        raise DataError(
            f"Expected a folder 'train' with class folders {where}, found {some(top)}.",
            hint="Put each class's images into a folder of its own: train/class/….",
        )
    if len(top) == 1 and "train" in map(str.lower, scan.folders(top[0])):
        raise DataError(
            f"Expected class folders {where}, found a data set in {top[0]!r}.",
            hint=f"Choose {scan.root / top[0]}.",
        )


def list_files(
    scan: FolderScan,
    layout: Mapping[str, str],
    *,
    train_classes: Sequence[str],
    chosen: Sequence[str],
    step: Callable[[], None],
) -> Listing:
    """All image files of the `chosen` among `train_classes` in every split.

    Raises DataError for a class that is missing from a split, is in no train folder, or is empty.
    """
    files: list[FoundFile] = []
    labels: list[int] = []
    rows: dict[str, Rows] = {}
    for split, folder in layout.items():
        if split != "train":
            _check_classes(scan, split, folder, train_classes=train_classes, chosen=chosen)
        begin = len(files)
        for label, name in enumerate(chosen):
            step()
            found = scan.images(f"{folder}/{name}".lstrip("/"))
            files += found
            labels += [label] * len(found)
        _check_none_empty(scan, folder, chosen, labels[begin:])
        rows[split] = np.arange(begin, len(files), dtype=np.int64)
    return Listing(files, np.array(labels, dtype=np.int64), rows)


def _check_classes(
    scan: FolderScan, split: str, folder: str, *, train_classes: Sequence[str], chosen: Sequence[str]
) -> None:
    there = scan.folders(folder)
    problem = ""
    if missing := [name for name in chosen if name not in there]:
        problem = f"lacks {some(missing)}"
    elif extra := [name for name in there if name not in train_classes]:
        problem = f"has {some(extra)}, which train has not"
    if problem:
        raise DataError(
            f"Expected the classes of train in the {split} split too, but {scan.root / folder} {problem}.",
            hint="Give every split the same class folders.",
        )


def _check_none_empty(scan: FolderScan, folder: str, classes: Sequence[str], labels: Sequence[int]) -> None:
    full = set(labels)
    empty = [name for label, name in enumerate(classes) if label not in full]
    if empty:
        raise DataError(
            f"No image file in class {some(empty)} of {scan.root / folder}.",
            hint="Add images, or remove the empty folders.",
            details=skipped_lines(scan.skipped),
        )


def printable(name: str) -> str:
    """A file's name as text: bytes that are no UTF-8 become the replacement character."""
    return name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def some(names: Sequence[str]) -> str:
    """The first few of `names`, quoted, and how many more there are."""
    quoted = ", ".join(repr(printable(name)) for name in names[:_NAMED_IN_ERRORS])
    more = len(names) - _NAMED_IN_ERRORS
    return f"{quoted} and {more} more" if more > 0 else quoted


def skipped_lines(skipped: Sequence[SkippedFile]) -> str:
    """One line a file, for an error's details."""
    return "\n".join(f"{printable(item.path)}: {item.reason}" for item in skipped)
