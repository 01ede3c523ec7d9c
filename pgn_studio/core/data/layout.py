"""How an image folder is arranged: which of its folders are splits, and which are classes.

Nothing is left out without a word: what is clear is told in a notice, what is not is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from pgn_studio.core.data.scanning import FolderScan, class_folders, class_name, some
from pgn_studio.core.errors import DataError

_SPLITS = ("train", "val", "test")
# What is no class: a numbered part of the data set, its images, or masks and the like.
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
# What people call train, val and test: whole names, with the usual additions, and in pairs.
_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "devel", "development"), "val"),
    **dict.fromkeys(("eval", "evaluation"), "val"),
    **dict.fromkeys(("test", "testing", "holdout", "heldout"), "test"),
}
_NEUTRAL = (
    "set|sets|split|splits|part|data|dataset|images|image|imgs|img|pictures|photos|samples|files|"
    "folder|folders|dir|seg|cropped|resized|sorted|labell?ed|classes|v?[0-9]+(?:x[0-9]+)?(?:px)?"
)
_SPLIT_TOKEN = re.compile(f"(?:{_NEUTRAL})*({'|'.join(_WORDS)})(?:{_NEUTRAL})*")
_NEUTRAL_TOKEN = re.compile(f"(?:{_NEUTRAL})+")
# Folders that lie beside classes or splits and are mostly neither.
_ASIDE = frozenset(
    ("unlabeled", "unlabelled", "unsup", "unsupervised", "unsorted", "unlabel", "nolabel", "nolabels")
    + ("pred", "predict", "prediction", "predictions", "submission", "submissions", "inference")
    + ("extra", "extras", "example", "examples", "sample", "demo", "misc", "tmp", "temp", "backup", "old")
    + ("doc", "docs", "documentation", "figures", "figure", "plots", "results", "output", "outputs", "runs")
    + ("logs", "models", "checkpoints", "weights", "scripts", "src", "code", "notebooks", "assets")
    + ("annotations", "annotation", "labels", "masks", "metadata", "meta", "thumbs", "thumbnails")
)


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


def splits_by_name(folders: Iterable[str]) -> dict[str, str]:
    """Those of `folders` that are called like a split, with the split: "Training", "seg_test", "val2017".

    A name with words of its own ("pets_train") counts where another split's name shares them
    ("pets_test"): "freight train" alone is a freight train.
    """
    read = {folder: _read(folder) for folder in folders}
    partners: dict[tuple[str, ...], set[str]] = {}
    for split, own_words in read.values():
        if split:
            partners.setdefault(own_words, set()).add(split)
    return {
        folder: split
        for folder, (split, own_words) in read.items()
        if split and (not own_words or len(partners[own_words]) > 1)
    }


def lies_aside(folder: str) -> bool:
    """Whether it is called like what lies beside a data set's classes: "unlabeled", "docs", "seg_pred"."""
    own = [word for word in words(folder) if word in _ASIDE or not _NEUTRAL_TOKEN.fullmatch(word)]
    return bool(own) and all(word in _ASIDE for word in own)


def _read(folder: str) -> tuple[str, tuple[str, ...]]:
    """The split that a name means, "" for none or two, and its own words."""
    splits, own_words = [], []
    for word in words(folder):
        if found := _SPLIT_TOKEN.fullmatch(word):
            splits.append(_WORDS[found[1]])
        elif not _NEUTRAL_TOKEN.fullmatch(word):
            own_words.append(word)
    return (splits[0] if len(splits) == 1 else ""), tuple(own_words)


def words(name: str) -> list[str]:
    """ "TrainSet-2 (new)" as train, set, 2, new."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    whole = re.sub(r"\b(hold|held)[\W_]+out\b", r"\1out", re.sub(r"_", " ", apart.casefold()))
    return re.findall(r"[^\W_]+", whole)
