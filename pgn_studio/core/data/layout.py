"""How an image folder is arranged: which of its folders are splits, and which are classes.

Nothing is left out without a word: what is clear is told in a notice, what is not is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from pgn_studio.core.data.class_folders import class_folders, class_name, some
from pgn_studio.core.data.no_classes import check_are_classes, folders_inside, unwrapped
from pgn_studio.core.data.scanning import FolderScan
from pgn_studio.core.data.split_names import lies_aside, splits_by_name
from pgn_studio.core.errors import DataError

_SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Layout:
    folders: Mapping[str, str]  # split -> its folder; {"train": ""} where the classes lie in the root
    notices: tuple[str, ...] = ()


@dataclass
class _Top:
    """The folders in the root, by what they seem to be."""

    splits: dict[str, list[str]] = field(default_factory=dict)  # split -> folders that hold class folders
    flat: list[str] = field(default_factory=list)  # called like a split, without class folders
    others: list[str] = field(default_factory=list)


def find_layout(scan: FolderScan, *, val_is_test: bool) -> Layout:
    """Which folder is which split. Raises DataError where that is unclear.

    A folder counts as a split when it is called like one and holds folders itself; so classes called
    "train" or "test" among other classes stay classes.
    """
    top = _sorted_out(scan)
    if "train" not in top.splits:
        return _class_layout(scan, top)
    for split, places in top.splits.items():
        if len(places) > 1:
            raise DataError(
                f"Folders {some(places)} in {scan.root} both mean the {split} split.",
                hint="Keep one of them, put their images together, or call each train, val or test.",
            )
    found = {split: places[0] for split, places in top.splits.items()}
    check_are_classes(scan, found["train"], scan.folders(found["train"]))
    left_out = [folder for folder in top.others if scan.holds_images(folder)]
    if len(found) == 1:
        _check_aside(scan, found["train"], left_out)
    if val_is_test and "test" not in found and "val" in found:
        found["test"] = found.pop("val")
    folders = {split: found[split] for split in _SPLITS if split in found}
    return Layout(folders, tuple(_split_notices(folders, top.flat, left_out)))


def _sorted_out(scan: FolderScan) -> _Top:
    top = _Top()
    named = splits_by_name(scan.folders())
    for folder in scan.folders():
        place = unwrapped(scan, folder)
        if folder not in named:
            top.others.append(folder)
        elif scan.folders(place):
            top.splits.setdefault(named[folder], []).append(place)
        else:
            top.flat.append(folder)
    if len(top.splits.get("train", [])) == 1:
        _move_unsorted(scan, top)
    return top


def _move_unsorted(scan: FolderScan, top: _Top) -> None:
    """A val or test whose images all lie in one folder that is no class of train is as good as flat."""
    classes = class_folders(scan, top.splits["train"][0])
    for split in ("val", "test"):
        for place in top.splits.pop(split, []):
            inside = scan.folders(place)
            if len(inside) == 1 and class_name(inside[0]) not in classes:
                top.flat.append(place)
            else:
                top.splits.setdefault(split, []).append(place)


def _check_aside(scan: FolderScan, train: str, left_out: Sequence[str]) -> None:
    """With train alone, images beside it may be another split, or train a class like they."""
    unclear = [folder for folder in left_out if not lies_aside(folder)]
    if unclear:
        raise DataError(
            f"Unclear folders in {scan.root}: {some([train])} holds class folders, but there are images "
            f"in {some(unclear)} beside it too.",
            hint=(
                "If they are a split, call it val or test. If they do not belong to the data set, move "
                f"them out of its folder. If {some([train])} is a class like them, put its images directly "
                "into it."
            ),
        )


def _split_notices(folders: Mapping[str, str], flat: Sequence[str], left_out: Sequence[str]) -> list[str]:
    notices = []
    if any(folder.lower() != split for split, folder in folders.items()):
        taken = ", ".join(f"{some([folder])} as {split}" for split, folder in folders.items())
        notices.append(f"Folders taken as splits: {taken}.")
    if flat:
        notices.append(f"No class folders in {some(flat)}: left out{_instead(folders)}.")
    if left_out:
        notices.append(f"Images in {some(left_out)} belong to no split: left out.")
    return notices


def _instead(folders: Mapping[str, str]) -> str:
    missing = [split for split in _SPLITS if split not in folders]
    if missing == ["test"]:
        return ", and val is halved into val and test"
    return f", and {' and '.join(missing)} images are taken out of train" if missing else ""


def _class_layout(scan: FolderScan, top: _Top) -> Layout:
    """Classes directly in the root, unless something speaks against it. Raises DataError."""
    folders = scan.folders()
    if not folders:
        found = "images that lie in no class folder" if scan.loose_images() else "no folders"
        raise DataError(
            f"Expected class folders in {scan.root}, found {found}.",
            hint="Arrange the images as class/… or train|val|test/class/….",
        )
    check_are_classes(scan, "", folders)
    _check_not_nested(scan, folders)
    has_classes = any(not lies_aside(folder) and scan.holds_images(folder) for folder in top.others)
    if top.splits or (top.flat and not has_classes):
        raise DataError(
            f"Expected a folder 'train' with class folders in {scan.root}, found {_described(top)}.",
            hint=(
                "Call the folder of the training images train, or put the class folders into one."
                if top.splits
                else "Put each class's images into a folder of its own: train/class/…."
            ),
        )
    _check_not_alike(scan, folders)
    if doubtful := [folder for folder in folders if folder in top.flat or lies_aside(folder)]:
        return Layout({"train": ""}, (f"Taken as classes like the others: {some(doubtful)}.",))
    return Layout({"train": ""})


def _described(top: _Top) -> str:
    splits = [folder for folders in top.splits.values() for folder in folders]
    parts = [
        f"{some(names)}{what}"
        for names, what in ((splits, ""), (top.flat, " without class folders"), (top.others, ""))
        if names
    ]
    return " and ".join(parts)


def _check_not_nested(scan: FolderScan, folders: Sequence[str]) -> None:
    """The data set may lie deeper, or its splits inside the classes."""
    places = {folder: unwrapped(scan, folder) for folder in folders}
    named = {place: splits_by_name(folders_inside(scan, place)) for place in places.values()}
    divided = [place for place, splits in named.items() if len(set(splits.values())) > 1]
    nested = [
        place for place in divided if any(folders_inside(scan, f"{place}/{name}") for name in named[place])
    ]
    if len(folders) == 1 and len(folders_inside(scan, places[folders[0]])) > 1:
        nested = [places[folders[0]]] if not splits_by_name(folders) else []
    if nested:
        raise DataError(
            f"Expected class folders in {scan.root}, found a data set in {some(nested)}.",
            hint=f"Choose {' or '.join(str(scan.root / place) for place in nested[:2])}.",
        )
    if divided:
        inside = [f"{divided[0]}/{name}" for name in named[divided[0]]]
        raise DataError(
            f"The splits in {scan.root} lie inside the classes: {some(inside)}.",
            hint="Arrange the images as train|val|test/class/….",
        )


def _check_not_alike(scan: FolderScan, folders: Sequence[str]) -> None:
    """Classes do not hold the same folders; splits, variants and images with masks do."""
    inside = {
        folder: set(map(class_name, folders_inside(scan, unwrapped(scan, folder)))) for folder in folders
    }
    several = {folder: names for folder, names in inside.items() if len(names) > 1}
    for one, other in combinations(several, 2):
        shared = several[one] & several[other]
        if len(shared) > 1 and 2 * len(shared) > min(len(several[one]), len(several[other])):
            raise DataError(
                f"Expected classes or splits in {scan.root}, found {some([one, other])}, which hold "
                f"the same folders: {some(sorted(shared))}.",
                hint=(
                    "If they are splits, call them train, val and test. If they are versions of the same "
                    "images, choose one of them. If they are classes, put each one's images directly into "
                    "its folder."
                ),
            )
