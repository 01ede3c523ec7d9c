"""Loading image folders: layouts, broken files, the second start, canceling, errors."""

from __future__ import annotations

import os
import shutil
import struct
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pgn_studio.core.config import DataSettings
from pgn_studio.core.data import folder as folder_module
from pgn_studio.core.data.dataset import ImageDataset, settings_as_loaded
from pgn_studio.core.data.images import examine_image, read_image
from pgn_studio.core.errors import Canceled, DataError
from tests.core.data.test_images import png_bytes

Load = Callable[..., ImageDataset]
MakeFolder = Callable[..., Path]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were decoded, in no order."""
    names: list[str] = []

    def counting(read: Callable[..., Any], path: Path, **how: Any) -> Any:
        names.append(path.name)
        return read(path, **how)

    monkeypatch.setattr(folder_module, "read_image", partial(counting, read_image))
    monkeypatch.setattr(folder_module, "examine_image", partial(counting, examine_image))
    return names


def sizes(dataset: ImageDataset) -> dict[str, int]:
    return {name: len(split) for name, split in dataset.splits.items()}


# Layouts


@pytest.mark.parametrize(
    "splits", [("train", "val", "test"), ("Train", "VALID", "Test"), ("TRAIN", "validation", "test")]
)
def test_split_folders_by_any_of_their_names(
    make_folder: MakeFolder, load: Load, splits: tuple[str, ...]
) -> None:
    dataset = load(make_folder(splits), image_size=8)
    assert dataset.classes == ("cat", "dog")
    assert sizes(dataset) == {"train": 8, "val": 8, "test": 8}
    assert dataset.split("val").names[0] == f"{splits[1]}/cat/0.png"
    assert dataset.split("validation") is dataset.split("valid") is dataset.split("val")
    assert dataset.split("test").labels.tolist() == [0] * 4 + [1] * 4
    assert dataset.skipped == ()


def test_pixels_labels_and_paths_belong_together(
    make_folder: MakeFolder, load: Load, numbers: Callable[[np.ndarray], list[int]]
) -> None:
    root = make_folder()
    test = load(root, image_size=8).split("test")
    pixels = test.images([6, 0, 3])
    assert pixels.shape == (3, 8, 8, 3)
    assert pixels.dtype == np.uint8
    assert numbers(pixels) == [22, 16, 19]
    assert test.path(6) == root / "test" / "dog" / "2.png"
    part = test.subset([6, 3])
    assert numbers(part.images(np.array([1, 0]))) == [19, 22]
    assert part.labels.tolist() == [1, 0]
    assert part.names == ("test/dog/2.png", "test/cat/3.png")


def test_classes_in_the_root_are_split_by_seed(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder([""], count=20)
    dataset = load(root, image_size=8, val_fraction=0.25, test_fraction=0.2)
    names = [name for split in dataset.splits.values() for name in split.names]
    assert len(set(names)) == len(names) == 40
    assert all((np.bincount(split.labels) > 0).all() for split in dataset.splits.values())
    assert load(root, image_size=8).fingerprint == load(root, image_size=8, split_seed=0).fingerprint
    assert load(root, image_size=8, split_seed=1).fingerprint != load(root, image_size=8).fingerprint


def test_classes_may_be_called_train_and_test(make_folder: MakeFolder, load: Load) -> None:
    dataset = load(make_folder([""], classes=("car", "test", "train")), image_size=8)
    assert dataset.classes == ("car", "test", "train")


def test_train_and_val_only(make_folder: MakeFolder, load: Load) -> None:
    assert sizes(load(make_folder(("train", "val")), image_size=8)) == {"train": 8, "val": 4, "test": 4}


def test_subset_of_classes_by_seed(make_folder: MakeFolder, load: Load, decoded: list[str]) -> None:
    root = make_folder(classes=[f"c{index}" for index in range(9)], count=1)
    dataset = load(root, image_size=8, num_classes=3, class_seed=1)
    assert len(dataset.classes) == 3
    assert dataset.split("train").labels.tolist() == [0, 1, 2]
    assert all(name.split("/")[1] in dataset.classes for name in dataset.split("train").names)
    assert len(decoded) == 9  # only the chosen ones are looked at
    assert load(root, image_size=8, num_classes=3, class_seed=1).fingerprint == dataset.fingerprint


def test_the_fingerprint_is_of_the_content_not_the_place_or_size(
    make_folder: MakeFolder, load: Load, tmp_path: Path
) -> None:
    root = make_folder()
    shutil.copytree(root, tmp_path / "copy")
    fingerprint = load(root, image_size=8).fingerprint
    assert len(fingerprint) == 64
    assert load(tmp_path / "copy", image_size=16).fingerprint == fingerprint
    (tmp_path / "copy" / "test" / "dog" / "0.png").unlink()
    assert load(tmp_path / "copy", image_size=8).fingerprint != fingerprint


def test_own_size_is_the_typical_shorter_side(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    assert load(root).image_size == 10
    for path in root.rglob("*.png"):
        Image.new("RGB", (600, 500)).save(path)
    assert load(root).image_size == 224


def test_names_that_are_no_text(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    os.rename(root / "test" / "cat" / "0.png", os.fsencode(root / "test" / "cat") + b"/0\xff\xe9.png")
    test = load(root, image_size=8).split("test")
    assert test.names[0] == r"test/cat/0\xff\xe9.png"
    assert test.path(0).is_file()  # type: ignore[union-attr]
    assert load(root, image_size=8).split("test").names == test.names


# Broken files


def test_broken_files_are_skipped_and_listed(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    whole = (root / "train" / "cat" / "0.png").read_bytes()
    (root / "train" / "cat" / "1.png").write_bytes(whole[:-30])
    (root / "train" / "dog" / "2.jpg").write_bytes(b"no image")
    (root / "test" / "dog" / "empty.gif").touch()
    (root / "test" / "dog" / "readme.txt").write_text("not listed", encoding="utf-8")
    for _ in range(2):  # the second time from memory
        dataset = load(root, image_size=8)
        assert sizes(dataset) == {"train": 7, "val": 8, "test": 8}
        reasons = {item.path: item.reason for item in dataset.skipped}
        assert set(reasons) == {"train/cat/1.png", "train/dog/2.jpg", "test/dog/empty.gif"}
        assert "not an image" in reasons["train/dog/2.jpg"]
        assert "train/cat/1.png" not in dataset.split("train").names
        assert dataset.split("train").images(range(7)).shape == (7, 8, 8, 3)


def test_a_file_that_breaks_after_loading_is_named(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    load(root, image_size=8)
    dataset = load(root, image_size=8)
    (root / "test" / "cat" / "2.png").unlink()
    with pytest.raises(DataError, match=r"test/cat/2\.png.*No such file"):
        dataset.split("test").images(range(8))


# Who is in which split, and what is told


def test_one_file_more_or_less_moves_no_other(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder([""], count=30)
    before = {name: set(split.names) for name, split in load(root, image_size=8).splits.items()}
    (root / "cat" / "3.png").unlink()
    shutil.copy(root / "dog" / "5.png", root / "dog" / "a new one.png")
    for name, split in load(root, image_size=8).splits.items():
        assert set(split.names) - {"dog/a new one.png"} == before[name] - {"cat/3.png"}


def test_a_division_of_before_is_had_back(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder([""], count=20)
    before = load(root, image_size=8, split_method="permutation", split_seed=2)
    now = load(root, image_size=8)
    assert now.fingerprint != before.fingerprint
    assert now.divided(before.division).fingerprint == before.fingerprint
    assert now.divided(now.division) is now


def test_exact_copies_across_splits_are_told(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    assert load(root, image_size=8).notices == ()
    copy = root / "test" / "dog" / "again.bmp"  # the same pixels in another file
    Image.open(root / "train" / "cat" / "2.png").save(copy)
    notice, _ = load(root, image_size=8).notices
    assert notice.startswith("1 of 9 images in test")
    assert "copies" in notice
    assert "test/dog/again.bmp" in notice
    assert "train/cat/2.png" in notice
    assert load(root, image_size=16).notices[0] == notice  # at any size, and at the second start


@pytest.mark.parametrize("copy", ["train/dog/again.bmp", "test/dog/again.bmp"])
def test_exact_copies_under_another_class_are_told(make_folder: MakeFolder, load: Load, copy: str) -> None:
    root = make_folder()
    picture = Image.open(root / "train" / "cat" / "2.png")
    picture.save(root / "train" / "cat" / "same.bmp")  # of the same class: no contradiction
    assert load(root, image_size=8).notices == ()
    picture.save(root / copy)
    notice = load(root, image_size=8).notices[-1]
    assert notice.startswith("3 images")
    assert "under another class" in notice
    assert "train/cat/2.png (cat)" in notice
    assert f"{copy} (dog)" in notice


def test_a_copy_is_found_where_the_picture_is_decoded_smaller(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    noise = np.random.default_rng(0).integers(0, 256, (200, 160, 3), dtype=np.uint8)
    Image.fromarray(noise).save(root / "train" / "cat" / "large.jpg")
    Image.open(root / "train" / "cat" / "large.jpg").save(root / "val" / "cat" / "large.png")
    assert "1 of 9 images in val" in " ".join(load(root, image_size=8).notices)


@pytest.mark.parametrize(
    ("dtype", "dark", "bright", "white"),
    [
        ("float32", 0.2, 1.0001, 1.0),  # overshoots, as what was resampled does
        ("float32", 0.9, 250.0, 255.0),  # dark for its set, though it would fit into 0…1
        ("float32", 200.0, 60000.0, 65535.0),
        ("uint16", 200, 60000, 65535.0),
        ("uint16", 30, 4000, 4095.0),  # of a 12-bit camera
        ("uint16", 30, 255, 255.0),  # 8 bits in a wider file
    ],
)
def test_one_scale_of_brightness_for_a_data_set(
    make_folder: MakeFolder, load: Load, dtype: str, dark: float, bright: float, white: float
) -> None:
    root = make_folder()
    for name, value in (("dark", dark), ("bright", bright)):
        Image.fromarray(np.full((12, 10), value, dtype)).save(root / "train" / "cat" / f"{name}.tif")
    for _ in range(2):  # the second start knows it without decoding
        dataset = load(root, image_size=8)
        train = dataset.split("train")
        shown = {name: train.images([index])[0, 0, 0, 0] for index, name in enumerate(train.names)}
        assert shown["train/cat/dark.tif"] == round(255 * dark / white)
        assert shown["train/cat/bright.tif"] == min(255, round(255 * bright / white))
        assert dataset.data_range == white
        assert (
            f"2 of 26 images are {'floating-point' if dtype == 'float32' else '16-bit'}" in dataset.notices[0]
        )


def test_the_scale_can_be_given_and_is_recorded(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    Image.fromarray(np.full((12, 10), 500, "uint16")).save(root / "train" / "cat" / "a.tif")
    dataset = load(root, image_size=8, data_range=1000)
    place = dataset.split("train").names.index("train/cat/a.tif")
    assert dataset.split("train").images([place])[0, 0, 0, 0] == 128
    assert settings_as_loaded(DataSettings(), dataset).data_range == 1000
    assert settings_as_loaded(DataSettings(), load(make_folder(name="others"))).data_range is None


def test_integers_beside_floats_of_another_scale(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    Image.fromarray(np.full((12, 10), 500, "uint16")).save(root / "train" / "cat" / "a.tif")
    Image.fromarray(np.full((12, 10), 0.5, "float32")).save(root / "train" / "cat" / "b.tif")
    with pytest.raises(DataError, match="one scale of brightness"):
        load(root, image_size=8)
    assert load(root, image_size=8, data_range=65535).data_range == 65535


def deep_color(path: Path, value: int) -> Path:
    """A PNG of 16-bit color, which Pillow decodes to 8 bits by itself."""
    row = b"\0" + struct.pack(">3H", value, value, value) * 10
    path.write_bytes(png_bytes(10, 12, row * 12, depth=16, color=2))
    return path


def test_16_bit_color_has_the_whole_scale_and_says_so(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    deep_color(root / "train" / "cat" / "deep.png", 257 * 100)
    dataset = load(root, image_size=8)
    assert dataset.data_range == 65535
    assert "1 of 25 images are 16-bit color" in " ".join(dataset.notices)
    place = dataset.split("train").names.index("train/cat/deep.png")
    assert dataset.split("train").images([place])[0, 0, 0].tolist() == [100] * 3
    with pytest.raises(DataError, match="16-bit color images are read with 65535"):
        load(root, image_size=8, data_range=4095)


def test_gray_of_another_scale_than_color_is_refused(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    deep_color(root / "train" / "cat" / "deep.png", 3000)
    Image.fromarray(np.full((12, 10), 3000, "uint16")).save(root / "train" / "dog" / "gray.png")
    with pytest.raises(DataError, match="one scale of brightness"):
        load(root, image_size=8)


def test_what_is_brighter_than_a_given_white_is_told(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    Image.fromarray(np.full((12, 10), 30000, "uint16")).save(root / "train" / "cat" / "a.png")
    assert "what is brighter is cut off" in load(root, image_size=8, data_range=4095).notices[0]
    assert "cut off" not in load(root, image_size=8).notices[0]


def test_a_picture_without_numbers_is_left_out(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    Image.fromarray(np.full((12, 10), np.nan, "float32")).save(root / "train" / "cat" / "a.tif")
    (left_out,) = load(root, image_size=8).skipped
    assert "NaN" in left_out.reason


# Cost


def test_every_file_is_decoded_once(make_folder: MakeFolder, load: Load, decoded: list[str]) -> None:
    dataset = load(make_folder(), image_size=8)
    assert len(decoded) == 24
    for _ in range(2):
        for split in dataset.splits.values():
            split.images(np.arange(len(split)))
    assert len(decoded) == 24


def test_the_second_start_decodes_nothing_until_images_are_wanted(
    make_folder: MakeFolder, load: Load, decoded: list[str]
) -> None:
    root = make_folder()
    first = load(root, image_size=8)
    decoded.clear()
    calls: list[tuple[int, int]] = []
    again = load(root, image_size=8, progress=lambda done, total: calls.append((done, total)))
    assert decoded == []
    assert {total for _, total in calls} == {0}
    assert again.fingerprint == first.fingerprint
    for _ in range(2):
        pixels = again.split("train").images(np.arange(8))
    assert len(decoded) == 8
    assert np.array_equal(pixels, first.split("train").images(np.arange(8)))


def test_only_changed_files_are_looked_at_again(
    make_folder: MakeFolder, load: Load, decoded: list[str]
) -> None:
    root = make_folder()
    load(root, image_size=8)
    decoded.clear()
    Image.new("RGB", (30, 30)).save(root / "val" / "dog" / "3.png")
    shutil.copy(root / "val" / "dog" / "0.png", root / "val" / "dog" / "new.png")
    assert sizes(load(root, image_size=8))["val"] == 9
    assert sorted(decoded) == ["3.png", "new.png"]


# Progress and canceling


def test_progress_runs_from_nothing_to_all(make_folder: MakeFolder, load: Load) -> None:
    calls: list[tuple[int, int]] = []
    load(make_folder(), image_size=8, progress=lambda done, total: calls.append((done, total)))
    checking = [call for call in calls if call[1]]
    assert checking[0] == (0, 24)
    assert checking[-1] == (24, 24)
    assert [done for done, _ in checking] == sorted(done for done, _ in checking)


@pytest.mark.parametrize("at", [(0, 0), (0, 24), (24, 24)])
def test_canceling_stops_and_leaves_nothing(
    make_folder: MakeFolder, load: Load, home: Path, decoded: list[str], at: tuple[int, int]
) -> None:
    def cancel(done: int, total: int) -> None:
        if (done, total) == at:
            raise Canceled

    root = make_folder()
    with pytest.raises(Canceled):
        load(root, image_size=8, progress=cancel)
    assert not list(home.rglob("*.*"))
    assert len(decoded) == at[0]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]
    assert sizes(load(root, image_size=8)) == {"train": 8, "val": 8, "test": 8}


# Errors


def test_an_empty_class(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    (root / "train" / "emu").mkdir()
    (root / "train" / "emu" / "notes.txt").touch()
    with pytest.raises(DataError, match="No image file in class 'emu' of") as caught:
        load(root)
    assert caught.value.hint


def test_a_class_missing_from_a_split(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    shutil.rmtree(root / "val" / "dog")
    with pytest.raises(DataError, match=r"the val split too, but .* lacks 'dog'"):
        load(root)


def test_a_class_that_only_test_has(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    shutil.copytree(root / "test" / "dog", root / "test" / "wolf")
    with pytest.raises(DataError, match="has 'wolf', which train has not"):
        load(root)


def test_a_class_without_a_readable_image(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    for path in (root / "test" / "dog").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(DataError, match="class 'dog' in the test split") as caught:
        load(root)
    assert "test/dog/3.png" in caught.value.details


def test_no_readable_image_at_all(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    for path in root.rglob("*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(DataError, match="None of the 24 image files can be read"):
        load(root)


@pytest.mark.parametrize("splits", [[""], ("train", "val", "test")])
def test_only_one_class(make_folder: MakeFolder, load: Load, splits: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="at least two classes, found only 'cat'"):
        load(make_folder(splits, classes=("cat",)))


def test_too_few_images_to_split(make_folder: MakeFolder, load: Load) -> None:
    with pytest.raises(DataError, match="too few images to set some aside for val"):
        load(make_folder([""], count=2))


def test_more_classes_wanted_than_there_are(make_folder: MakeFolder, load: Load) -> None:
    with pytest.raises(DataError, match="at least 5 classes to choose from, found 2"):
        load(make_folder(), num_classes=5)


def test_no_train_folder(make_folder: MakeFolder, load: Load) -> None:
    with pytest.raises(DataError, match="Expected a folder 'train'"):
        load(make_folder(("val", "test")))


def test_split_folders_without_class_folders(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder([""], classes=("train", "test"))
    with pytest.raises(DataError, match="Expected a folder 'train' with class folders"):
        load(root)


def test_two_folders_for_one_split(make_folder: MakeFolder, load: Load) -> None:
    with pytest.raises(DataError, match="both mean the val split"):
        load(make_folder(("train", "val", "valid", "test")))


def test_images_without_folders_and_an_empty_folder(tmp_path: Path, load: Load) -> None:
    empty = tmp_path / "flat"
    empty.mkdir()
    with pytest.raises(DataError, match="found no folders"):
        load(empty)
    Image.new("L", (9, 9)).save(empty / "a.png")
    with pytest.raises(DataError, match="images that lie in no class folder"):
        load(empty)


def test_the_folder_around_the_data_set(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder(name="around/pets")
    with pytest.raises(DataError, match="found a data set in 'pets'") as caught:
        load(root.parent)
    assert str(root) in caught.value.hint


def test_an_unknown_split_lists_what_there_is(make_folder: MakeFolder, load: Load) -> None:
    with pytest.raises(DataError, match=r"no split 'holdout'. It has: train, val, test"):
        load(make_folder(), image_size=8).split("holdout")


# Real photographs


def test_real_photographs(clothing: Path, load: Load, tmp_path: Path) -> None:
    root = tmp_path / "clothes"  # three classes, a few of each: the whole set takes seconds
    for split in ("train", "validation", "test"):
        for title in ("hat", "shoes", "t-shirt"):
            (root / split / title).mkdir(parents=True)
            for photo in sorted((clothing / split / title).iterdir())[:8]:
                (root / split / title / photo.name).symlink_to(photo)
    dataset = load(root, image_size=96)
    assert sizes(dataset) == {"train": 24, "val": 24, "test": 24}
    assert dataset.skipped == ()
    pixels = dataset.split("val").images(np.arange(24))
    assert pixels.shape == (24, 96, 96, 3)
    assert (pixels.reshape(24, -1).std(axis=1) > 10).all()  # pictures, not empty squares
