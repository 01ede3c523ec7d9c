"""Image folders: train|val|test/class/… or class/…, verified once and remembered."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pgn_studio.core.class_names import MIRRORING_CHANGES_CLASS, mirrorable
from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.dataset import ImageDataset, SkippedFile, assemble
from pgn_studio.core.data.images import (
    Examined,
    UnreadableImage,
    WideValues,
    check_data_range,
    choose_data_range,
    examine_image,
    image_formats,
    read_image,
)
from pgn_studio.core.data.layout import find_layout
from pgn_studio.core.data.listing import Listing, list_files, skipped_lines
from pgn_studio.core.data.scanning import FolderScan, FoundFile, class_folders, printable, some
from pgn_studio.core.data.splitting import choose_classes
from pgn_studio.core.data.store import ImageStore, Rows, in_threads
from pgn_studio.core.data.verdicts import READABLE, Verdict, Verdicts
from pgn_studio.core.errors import DataError
from pgn_studio.core.protocols import Progress, UInt8Images

_LARGEST_OWN_SIZE = 224  # without a wish, images are not made larger than the paper's
_SIZE_SAMPLE = 48  # files looked at to learn the folder's own size
_PROGRESS_INTERVAL_S = 0.05
_OVERSHOT = 1.01  # times white, below which resampling is the usual cause


class FileSource:
    """Pixels from image files; implements store.ImageSource.

    `verdicts` and `data_range` are there once the files have been examined.
    """

    resident = False

    def __init__(self, root: Path, files: Sequence[FoundFile], image_size: int) -> None:
        self._root = root
        self._files = files
        self._image_size = image_size
        self.verdicts: Sequence[Verdict] = ()
        self.data_range: float | None = None

    def __len__(self) -> int:
        return len(self._files)

    def name(self, row: int) -> str:
        return printable(self._files[row].name)

    def path(self, row: int) -> Path:
        return self._root / self._files[row].name

    def byte_size(self, row: int) -> int:
        return self._files[row].size

    def pixel_hash(self, row: int) -> int:
        return self.verdicts[row].pixel_hash

    def read(self, row: int) -> UInt8Images:
        return read_image(self.path(row), size=self._image_size, data_range=self.data_range)

    def examine(self, row: int) -> Examined:
        return examine_image(self.path(row), size=self._image_size)


def load_folder(
    root: Path,
    settings: DataSettings,
    progress: Progress,
    *,
    name: str = "",
    titles: Mapping[str, str] | None = None,
    val_is_test: bool = False,
) -> ImageDataset:
    """Load the image folder `root`, an existing folder.

    `titles` gives class folders another name; `val_is_test` takes the val folder for the test
    split (data sets that publish their held-out images under that name). Raises DataError; what
    `progress` raises (Canceled) passes through and leaves nothing behind.
    """
    root = root.absolute()
    scan = FolderScan(root)
    layout = find_layout(scan, val_is_test=val_is_test)
    train_classes = class_folders(scan, layout.folders["train"])
    folders = choose_classes(list(train_classes), settings)
    listing = list_files(
        scan, layout.folders, train_classes=train_classes, chosen=folders, step=lambda: progress(0, 0)
    )
    size = settings.image_size or _own_size(root, listing.files)
    source = FileSource(root, listing.files, size)
    store = ImageStore(source, image_size=size, cache_mb=settings.cache_mb)
    source.verdicts = _examined(listing.files, source, store, Verdicts(root), progress)
    wide = [verdict.wide for verdict in source.verdicts if verdict.wide and not verdict.reason]
    check_data_range(settings.data_range, wide)
    source.data_range = settings.data_range or choose_data_range(wide)
    bad = _bad(listing.files, source.verdicts)
    rows = {split: members[~bad.mask[members]] for split, members in listing.rows.items()}
    _check_readable(rows, listing, folders, bad)
    classes = [(titles or {}).get(folder, folder) for folder in folders]
    mirrored = mirrorable(classes)
    return assemble(
        name=name or root.name,
        root=str(root),
        classes=classes,
        store=store,
        labels=listing.labels,
        found=rows,
        settings=settings,
        divides_by_name=True,
        data_range=source.data_range,
        skipped=[SkippedFile(printable(item.path), item.reason) for item in (*scan.skipped, *bad.files)],
        notices=(
            *layout.notices,
            *listing.notices,
            *_brightness(wide, source),
            *((MIRRORING_CHANGES_CLASS,) if mirrored is False else ()),
        ),
        mirrorable=mirrored,
    )


def own_size(dataset: ImageDataset) -> int | None:
    """At which size the files of a data set would be read by themselves; None where it has no files."""
    train = dataset.split("train")
    paths = [train.path(index) for index in range(0, len(train), max(1, len(train) // _SIZE_SAMPLE))]
    files = [path for path in paths if path is not None]
    return _typical_size(files) if files else None


def _own_size(root: Path, files: Sequence[FoundFile]) -> int:
    return _typical_size([root / file.name for file in files[:: max(1, len(files) // _SIZE_SAMPLE)]])


def _typical_size(files: Sequence[Path]) -> int:
    """The typical shorter side of the images, from their headers, between 8 and 224 pixels."""
    sides = []
    for file in files:
        try:
            with Image.open(file, formats=image_formats()) as image:
                sides.append(min(image.size))
        except Exception:  # noqa: BLE001 - verification will say what is wrong with it
            continue
    typical = int(statistics.median(sides)) if sides else _LARGEST_OWN_SIZE
    return min(max(8, typical), _LARGEST_OWN_SIZE)


@dataclass(frozen=True)
class _Bad:
    mask: np.ndarray[tuple[int], np.dtype[np.bool_]]  # (number of files,)
    files: list[SkippedFile]


def _examined(
    files: Sequence[FoundFile], source: FileSource, store: ImageStore, verdicts: Verdicts, progress: Progress
) -> list[Verdict]:
    """What is known of each file; new ones are decoded, into the cache while there is room."""
    known = [verdicts.get(*file) for file in files]
    unknown = [row for row, verdict in enumerate(known) if verdict is None]

    def judge(row: int) -> Verdict:
        try:
            found = source.examine(row)
        except UnreadableImage as error:
            return Verdict(str(error) or "unreadable")
        if found.pixels is not None:
            store.keep(row, found.pixels)
        return Verdict(READABLE, found.pixel_hash, found.wide)

    if unknown:
        progress(0, len(unknown))
    told = time.monotonic()
    with closing(in_threads(judge, unknown)) as judged:
        for done, verdict in enumerate(judged, start=1):
            row = unknown[done - 1]
            known[row] = verdict
            verdicts.set(*files[row], verdict)
            if done == len(unknown) or time.monotonic() - told > _PROGRESS_INTERVAL_S:
                progress(done, len(unknown))
                told = time.monotonic()
    verdicts.save()
    return [verdict for verdict in known if verdict is not None]


def _bad(files: Sequence[FoundFile], verdicts: Sequence[Verdict]) -> _Bad:
    bad = [SkippedFile(file.name, v.reason) for file, v in zip(files, verdicts, strict=True) if v.reason]
    return _Bad(np.array([verdict.reason != READABLE for verdict in verdicts], dtype=bool), bad)


def _brightness(wide: Sequence[WideValues], source: FileSource) -> list[str]:
    """What was taken as white in pictures of more than 8 bits."""
    if not wide:
        return []
    kind = "floating-point" if any(item.floating for item in wide) else "16-bit"
    kind += " color" if all(item.color for item in wide) else ""
    lowest, highest = min(item.lowest for item in wide), max(item.highest for item in wide)
    white = source.data_range or 0.0
    told = (
        f"{len(wide):,} of {len(source):,} images are {kind}, with values from {lowest:g} to {highest:g}: "
        f"{white:g} is taken as white in all of them"
    )
    if highest > white * (_OVERSHOT if kind == "floating-point" else 1):
        told += ", so that what is brighter is cut off"
    return [f"{told}, and values below 0 as black." if lowest < 0 else f"{told}."]


def _check_readable(rows: Mapping[str, Rows], listing: Listing, classes: Sequence[str], bad: _Bad) -> None:
    """Every class of every split needs an image that can be read. Raises DataError."""
    details = skipped_lines(bad.files)
    if bad.mask.all():
        raise DataError(
            f"None of the {len(listing.files)} image files can be read; the first: "
            f"{bad.files[0].path}: {bad.files[0].reason}.",
            hint="Check the files with an image viewer.",
            details=details,
        )
    for split, members in rows.items():
        counts = np.bincount(listing.labels[members], minlength=len(classes))
        empty = [name for name, count in zip(classes, counts, strict=True) if count == 0]
        if empty:
            raise DataError(
                f"No image of class {some(empty)} in the {split} split can be read.",
                hint="Replace the broken files, or remove the class.",
                details=details,
            )
