"""Data sets by name: digits for real, the others on small files of their own layout."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from torchvision import datasets

from pgn_studio.core.data import download as downloading
from pgn_studio.core.data import named as named_module
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.errors import Canceled, DataError
from pgn_studio.core.protocols import Progress

Load = Callable[..., ImageDataset]


# Digits


def test_digits_are_all_there_in_three_shares(load: Load) -> None:
    dataset = load("digits")
    assert dataset.image_size == 16
    assert dataset.classes == tuple("0123456789")
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    assert sum(sizes.values()) == 1797
    assert {name: round(100 * size / 1797) for name, size in sizes.items()} == {
        "train": 60,
        "val": 15,
        "test": 25,
    }
    assert len({name for split in dataset.splits.values() for name in split.names}) == 1797
    assert all(np.bincount(split.labels).min() > 20 for split in dataset.splits.values())


def test_digits_pixels_at_their_own_size(load: Load) -> None:
    test = load("digits", image_size=8).split("test")
    number = int(test.names[3].split("/")[1])
    original = load_digits()
    assert np.array_equal(test.images([3])[0, :, :, 1], np.rint(original.images[number] * 255 / 16))
    assert test.labels[3] == original.target[number]


def test_digits_are_enlarged_bilinearly(load: Load) -> None:
    small, large = load("digits", image_size=8).split("val"), load("digits").split("val")
    picture = Image.fromarray(small.images([0])[0]).resize((16, 16), Image.Resampling.BILINEAR)
    assert np.array_equal(large.images([0])[0], np.asarray(picture))


def test_digits_split_by_seed_alone(load: Load) -> None:
    assert load("digits").fingerprint == load("digits", val_fraction=0.5, image_size=32).fingerprint
    assert load("digits", split_seed=1).fingerprint != load("digits").fingerprint
    assert len(load("digits", num_classes=3).classes) == 3


# CIFAR-10 and Fashion-MNIST, in the layout that torchvision reads


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    checked = {}
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        content: dict[str, object] = {"label_names": [f"thing {index}" for index in range(10)]}
        if name != "batches.meta":
            pixels = np.arange(40, dtype=np.uint8)[:, None].repeat(3072, axis=1)
            content = {"data": pixels, "labels": [index % 10 for index in range(40)]}
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        checked[name] = hashlib.md5(data).hexdigest()
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [["data_batch_1", checked["data_batch_1"]]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", checked["test_batch"]]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": checked["batches.meta"]}
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)
    return folder


def test_cifar10(cifar: Path, load: Load) -> None:
    dataset = load("cifar10", data_root=cifar.parent)
    assert dataset.image_size == 32
    assert dataset.classes[9] == "thing 9"
    test = dataset.split("test")
    assert (test.images([7]) == 7).all()
    assert test.labels[17] == 7
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 30,
        "val": 10,
        "test": 40,
    }
    assert load("CIFAR-10", data_root=cifar, image_size=8).fingerprint == dataset.fingerprint


def test_damaged_cifar10(cifar: Path, load: Load) -> None:
    (cifar / "test_batch").write_bytes(b"half")
    with pytest.raises(DataError, match="incomplete or damaged") as caught:
        load("cifar10", data_root=cifar.parent)
    assert "cifar-10-python.tar.gz" in caught.value.hint


def test_fashion_mnist(tmp_path: Path, load: Load) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        images = np.arange(40, dtype=np.uint8)[:, None, None].repeat(28, 1).repeat(28, 2)
        labels = np.arange(40, dtype=np.uint8) % 10
        (raw / f"{part}-images-idx3-ubyte").write_bytes(
            struct.pack(">4I", 2051, 40, 28, 28) + images.tobytes()
        )
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 2049, 40) + labels.tobytes())
    dataset = load("fashion-mnist", data_root=tmp_path)
    assert dataset.image_size == 28
    assert dataset.classes[1] == "Trouser"
    assert (dataset.split("test").images([33]) == 33).all()
    assert dataset.split("test").images([0]).shape == (1, 28, 28, 3)


# Imagenette


@pytest.fixture
def imagenette(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for split in ("train", "val"):
        for wnid in ("n01440764", "n03445777"):
            (root / "imagenette2-160" / split / wnid).mkdir(parents=True)
            for number in range(4):
                Image.new("RGB", (20, 16)).save(root / "imagenette2-160" / split / wnid / f"{number}.JPEG")
    return root


@pytest.mark.parametrize("inside", [False, True])
def test_imagenette_keeps_its_val_as_test(imagenette: Path, load: Load, inside: bool) -> None:
    root = imagenette / "imagenette2-160" if inside else imagenette
    dataset = load("imagenette", data_root=root, image_size=64)
    assert dataset.name == "imagenette"
    assert dataset.classes == ("tench", "golf ball")
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 6, "val": 2, "test": 8}
    assert dataset.split("test").names[0] == "val/n01440764/0.JPEG"


@pytest.mark.parametrize(
    ("size", "first"),
    [(None, "imagenette2-160"), (96, "imagenette2-160"), (224, "imagenette2-320"), (512, "imagenette2")],
)
def test_the_smallest_imagenette_that_is_large_enough(size: int | None, first: str) -> None:
    versions = named_module._imagenette_versions(size)
    assert versions[0] == first
    assert sorted(versions) == ["imagenette2", "imagenette2-160", "imagenette2-320"]


# What is not there


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("stl10", "train_X.bin"),
        ("cifar10", "cifar-10-batches-py"),
        ("fashion-mnist", "train-images-idx3-ubyte"),
        ("imagenette", "imagenette2-160.tgz"),
    ],
)
def test_without_files_the_error_says_which_go_where(
    tmp_path: Path, home: Path, load: Load, name: str, files: str
) -> None:
    for settings, folder in (
        ({"data_root": tmp_path / "elsewhere"}, tmp_path / "elsewhere"),
        ({}, home / "data"),
    ):
        with pytest.raises(DataError) as caught:
            load(name, **settings)
        assert str(folder) in caught.value.message
        assert files in caught.value.hint
        assert str(folder) in caught.value.hint
        assert "download=True" in caught.value.hint
        assert not folder.exists()


@pytest.mark.parametrize("name", ["stl10", "cifar10", "fashion-mnist", "imagenette"])
def test_with_leave_they_are_downloaded(
    tmp_path: Path, load: Load, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def nothing_comes(
        kind: str, root: Path, progress: Progress, *, options: object = (), offline: str
    ) -> None:
        asked.append(kind)

    monkeypatch.setattr(downloading, "download", nothing_comes)
    with pytest.raises(DataError):
        load(name, data_root=tmp_path, download=True)
    assert len(asked) == 1


def test_a_file_for_the_data_root(tmp_path: Path, load: Load) -> None:
    (tmp_path / "archive.tgz").write_bytes(gzip.compress(b"x"))
    with pytest.raises(DataError, match="Expected a folder, found a file"):
        load("imagenette", data_root=tmp_path / "archive.tgz")


def test_named_sets_can_be_canceled(load: Load) -> None:
    def cancel(done: int, total: int) -> None:
        raise Canceled

    with pytest.raises(Canceled):
        load("digits", progress=cancel)
