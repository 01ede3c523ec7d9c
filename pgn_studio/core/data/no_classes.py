"""Folders in the place of classes that are something else: parts, masks, the data set once more."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pgn_studio.core.data.class_folders import class_name, some
from pgn_studio.core.data.scanning import FolderScan
from pgn_studio.core.data.split_names import lies_aside, splits_by_name, words
from pgn_studio.core.errors import DataError

_PART = re.compile(
    "((?:.* )?(?:parts?|k?fold|batch|chunk|shard|split|subset|set|images?|imgs?|data|folder|dir|volume|vol))"
    " ?[0-9]+(?: ?of ?[0-9]+)?"
)
# Read without spaces: "leftImg8bit" is leftimg8bit, "Ground truth" groundtruth.
_AROUND = "(?:train|training|val|valid|validation|test|testing|set|data|files?|folder|png|jpe?g|[0-9x]+)*"
_IMAGES = re.compile(
    f"{_AROUND}(?:rgb|colou?r|raw|originals?|left|right|inputs?|data|"
    "images?|imgs?|img8bit|pictures?|photos?|frames?|jpe?gs?)+" + _AROUND
)
_BESIDE_IMAGES = re.compile(
    f"{_AROUND}(?:binary|semantic|instance|class|object|pixel|seg|images?|img)*"
    "(?:masks?|labels?|labelmaps?|annotations?|annots?|annos?|meta|metadata|gts?|gtfine|gtcoarse|"
    "groundtruths?|segs?|segmentations?|segmentation(?:class|object)|depths?|disparit(?:y|ies)|bbox(?:es)?|"
    "boundingboxes|xmls?|jsons?|trimaps?|targets?|imagesets?)(?:images?|imgs?|maps?)*" + _AROUND
)
_DEEPEST_WRAPPER = 8


def check_are_classes(scan: FolderScan, place: str, folders: Sequence[str]) -> None:
    """Raises DataError where the `folders` in `place` are clearly no classes."""
    where = scan.root / place
    if parts := _parts(folders):
        raise DataError(
            f"Expected class folders in {where}, found the parts of one data set: {some(parts)}.",
            hint=(
                "Put the images of all parts together, into one folder for each class: class/…. If each part "
                "is a class, give them names without part, fold or the like."
            ),
        )
    if pair := _images_and_more(scan, place, folders):
        images, beside = pair
        inside = [
            folder for folder in images if len(folders_inside(scan, f"{place}/{folder}".lstrip("/"))) > 1
        ]
        choose = f"Choose {where / inside[0]} if its folders are classes, or arrange" if inside else "Arrange"
        raise DataError(
            f"Expected class folders in {where}, found images in {some(images)} beside {some(beside)}, "
            "which hold masks, labels or the like rather than classes.",
            hint=f"{choose} the images alone, in one folder for each class: class/….",
        )
    for folder in folders:
        _check_not_the_whole(scan, place, folder, folders)


def _parts(folders: Sequence[str]) -> list[str]:
    """Most of the `folders`, where their names differ by the number of a part only."""
    stems: dict[str, list[str]] = {}
    for folder in folders:
        if found := _PART.fullmatch(" ".join(words(folder))):
            stems.setdefault(found[1], []).append(folder)
    most = max(stems.values(), key=len, default=[])
    others = [folder for folder in folders if folder not in most and not lies_aside(folder)]
    return most if len(most) > max(1, len(others)) else []


def _images_and_more(
    scan: FolderScan, place: str, folders: Sequence[str]
) -> tuple[list[str], list[str]] | None:
    """The folders of images and those of what belongs to the images, where most are one or the other."""
    spoken = {folder: words(folder) for folder in folders}
    common = set.intersection(*map(set, spoken.values())) if spoken else set()
    short = {
        folder: "".join(word for word in own if word not in common) or "".join(own)
        for folder, own in spoken.items()
    }
    beside = [folder for folder in folders if _BESIDE_IMAGES.fullmatch(short[folder])]
    beside += [
        folder
        for folder in folders
        if folder not in beside
        and lies_aside(folder)
        and not scan.holds_images(f"{place}/{folder}".lstrip("/"))
    ]
    images = [folder for folder in folders if folder not in beside and _IMAGES.fullmatch(short[folder])]
    known = len(images) + len(beside)
    return (images, beside) if images and beside and 2 * known >= len(folders) else None


def _check_not_the_whole(scan: FolderScan, place: str, folder: str, folders: Sequence[str]) -> None:
    """A folder among the classes that holds the same classes is a split, or the data set once more."""
    path = f"{place}/{folder}".lstrip("/")
    inside = set(map(class_name, folders_inside(scan, unwrapped(scan, path))))
    shared = inside & {class_name(other) for other in folders if other != folder}
    split = splits_by_name([folder]).get(folder, "")
    if len(shared) < 2 or 2 * len(shared) <= len(inside) or (split and not place):
        return
    raise DataError(
        f"Folder {some([path])} in {scan.root} lies among the class folders and holds the same class "
        f"folders itself: {some(sorted(shared))}.",
        hint=(
            f"If it is the {split} split, move it out of {some([place])}, to lie beside it."
            if split
            else "Move it out if it is a copy or another split; merge it with them if it is more of the same."
        ),
    )


def unwrapped(scan: FolderScan, folder: str) -> str:
    """The folder in `folder` that holds the rest, as in seg_train/seg_train/class; mostly itself."""
    place = folder
    for _ in range(_DEEPEST_WRAPPER):
        inside = folders_inside(scan, place)
        if len(inside) != 1:
            return place if inside else folder
        place = f"{place}/{inside[0]}"
    return folder


def folders_inside(scan: FolderScan, folder: str) -> list[str]:
    try:
        return scan.folders(folder)
    except DataError:  # it may be of no concern
        return []
