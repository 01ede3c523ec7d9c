"""Data sets known by name: digits, CIFAR-10, Fashion-MNIST, Imagenette (STL-10 has a file of its own)."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.arrays import ArrayPart, load_arrays
from pgn_studio.core.data.base import DataSource
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.download import files_root, get_files
from pgn_studio.core.data.folder import load_folder
from pgn_studio.core.errors import DataError
from pgn_studio.core.protocols import Progress

_DIGITS_SIZE = 16
# Nothing is published for digits, so these shares hold whatever the settings say: figures compare.
_DIGITS_TEST = 0.25
_DIGITS_VAL = 0.2  # of what is not test: 15 % of all

_IMAGENETTE_TITLES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


class Digits(DataSource):
    """scikit-learn's 1,797 handwritten digits, 8x8 with values 0..16, made larger bilinearly."""

    title = "Digits (bundled)"

    def load(self, settings: DataSettings, progress: Progress) -> ImageDataset:
        digits = importlib.import_module("sklearn.datasets").load_digits()
        pixels = np.rint(np.asarray(digits.images) * (255 / 16)).astype(np.uint8)
        progress(0, 0)
        return load_arrays(
            "digits",
            [ArrayPart("train", pixels, np.asarray(digits.target, dtype=np.int64), shown_as="digit")],
            [str(digit) for digit in range(10)],
            settings.updated(test_fraction=_DIGITS_TEST, val_fraction=_DIGITS_VAL),
            root="",
            image_size=settings.image_size or _DIGITS_SIZE,
            resampling=Image.Resampling.BILINEAR,
            mirrorable=False,
        )


class _OfTorchvision(DataSource):
    """A data set that torchvision reads into arrays; it checks the files against their hashes."""

    name: ClassVar[str]
    kind: ClassVar[str]  # torchvision's class
    folder: ClassVar[str]
    files: ClassVar[str]  # what to put where there is no network

    def load(self, settings: DataSettings, progress: Progress) -> ImageDataset:
        root = files_root(settings)
        if root.name == self.folder:  # the folder itself was given
            root = root.parent
        offline = Advice(
            "Put {} into {}, or name the folder around it with {}.", self.files, root, Setting("data_root")
        )
        if not (root / self.folder).is_dir():
            get_files(self.kind, settings.updated(data_root=root), progress, offline=offline)
        parts = []
        for split in ("train", "test"):
            progress(0, 0)
            data = _read_torchvision(self.kind, root, train=split == "train", offline=offline)
            targets = np.asarray(data.targets, dtype=np.int64)
            parts.append(ArrayPart(split, np.asarray(data.data, dtype=np.uint8), targets))
        size = settings.image_size or parts[0].pixels.shape[1]
        classes = [str(title) for title in data.classes]
        place = str(root / self.folder)
        return load_arrays(self.name, parts, classes, settings, root=place, image_size=size, mirrorable=True)


class Cifar10(_OfTorchvision):
    title = "CIFAR-10"
    name, kind = "cifar10", "CIFAR10"
    folder = "cifar-10-batches-py"
    files = "the folder cifar-10-batches-py of cifar-10-python.tar.gz"


class FashionMnist(_OfTorchvision):
    title = "Fashion-MNIST"
    name, kind = "fashion-mnist", "FashionMNIST"
    folder = "FashionMNIST"
    files = "the four extracted ubyte files (train-images-idx3-ubyte, …) as FashionMNIST/raw/…"


def _read_torchvision(kind: str, root: Path, *, train: bool, offline: str) -> Any:
    try:
        datasets = importlib.import_module("torchvision.datasets")
        return getattr(datasets, kind)(str(root), train=train, download=False)
    except ImportError as error:
        raise DataError(
            f"torchvision cannot be imported: {error}.", hint="Install torch and torchvision together."
        ) from error
    except (RuntimeError, OSError, ValueError, AssertionError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(f"{kind} in {root} is incomplete or damaged: {error}", hint=offline) from error


class Imagenette(DataSource):
    """An image folder with train and val; val, its published held-out part, is the test split."""

    title = "Imagenette"

    def load(self, settings: DataSettings, progress: Progress) -> ImageDataset:
        root = files_root(settings)
        versions = _imagenette_versions(settings.image_size)
        offline = Advice(
            "Extract imagenette2-160.tgz, imagenette2-320.tgz or imagenette2.tgz into {}, or name the folder"
            " around it with {}.",
            root,
            Setting("data_root"),
        )
        folder = _imagenette_folder(root, versions)
        if folder is None:
            sizes = {"imagenette2-160": "160px", "imagenette2-320": "320px", "imagenette2": "full"}
            option = sizes[versions[0]]
            get_files("Imagenette", settings, progress, options=[f"size={option}"], offline=offline)
            folder = _imagenette_folder(root, versions)
        if folder is None:
            raise DataError(f"No Imagenette in {root} after the download.", hint=offline)
        dataset = load_folder(
            folder, settings, progress, name="imagenette", titles=_IMAGENETTE_TITLES, val_is_test=True
        )
        return replace(dataset, mirrorable=True)


def _imagenette_versions(image_size: int | None) -> list[str]:
    """Its folders, the best first: the smallest that is not smaller than the wanted size."""
    by_size = [(160, "imagenette2-160"), (320, "imagenette2-320"), (1024, "imagenette2")]
    large_enough = [folder for side, folder in by_size if side >= (image_size or 160)]
    return large_enough + [folder for _, folder in reversed(by_size) if folder not in large_enough]


def _imagenette_folder(root: Path, versions: Sequence[str]) -> Path | None:
    candidates = [root / version for version in versions]
    if root.name in versions:
        candidates.insert(0, root)
    return next((folder for folder in candidates if (folder / "train").is_dir()), None)
