"""Which folders are splits and which are classes: told where it is clear, refused where it is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.layout import lies_aside, splits_by_name
from pgn_studio.core.errors import DataError

Load = Callable[..., ImageDataset]
MakeTree = Callable[..., Path]


def sizes(dataset: ImageDataset) -> dict[str, int]:
    return {name: len(split) for name, split in dataset.splits.items()}


def told(dataset: ImageDataset) -> str:
    return "\n".join(dataset.notices)


@pytest.mark.parametrize(
    ("train", "other", "split"),
    [
        ("Training", "Testing", "test"),
        ("TRAIN", "HOLDOUT", "test"),
        ("train", "hold-out", "test"),
        ("train", "held_out", "test"),
        ("train", "test1", "test"),
        ("trainset", "testset", "test"),
        ("TrainSet", "TestSet", "test"),
        ("train data", "test data", "test"),
        ("images.train", "images.test", "test"),
        ("asl_alphabet_train", "asl_alphabet_test", "test"),
        ("train2017", "val2017", "val"),
        ("train_split", "val_split", "val"),
        ("train-224x224", "valid-224x224", "val"),
        ("train", "dev", "val"),
        ("train", "development", "val"),
        ("train", "eval", "val"),
        ("train", "Evaluation", "val"),
    ],
)
def test_splits_by_their_usual_names(
    make_tree: MakeTree, load: Load, train: str, other: str, split: str
) -> None:
    root = make_tree(f"{train}/cat", f"{train}/dog", f"{other}/cat", f"{other}/dog")
    dataset = load(root, image_size=8)
    assert dataset.classes == ("cat", "dog")
    names = {name.split("/")[0] for name in dataset.split(split).names}
    assert names == {other}
    assert all(name.startswith(train) for name in dataset.split("train").names)
    assert f"'{other}' as {split}" in told(dataset)


def test_literal_names_need_no_notice(make_tree: MakeTree, load: Load) -> None:
    root = make_tree("Train/cat", "Train/dog", "val/cat", "val/dog", "TEST/cat", "TEST/dog")
    assert load(root, image_size=8).notices == ()


def test_splits_nested_once_more(make_tree: MakeTree, load: Load) -> None:
    deep = [f"seg_{split}/seg_{split}/{name}" for split in ("train", "test") for name in ("sea", "forest")]
    dataset = load(make_tree(*deep, "seg_pred/seg_pred"), image_size=8)
    assert dataset.classes == ("forest", "sea")
    assert sizes(dataset)["test"] == 12
    assert "'seg_test/seg_test' as test" in told(dataset)
    assert "'seg_pred'" in told(dataset)


@pytest.mark.parametrize("flat", ["test", "test/unknown", "test/images", "Testing/Testing"])
def test_an_unsorted_split_is_left_out_with_a_notice(make_tree: MakeTree, load: Load, flat: str) -> None:
    dataset = load(make_tree("train/cat", "train/dog", flat), image_size=8)
    assert all(name.startswith("train/") for split in dataset.splits.values() for name in split.names)
    assert f"No class folders in '{flat.split('/')[0]}'" in told(dataset)
    assert "test images are taken out of train" in told(dataset)


def test_a_sorted_val_beside_an_unsorted_test(make_tree: MakeTree, load: Load) -> None:
    dataset = load(make_tree("train/cat", "train/dog", "val/cat", "val/dog", "test"), image_size=8)
    found = sizes(dataset)
    assert found["train"] == 12
    assert found["val"] + found["test"] == 12
    assert found["val"] > 0 < found["test"]
    assert "halved" in told(dataset)


@pytest.mark.parametrize("beside", ["extra/cat", "docs", "unlabeled", "unsup/deep", "submission_images"])
def test_what_usually_lies_beside_train_is_left_out_with_a_notice(
    make_tree: MakeTree, load: Load, beside: str
) -> None:
    dataset = load(make_tree("train/cat", "train/dog", beside), image_size=8)
    assert dataset.classes == ("cat", "dog")
    assert f"Images in '{beside.split('/')[0]}'" in told(dataset)


def test_folders_without_images_are_not_worth_a_notice(make_tree: MakeTree, load: Load) -> None:
    assert load(make_tree("train/cat", "train/dog", "notebooks:0"), image_size=8).notices == ()


def test_beside_two_splits_anything_else_is_left_out_with_a_notice(make_tree: MakeTree, load: Load) -> None:
    root = make_tree("train/cat", "train/dog", "test/cat", "test/dog", "augmented/cat", "augmented/dog")
    dataset = load(root, image_size=8)
    assert dataset.classes == ("cat", "dog")
    assert "'augmented'" in told(dataset)


@pytest.mark.parametrize("beside", [("car", "plane"), ("te/cat", "te/dog"), ("raw",)])
def test_beside_train_alone_other_images_are_unclear(
    make_tree: MakeTree, load: Load, beside: tuple[str, ...]
) -> None:
    with pytest.raises(
        DataError, match=f"'train' holds class folders.*'{beside[0].split('/')[0]}'"
    ) as caught:
        load(make_tree("train/cat", "train/dog", *beside))
    assert "val or test" in caught.value.hint


@pytest.mark.parametrize(
    "pair",
    [
        ("tr/cat", "tr/dog", "te/cat", "te/dog"),
        ("color/cat", "color/dog", "color/emu", "gray/cat", "gray/dog"),
        ("covid/images", "covid/masks", "normal/images", "normal/masks"),
        ("one/one/cat", "one/one/dog", "two/two/cat", "two/two/dog"),
    ],
)
def test_folders_that_hold_the_same_folders_are_no_classes(
    make_tree: MakeTree, load: Load, pair: tuple[str, ...]
) -> None:
    first, last = pair[0].split("/")[0], pair[-1].split("/")[0]
    with pytest.raises(DataError, match=rf"'({first}|{last})', '({first}|{last})'.*the same folders"):
        load(make_tree(*pair))


@pytest.mark.parametrize(
    "folders",
    [
        ("cat/images", "dog/images"),
        ("cat/2020", "cat/2021", "dog/1999", "dog/2000"),
        ("freight train", "passenger train"),
        ("valid", "invalid"),
    ],
)
def test_classes_that_only_look_a_little_like_splits(
    make_tree: MakeTree, load: Load, folders: tuple[str, ...]
) -> None:
    dataset = load(make_tree(*folders), image_size=8)
    assert set(dataset.classes) == {folder.split("/")[0] for folder in folders}


def test_a_class_called_like_a_split_is_told(make_tree: MakeTree, load: Load) -> None:
    dataset = load(make_tree("car", "plane", "train"), image_size=8)
    assert dataset.classes == ("car", "plane", "train")
    assert "Taken as classes like the others: 'train'" in told(dataset)


@pytest.mark.parametrize(
    "folders", [("cat", "dog", "unlabeled"), ("train/cat", "train/dog", "train/unlabeled")]
)
def test_a_class_of_unlabeled_images_is_told(
    make_tree: MakeTree, load: Load, folders: tuple[str, ...]
) -> None:
    assert "'unlabeled'" in told(load(make_tree(*folders), image_size=8))


@pytest.mark.parametrize(
    "folders", [("train", "test1"), ("trainA", "trainB", "testA", "testB"), ("Train", "Test", "models:0")]
)
def test_flat_splits_are_refused_by_name(make_tree: MakeTree, load: Load, folders: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=f"'{folders[1]}'.* without class folders") as caught:
        load(make_tree(*folders))
    assert "folder of its own" in caught.value.hint


@pytest.mark.parametrize(
    "folders",
    [("cat", "dog", "test/cat", "test/dog"), ("trainval/cat", "trainval/dog", "test/cat", "test/dog")],
)
def test_a_test_without_train_is_refused(make_tree: MakeTree, load: Load, folders: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=r"a folder 'train'.*'test'"):
        load(make_tree(*folders))


@pytest.mark.parametrize("pair", [("val", "eval"), ("test", "Testing"), ("train", "Training")])
def test_two_folders_that_mean_one_split(make_tree: MakeTree, load: Load, pair: tuple[str, str]) -> None:
    folders = [f"{split}/{name}" for split in {"train", *pair} for name in ("cat", "dog")]
    with pytest.raises(DataError, match="both mean the") as caught:
        load(make_tree(*folders))
    assert all(f"'{name}'" in caught.value.message for name in pair)


@pytest.mark.parametrize("pair", [("cat/train", "cat/test"), ("cat/dev", "cat/eval_2", "cat/train")])
def test_splits_inside_classes_are_refused(make_tree: MakeTree, load: Load, pair: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="lie inside the classes: 'cat/"):
        load(make_tree(*pair, "dog/train", "dog/test"))


@pytest.mark.parametrize(
    ("folders", "choose"),
    [
        (("archive/cat", "archive/dog"), "archive"),
        (("a/b/cat", "a/b/dog"), "a/b"),
        (("a/Training/cat", "a/Training/dog", "a/Testing/cat", "a/Testing/dog", "b:0"), "a"),
        (("X/X/train/cat", "X/X/train/dog", "X/X/valid/cat", "X/X/valid/dog", "test/test"), "X/X"),
    ],
)
def test_folders_around_the_data_set_say_which_to_choose(
    make_tree: MakeTree, load: Load, folders: tuple[str, ...], choose: str
) -> None:
    root = make_tree(*folders)
    with pytest.raises(DataError, match=f"found a data set in '{choose}'") as caught:
        load(root)
    assert caught.value.hint == f"Choose {root / choose}."


def test_a_folder_that_cannot_be_listed_and_is_not_needed(
    make_tree: MakeTree, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_tree("train/cat", "train/dog", "private:0")
    scandir = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "private":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert load(root, image_size=8).classes == ("cat", "dog")


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


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((name, "train") for name in ("train", "TRAINING", "train_set", "Train Images 2", "trainset")),
        *(
            (name, "train")
            for name in (
                "train_data",
                "labeled-train",
                "labelled-train",
                "images.train",
                "TrainData",
                "train2017",
            )
        ),
        *(
            (name, "val")
            for name in ("val", "valid", "Validation", "dev", "dev-set", "eval", "val_256", "valset")
        ),
        *(
            (name, "test")
            for name in ("test", "Testing", "test1", "test_v2", "holdout", "hold out", "Held-Out")
        ),
    ],
)
def test_names_of_splits(name: str, split: str) -> None:
    assert splits_by_name([name]) == {name: split}


@pytest.mark.parametrize(
    "name",
    [
        "contest",
        "latest",
        "strain",
        "device",
        "evaluator",
        "invalid",
        "interval",
        "trainval",
        "train_test",
        "tr",
    ]
    + ["freight train", "test tube", "dev board", "set", "images", "2017", ""],
)
def test_names_of_other_things(name: str) -> None:
    assert splits_by_name([name]) == {}


def test_own_words_count_in_pairs() -> None:
    assert splits_by_name(["pets_train", "pets_test", "test_tube"]) == {
        "pets_train": "train",
        "pets_test": "test",
    }
    assert splits_by_name(["freight_train", "passenger_train"]) == {}
    assert splits_by_name(["freight_train", "freight_training"]) == {}


@pytest.mark.parametrize("name", ["unlabeled", "Unlabelled Images", "seg_pred", "docs", "extra_2", "unsup"])
def test_what_lies_aside(name: str) -> None:
    assert lies_aside(name)


@pytest.mark.parametrize("name", ["cat", "images", "labeled", "cat_unlabeled", "train", ""])
def test_what_does_not(name: str) -> None:
    assert not lies_aside(name)
