"""What lies in the class folders besides plain images of the class, as notices."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from pgn_studio.core.data.class_folders import printable, quoted, some
from pgn_studio.core.data.scanning import FolderScan, FoundFile

_NAMED = 4
_MASK = re.compile(
    r"(.+?)[\W_]+(?:masks?|labels?|labelids?|gt|seg|segmentation|annotations?|anno|depth|ground[\W_]?truth)"
    r"(?:[\W_]*\d+)?",
    re.IGNORECASE,
)


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
