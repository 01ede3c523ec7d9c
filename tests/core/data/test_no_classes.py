"""Folders in the place of classes that are none, and real classes that look a little like them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.errors import DataError

Load = Callable[..., ImageDataset]
MakeTree = Callable[..., Path]


@pytest.mark.parametrize(
    "folders",
    [
        ("HAM10000_images_part_1", "HAM10000_images_part_2"),
        tuple(f"fold_{number}" for number in range(5)),
        ("batch1", "batch2", "docs:0"),
        ("Chunk 01", "Chunk 02"),
        ("shard-1of2", "shard-2of2"),
        ("split1/cat", "split1/dog", "split2/cat", "split2/dog"),
        ("images_001/images", "images_002/images"),
        ("train/part1", "train/part2", "test/part1", "test/part2"),
    ],
)
def test_parts_of_a_data_set_are_no_classes(
    make_tree: MakeTree, load: Load, folders: tuple[str, ...]
) -> None:
    with pytest.raises(DataError, match="parts of one data set") as caught:
        load(make_tree(*folders))
    assert f"'{folders[0].removeprefix('train/').split('/')[0]}'" in caught.value.message
    assert "class/…" in caught.value.hint


@pytest.mark.parametrize(
    "pair",
    [
        ("images", "masks"),
        ("image", "mask"),
        ("rgb", "depth"),
        ("leftImg8bit", "gtFine"),
        ("leftImg8bit/aachen", "leftImg8bit/bochum", "gtFine/aachen", "gtFine/bochum"),
        *(("images", beside) for beside in ("labels:0", "annotations:0", "meta:0", "segmentation", "gt")),
        ("images/train", "images/val", "labels/train:0", "labels/val:0"),
        ("JPEGImages", "Annotations:0", "ImageSets/Main:0", "SegmentationClass", "SegmentationObject"),
        ("ISIC_Training_Input", "ISIC_Training_GroundTruth"),
        ("train_images", "train_masks"),
        ("img", "Ground Truth"),
        ("photos", "docs:0"),
        ("train/images", "train/labels:0", "valid/images", "valid/labels:0"),
    ],
)
def test_images_beside_masks_or_labels_are_no_classes(
    make_tree: MakeTree, load: Load, pair: tuple[str, ...]
) -> None:
    with pytest.raises(DataError, match="masks, labels") as caught:
        load(make_tree(*pair))
    assert "class" in caught.value.hint


def test_the_images_are_to_be_chosen_where_they_hold_classes(make_tree: MakeTree, load: Load) -> None:
    root = make_tree("images/apple_pie", "images/ramen", "meta:0")
    with pytest.raises(DataError, match="'meta'") as caught:
        load(root)
    assert f"Choose {root / 'images'}" in caught.value.hint
    assert load(root / "images", image_size=8).classes == ("apple_pie", "ramen")


@pytest.mark.parametrize(
    "folders",
    [
        ("mask", "no_mask"),
        ("with_mask", "without_mask"),
        ("photo", "sketch"),
        ("photo", "figure"),
        ("part_1", "cat", "dog"),
        ("1", "2", "3"),
        ("class_1", "class_2"),
        ("label", "stamp"),
        ("image", "mask", "cat", "dog", "emu"),
        ("mammal/cat", "mammal/dog", "cat"),
    ],
)
def test_classes_that_look_a_little_like_that(
    make_tree: MakeTree, load: Load, folders: tuple[str, ...]
) -> None:
    dataset = load(make_tree(*folders), image_size=8)
    assert set(dataset.classes) == {folder.split("/")[0] for folder in folders}


@pytest.mark.parametrize(
    ("folders", "among", "todo"),
    [
        (("train/a", "train/b", "train/val/a", "train/val/b"), "train/val", "If it is the val split"),
        (("train/a", "train/b", "train/Testing/x/a", "train/Testing/x/b"), "train/Testing", "test split"),
        (
            ("train/a", "train/b", "train/train/a", "train/train/b", "test/a", "test/b"),
            "train/train",
            "train",
        ),
        (("a", "b", "pets/a", "pets/b"), "pets", "copy"),
        (("a", "b", "c", "augmented/a", "augmented/b"), "augmented", "merge"),
    ],
)
def test_the_classes_once_more_among_the_classes(
    make_tree: MakeTree, load: Load, folders: tuple[str, ...], among: str, todo: str
) -> None:
    with pytest.raises(DataError, match=f"'{among}'.*same class folders") as caught:
        load(make_tree(*folders))
    assert todo in caught.value.hint
