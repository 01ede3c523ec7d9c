"""The image files of the chosen classes in every split, and what was noticed while listing them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from pgn_studio.core.data.dataset import SkippedFile
from pgn_studio.core.data.layout import lies_aside
from pgn_studio.core.data.scanning import (
    ClassFolders,
    FolderScan,
    FoundFile,
    class_folders,
    printable,
    quoted,
    some,
    spelled_alike,
)
from pgn_studio.core.data.store import Rows
from pgn_studio.core.errors import DataError
from pgn_studio.core.protocols import Labels

_NAMED = 4
_MASK = re.compile(
    r"(.+?)[\W_]+(?:masks?|labels?|labelids?|gt|seg|segmentation|annotations?|anno|depth|ground[\W_]?truth)"
    r"(?:[\W_]*\d+)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Listing:
    """The image files of the chosen classes, not yet opened."""

    files: list[FoundFile]
    labels: Labels  # (len(files),)
    rows: dict[str, Rows]  # split -> its rows in files; class/… is all "train"
    notices: tuple[str, ...]


def list_files(
    scan: FolderScan,
    layout: Mapping[str, str],
    *,
    train_classes: ClassFolders,
    chosen: Sequence[str],
    step: Callable[[], None],
) -> Listing:
    """All image files of the `chosen` among `train_classes` in every split of `layout`.

    Raises DataError for a class that is missing from a split, is in no train folder, or is empty.
    """
    files: list[FoundFile] = []
    labels: list[int] = []
    rows: dict[str, Rows] = {}
    notices: list[str] = []
    by_folder: dict[str, list[FoundFile]] = {}
    for split, folder in layout.items():
        there = train_classes if split == "train" else class_folders(scan, folder)
        _check_classes(scan, split, folder, there, train_classes=train_classes, chosen=chosen)
        begin = len(files)
        for label, name in enumerate(chosen):
            step()
            for own in there[name]:
                place = f"{folder}/{own}".lstrip("/")
                by_folder[place] = scan.images(place)
                files += by_folder[place]
                labels += [label] * len(by_folder[place])
        _check_none_empty(scan, folder, chosen, labels[begin:])
        rows[split] = np.arange(begin, len(files), dtype=np.int64)
        notices += _merged(scan, folder, there, chosen)
    around = _around(layout)
    notices += [*_doubtful(layout["train"], chosen), *subfolders(by_folder), *masks(files)]
    notices += [*_loose(scan, around), *other_kinds(scan), *archives(scan, around), *_passed_over(scan)]
    return Listing(files, np.array(labels, dtype=np.int64), rows, tuple(notices))


def _check_classes(
    scan: FolderScan,
    split: str,
    folder: str,
    there: ClassFolders,
    *,
    train_classes: ClassFolders,
    chosen: Sequence[str],
) -> None:
    missing = [name for name in chosen if name not in there]
    extra = [name for name in there if name not in train_classes]
    if not missing and not extra:
        return
    hint = "Give every split the same class folders."
    if alike := spelled_alike(missing or train_classes, extra):
        problem = "spells " + ", ".join(f"{quoted(ours)} as {quoted(theirs)}" for ours, theirs in alike[:3])
        hint = "Call a class's folder the same in every split."
    elif missing:
        problem = f"lacks {some(missing)}"
        if aside := [name for name in missing if lies_aside(name)]:
            hint = f"Move {some(aside)} out of train if it is no class."
    else:
        problem = f"has {some(extra)}, which train has not"
    raise DataError(
        f"Expected the classes of train in the {split} split too, but {scan.root / folder} {problem}.",
        hint=hint,
    )


def _check_none_empty(scan: FolderScan, folder: str, classes: Sequence[str], labels: Sequence[int]) -> None:
    full = set(labels)
    empty = [name for label, name in enumerate(classes) if label not in full]
    if empty:
        hidden = " Hidden folders and those of the system do not count." if scan.passed_over else ""
        raise DataError(
            f"No image file in class {some(empty)} of {scan.root / folder}.",
            hint=" ".join([f"Add images, or remove the empty folders.{hidden}", *other_kinds(scan)]),
            details=skipped_lines(scan.skipped),
        )


def _merged(scan: FolderScan, folder: str, there: ClassFolders, chosen: Sequence[str]) -> list[str]:
    twice = [name for name in chosen if len(there[name]) > 1]
    if not twice:
        return []
    where = scan.root / folder
    return [f"Class {some(twice)} has two folders in {where}, in two Unicode forms: taken together."]


def _doubtful(train: str, chosen: Sequence[str]) -> list[str]:
    """Classes that may be none, or the same."""
    notices = []
    if alike := spelled_alike(chosen, chosen):
        pairs = ", ".join(f"{quoted(one)} and {quoted(other)}" for one, other in alike[:3])
        notices.append(f"Almost the same names are taken as different classes: {pairs}.")
    aside = [name for name in chosen if lies_aside(name)] if train else []
    if aside:
        notices.append(f"Taken as classes like the others: {some(aside)}.")
    return notices


def _around(layout: Mapping[str, str]) -> list[str]:
    """The folders around the class folders."""
    around = {""}
    for folder in filter(None, layout.values()):
        around |= {folder, *map(str, PurePosixPath(folder).parents)} - {"."}
    return sorted(around)


def _loose(scan: FolderScan, around: Sequence[str]) -> list[str]:
    """Images beside the class folders."""
    counts = {folder or scan.root.name: scan.loose_images(folder) for folder in around}
    loose = {folder: count for folder, count in counts.items() if count}
    if not loose:
        return []
    total = sum(loose.values())
    files = "1 image file lies" if total == 1 else f"{total:,} image files lie"
    return [f"{files} in no class folder, but directly in {some(list(loose))}: left out."]


def _passed_over(scan: FolderScan) -> list[str]:
    count = len(scan.passed_over)
    if not count:
        return []
    parents = dict.fromkeys(path.rpartition("/")[0] or scan.root.name for path in scan.passed_over)
    folders = "1 hidden or system folder" if count == 1 else f"{count:,} hidden or system folders"
    return [f"Passed over: {folders} with images, in {some(list(parents))}."]


def skipped_lines(skipped: Sequence[SkippedFile]) -> str:
    """One line a file, for an error's details."""
    return "\n".join(f"{printable(item.path)}: {item.reason}" for item in skipped)


