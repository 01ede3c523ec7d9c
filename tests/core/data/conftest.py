"""Small image folders made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.sources import load_dataset

MakeFolder = Callable[..., Path]
MakeTree = Callable[..., Path]
Load = Callable[..., ImageDataset]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test remembers its own verdicts."""
    folder = tmp_path / "home"
    monkeypatch.setenv("PGN_STUDIO_HOME", str(folder))
    return folder


def write_image(path: Path, number: int = 0, size: tuple[int, int] = (12, 10)) -> Path:
    """A PNG of one color that tells its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    color = (number % 256, number // 256 % 256, 7)
    Image.new("RGB", size, color).save(path)
    return path


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """make_folder(("train", "val"), classes=("cat", "dog"), count=4) -> the root."""

    def make(
        splits: Iterable[str] = ("train", "val", "test"),
        *,
        classes: Iterable[str] = ("cat", "dog"),
        count: int = 4,
        name: str = "pets",
    ) -> Path:
        root = tmp_path / name
        number = 0
        for split in splits:
            for title in classes:
                for index in range(count):
                    write_image(root / split / title / f"{index}.png", number)
                    number += 1
        return root

    return make


@pytest.fixture
def make_tree(tmp_path: Path) -> MakeTree:
    """make_tree("train/cat", "docs:0") -> the root; six images in each folder, or as many as it says."""

    def make(*folders: str) -> Path:
        root = tmp_path / "photos"
        for number, folder in enumerate(folders):
            path, _, count = folder.partition(":")
            (root / path).mkdir(parents=True, exist_ok=True)
            for index in range(int(count or 6)):
                write_image(root / path / f"{index}.png", 16 * number + index)
        return root

    return make


@pytest.fixture
def load() -> Load:
    """load(folder or name, image_size=8, ...) -> the data set."""

    def load_with(dataset: Path | str, *, progress: object = None, **settings: object) -> ImageDataset:
        return load_dataset(DataSettings.make(dataset=str(dataset), **settings), progress=progress)  # type: ignore[arg-type]

    return load_with


@pytest.fixture
def numbers() -> Callable[[np.ndarray], list[int]]:
    """The numbers of images that write_image made, from their pixels (B, H, W, 3)."""

    def read(pixels: np.ndarray) -> list[int]:
        return [int(image[0, 0, 0]) + 256 * int(image[0, 0, 1]) for image in pixels]

    return read
