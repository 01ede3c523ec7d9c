"""STL-10's binary files (Coates, Ng, Lee 2011): 96x96 RGB, ten classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.arrays import ArrayPart, load_arrays
from pgn_studio.core.data.base import DataSource
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.download import files_root, get_files
from pgn_studio.core.errors import DataError
from pgn_studio.core.protocols import Labels, Progress, UInt8Images

SIDE = 96
_FOLDER = "stl10_binary"
_IMAGE_BYTES = 3 * SIDE * SIDE
_CLASSES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
FILES = ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin")


class Stl10(DataSource):
    title = "STL-10"

    def load(self, settings: DataSettings, progress: Progress) -> ImageDataset:
        root = files_root(settings)
        offline = Advice(
            "Put {} and class_names.txt of stl10_binary.tar.gz into {}, or name their folder with {}.",
            ", ".join(FILES),
            root,
            Setting("data_root"),
        )
        folder = find_stl10(root)
        if folder is None:
            get_files("STL10", settings, progress, options=["split=train"], offline=offline)
            folder = find_stl10(root)
        if folder is None:
            raise DataError(f"No STL-10 in {root} after the download.", hint=offline)
        parts, classes = read_stl10(folder)
        size = settings.image_size or SIDE
        return load_arrays(
            "stl10", parts, classes, settings, root=str(folder), image_size=size, mirrorable=True
        )


def find_stl10(root: Path) -> Path | None:
    """The folder with the four files: `root` or its stl10_binary. Raises DataError if some are missing."""
    for folder in (root, root / _FOLDER):
        there = [name for name in FILES if (folder / name).is_file()]
        if len(there) == len(FILES):
            return folder
        if there:
            missing = ", ".join(name for name in FILES if name not in there)
            raise DataError(
                f"STL-10 in {folder} is incomplete: expected {', '.join(FILES)}; missing: {missing}.",
                hint="Extract the whole archive again.",
            )
    return None


def read_stl10(folder: Path) -> tuple[list[ArrayPart], list[str]]:
    """The parts "train" and "test", mapped from disk, and the class names. Raises DataError."""
    classes = _class_names(folder)
    parts = []
    for split in ("train", "test"):
        pixels = _images(folder / f"{split}_X.bin")
        parts.append(ArrayPart(split, pixels, _labels(folder / f"{split}_y.bin", len(pixels), len(classes))))
    return parts, classes


def _images(path: Path) -> UInt8Images:
    size = path.stat().st_size
    if size == 0 or size % _IMAGE_BYTES:
        raise DataError(
            f"{path} is damaged: expected a multiple of {_IMAGE_BYTES} bytes, found {size}.",
            hint="Extract or download it again.",
        )
    stored = np.memmap(path, dtype=np.uint8, mode="r", shape=(size // _IMAGE_BYTES, 3, SIDE, SIDE))
    return stored.transpose(0, 3, 2, 1)  # each channel is stored column by column


def _labels(path: Path, count: int, classes: int) -> Labels:
    labels = np.fromfile(path, dtype=np.uint8).astype(np.int64) - 1  # stored from 1
    if len(labels) != count:
        raise DataError(
            f"{path} is damaged: expected {count} labels, found {len(labels)}.",
            hint="Extract or download it again.",
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"{path} is damaged: expected labels from 1 to {classes}, "
            f"found {labels.min() + 1} to {labels.max() + 1}.",
            hint="Extract or download it again.",
        )
    return labels


def _class_names(folder: Path) -> list[str]:
    try:
        names = (folder / "class_names.txt").read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return list(_CLASSES)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{folder / 'class_names.txt'} cannot be read: {error}.") from error
    if len(set(names)) != len(_CLASSES):
        raise DataError(
            f"Expected {len(_CLASSES)} different names in {folder / 'class_names.txt'}, "
            f"found {len(set(names))}.",
            hint="Extract it again, or delete it to use STL-10's own names.",
        )
    return names