def other_kinds(scan: FolderScan) -> list[str]:
    """How many files were left out for their suffix."""
    count = scan.others.total()
    if not count:
        return []
    most = [
        f"{number:,} {'.' + printable(suffix) if suffix else 'without a suffix'}"
        for suffix, number in scan.others.most_common(_NAMED)
    ]
    more = ["others"] if len(scan.others) > _NAMED else []
    files = "1 file" if count == 1 else f"{count:,} files"
    return [
        f"{files} in class folders, of kinds that are not read, left out: {', '.join(most + more)}. "
        "Convert to PNG or JPEG what of them is an image."
    ]


def archives(scan: FolderScan, folders: Sequence[str]) -> list[str]:
    """Packed files in `folders` and in the class folders."""
    found = [path for folder in folders for path in scan.archives_in(folder)] + scan.archives
    return [f"Archives are not unpacked, their images are left out: {some(found)}."] if found else []


def subfolders(classes: Mapping[str, Sequence[FoundFile]]) -> list[str]:
    """Folders in class folders (`classes`, with their files), unless all have but the same one."""
    inside = {
        folder: Counter(file.name[len(folder) + 1 :].rpartition("/")[0] for file in files)
        for folder, files in classes.items()
    }
    if len({frozenset(counts) for counts in inside.values()}) == 1 and all(
        len(counts) == 1 for counts in inside.values()
    ):
        return []
    names = Counter(name for counts in inside.values() for name in counts if name)
    if not names:
        return []
    many = names.total()
    named = ", ".join(quoted(name) for name, _ in names.most_common(_NAMED))
    more = ", …" if len(names) > _NAMED else ""
    folders = "1 subfolder" if many == 1 else f"{many:,} subfolders"
    return [
        f"The images of {folders} of class folders ({named}{more}) are taken as images of their class: "
        "move out what is none."
    ]


def masks(files: Sequence[FoundFile]) -> list[str]:
    """Images called like another one beside them, with "mask" or the like added."""
    stems = [file.name.rpartition(".")[0] for file in files]
    by_base = [(stem, found[1]) for stem in stems if (found := _MASK.fullmatch(stem))]
    if not by_base:
        return []
    there = set(stems)
    found_masks = [stem for stem, base in by_base if base in there]
    if not found_masks:
        return []
    many, example = len(found_masks), quoted(found_masks[0])
    are = "1 image is" if many == 1 else f"{many:,} images are"
    return [
        f"{are} called like the mask or label of another image beside it, such as {example}, and taken "
        "as images of their class: move out what is none."
    ]
