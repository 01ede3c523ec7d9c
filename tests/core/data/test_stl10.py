"""STL-10's binary files, written here column by column as its authors do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.errors import DataError

Load = Callable[..., ImageDataset]
NAMES = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]


def picture(number: int) -> np.ndarray:
    """96x96 RGB: red grows downwards, green to the right, blue is the number."""
    image = np.zeros((96, 96, 3), dtype=np.uint8)
    image[:, :, 0] = np.arange(96)[:, None]
    image[:, :, 1] = np.arange(96)[None, :]
    image[:, :, 2] = number
    return image


def write(folder: Path, split: str, labels: list[int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{split}_X.bin").open("wb") as stream:
        for number in range(len(labels)):
            for channel in range(3):
                stream.write(np.asfortranarray(picture(number)[:, :, channel]).tobytes(order="F"))
    np.array(labels, dtype=np.uint8).tofile(folder / f"{split}_y.bin")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "stl10_binary"
    write(folder, "train", [*range(1, 11)] * 2)
    write(folder, "test", [3, 1, 2, 10, 4, 5, 6, 7, 8, 9])
    (folder / "class_names.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8")
    return folder.parent


@pytest.mark.parametrize("inside", [False, True])
def test_images_are_upright_and_labels_count_from_zero(root: Path, load: Load, inside: bool) -> None:
    dataset = load("stl10", data_root=root / "stl10_binary" if inside else root)
    assert dataset.classes == tuple(NAMES)
    assert dataset.image_size == 96
    test = dataset.split("test")
    assert test.labels.tolist() == [2, 0, 1, 9, 3, 4, 5, 6, 7, 8]
    assert np.array_equal(test.images([3])[0], picture(3))
    assert len(dataset.split("train")) == len(dataset.split("val")) == 10


def test_other_sizes_subsets_and_no_list_of_names(root: Path, load: Load) -> None:
    (root / "stl10_binary" / "class_names.txt").unlink()
    dataset = load("STL-10", data_root=root, image_size=32, num_classes=4, class_seed=2)
    assert len(dataset.classes) == 4
    assert set(dataset.classes) < set(NAMES)
    pixels = dataset.split("test").images([0])[0].astype(int)
    assert pixels.shape == (32, 32, 3)
    assert pixels[-1, 0, 0] > 90
    assert pixels[0, -1, 1] > 90


def test_missing_files_are_named(root: Path, load: Load) -> None:
    (root / "stl10_binary" / "train_y.bin").unlink()
    with pytest.raises(DataError, match=r"incomplete.*missing: train_y\.bin"):
        load("stl10", data_root=root)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("test_X.bin", b"\0" * 27649, "multiple of 27648 bytes, found 27649"),
        ("test_X.bin", b"", "multiple of 27648 bytes, found 0"),
        ("train_y.bin", b"\1" * 19, "expected 20 labels, found 19"),
        ("train_y.bin", b"\0" * 20, "labels from 1 to 10, found 0 to 0"),
        ("train_y.bin", b"\x0b" * 20, "labels from 1 to 10, found 11 to 11"),
        ("class_names.txt", b"cat\ndog\n", "Expected 10 different names"),
        ("class_names.txt", b"\xff\xfe", "cannot be read"),
    ],
)
def test_damaged_files(root: Path, load: Load, name: str, content: bytes, message: str) -> None:
    (root / "stl10_binary" / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load("stl10", data_root=root)
