"""Classes across splits by their names, and what was noticed beside them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.errors import DataError

Load = Callable[..., ImageDataset]
MakeTree = Callable[..., Path]

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def told(dataset: ImageDataset) -> str:
    return "\n".join(dataset.notices)


def test_unicode_forms_are_one_class_across_splits(make_tree: MakeTree, load: Load) -> None:
    root = make_tree(f"train/{NFC}", "train/bar", f"test/{NFD}", "test/bar")
    dataset = load(root, image_size=8)
    assert dataset.classes == ("bar", NFC)
    assert dataset.split("test").labels.tolist() == [0] * 6 + [1] * 6
    assert dataset.split("test").path(11).parent.name == NFD  # type: ignore[union-attr]
    assert dataset.notices == ()


def test_unicode_forms_do_not_change_the_order(make_tree: MakeTree, load: Load, tmp_path: Path) -> None:
    names = ["Äpfel", "Birnen", "Zitronen"]
    composed = load(make_tree(*names), image_size=8)
    apart = [unicodedata.normalize("NFD", f"other/{name}") for name in names]
    decomposed = load(make_tree(*apart) / "other", image_size=8)
    assert decomposed.classes == composed.classes == ("Birnen", "Zitronen", "Äpfel")


def test_two_unicode_forms_in_one_split_are_taken_together(make_tree: MakeTree, load: Load) -> None:
    dataset = load(make_tree(f"train/{NFC}:5", f"train/{NFD}:4", "train/bar", f"test/{NFD}", "test/bar"))
    assert dataset.classes == ("bar", NFC)
    assert dataset.class_counts()[1].tolist()[2] == 6
    assert sum(dataset.class_counts()[1].tolist()) == 15
    assert f"'{NFC}' has two folders" in told(dataset)


def test_names_that_are_no_text_stay_different(make_tree: MakeTree, load: Load) -> None:
    root = make_tree("train/a", "train/b", "test/a", "test/b")
    for split in ("train", "test"):
        for name, raw in (("a", b"\xff"), ("b", b"\xfe")):
            os.rename(root / split / name, os.fsencode(root / split) + b"/" + raw)
    dataset = load(root, image_size=8)
    assert dataset.classes == (r"\xfe", r"\xff")
    test = dataset.split("test")
    assert test.labels.tolist() == [0] * 6 + [1] * 6
    assert [os.fsencode(test.path(row).parent.name) for row in (0, 11)] == [b"\xfe", b"\xff"]  # type: ignore[union-attr]
    assert len(set(test.names)) == 12
    "".join(dataset.classes).encode("utf-8")  # can be written


def test_a_name_that_looks_like_escaped_bytes(make_tree: MakeTree, load: Load) -> None:
    root = make_tree(r"\xff", "b", "c")
    os.rename(root / "b", os.fsencode(root) + b"/\xff")
    with pytest.raises(DataError, match="Two folders") as caught:
        load(root)
    assert "Rename" in caught.value.hint


@pytest.mark.parametrize(("ours", "theirs"), [("Cat", "cat"), ("hot_dog", "hot dog"), ("t-shirt", "T-Shirt")])
def test_names_spelled_otherwise_in_a_split(make_tree: MakeTree, load: Load, ours: str, theirs: str) -> None:
    with pytest.raises(DataError, match=f"spells '{ours}' as '{theirs}'"):
        load(make_tree(f"train/{ours}", "train/emu", f"test/{theirs}", "test/emu"))


def test_names_that_differ_in_case_only_are_told(make_tree: MakeTree, load: Load) -> None:
    dataset = load(make_tree("Cat", "cat", "emu"), image_size=8)
    assert dataset.classes == ("Cat", "cat", "emu")
    assert "'Cat'" in told(dataset)
    assert "'cat'" in told(dataset)


def test_signs_are_different_classes(make_tree: MakeTree, load: Load) -> None:
    assert load(make_tree("+", "-", "c", "c#"), image_size=8).notices == ()


def test_an_unlabeled_folder_of_train_alone_is_named(make_tree: MakeTree, load: Load) -> None:
    with pytest.raises(DataError, match="lacks 'unsup'") as caught:
        load(make_tree("train/a", "train/b", "train/unsup", "test/a", "test/b"))
    assert "'unsup'" in caught.value.hint


def test_loose_images_are_told(make_tree: MakeTree, load: Load) -> None:
    assert "1 image file lies" in told(load(make_tree("cat", "dog", ".:1"), image_size=8))
    tree = ["train/cat", "train/dog", "train:3", "test/test/cat", "test/test/dog", "test:2"]
    dataset = load(make_tree(*(f"in/{folder}" for folder in tree)) / "in", image_size=8)
    assert "5 image files lie" in told(dataset)
    assert "'test', 'train'" in told(dataset)


def test_system_folders_are_told_by_number(make_tree: MakeTree, load: Load) -> None:
    root = make_tree("cat", "dog", "@eaDir/a.jpg", "cat/@eaDir/b.jpg", "dog/.thumbnails", "dog/.cache:0")
    dataset = load(root, image_size=8)
    assert dataset.classes == ("cat", "dog")
    assert sum(map(len, dataset.splits.values())) == 12
    assert "3 hidden or system folders" in told(dataset)
    assert "'photos', 'cat', 'dog'" in told(dataset)


def test_a_class_with_nothing_but_thumbnails_says_so(make_tree: MakeTree, load: Load) -> None:
    with pytest.raises(DataError, match="No image file in class 'dog'") as caught:
        load(make_tree("cat", "dog/@eaDir"))
    assert "system" in caught.value.hint


def copy(root: Path, source: str, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes((root / source).read_bytes())


def test_files_of_other_kinds_are_counted_by_suffix(make_tree: MakeTree, load: Load) -> None:
    root = make_tree("cat", "dog")
    copy(root, "cat/0.png", "cat/a.tga", "cat/b.TGA", "dog/c.jpg_large", "dog/d", "dog/deep/e.dcm")
    (notice,) = load(root, image_size=8).notices
    assert notice.startswith("5 files")
    assert all(kind in notice for kind in ("2 .tga", "1 .jpg_large", "1 without a suffix", "1 .dcm"))


@pytest.mark.parametrize("name", ["notes.txt", "Thumbs.db", "boxes.XML", "README", ".hidden", "a.jpg.json"])
def test_files_that_describe_images_are_not_worth_a_notice(
    make_tree: MakeTree, load: Load, name: str
) -> None:
    root = make_tree("cat", "dog")
    (root / "cat" / name).write_text("x")
    assert load(root, image_size=8).notices == ()


def test_a_class_of_nothing_but_other_kinds_says_which(make_tree: MakeTree, load: Load) -> None:
    root = make_tree("cat", "dog:0")
    copy(root, "cat/0.png", "dog/a.dcm", "dog/b.dcm")
    with pytest.raises(DataError, match="No image file in class 'dog'") as caught:
        load(root)
    assert "2 .dcm" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["test.zip", "d.tar.gz", "d.7z", "D.RAR", "train/more.tgz", "train/cat/more.zip"]
)
def test_archives_are_told(make_tree: MakeTree, load: Load, name: str) -> None:
    root = make_tree("train/cat", "train/dog", "test/cat", "test/dog")
    (root / name).write_bytes(b"x")
    (notice,) = load(root, image_size=8).notices
    assert "not unpacked" in notice
    assert f"'{name}'" in notice


@pytest.mark.parametrize(
    ("folders", "count", "named"),
    [
        (("cat", "dog", "cat/masks", "dog/cropped"), "2 subfolders", ("masks", "cropped")),
        (("cat", "dog", "dog/old"), "1 subfolder ", ("old",)),
        (("mammal/cat", "mammal/dog", "bird/emu"), "3 subfolders", ("cat", "dog", "emu")),
        (("cat/images", "dog/images", "dog/images/masks"), "3 subfolders", ("images/masks",)),
    ],
)
def test_folders_in_classes_are_told(
    make_tree: MakeTree, load: Load, folders: tuple[str, ...], count: str, named: tuple[str, ...]
) -> None:
    (notice,) = load(make_tree(*folders), image_size=8).notices
    assert count in notice
    assert all(f"'{name}'" in notice for name in named)


@pytest.mark.parametrize(
    "folders", [("cat/images", "dog/images"), ("ant/x/y", "bee/x/y"), ("cat", "dog", "cat/x:0")]
)
def test_one_folder_in_each_class_is_none_to_tell(
    make_tree: MakeTree, load: Load, folders: tuple[str, ...]
) -> None:
    assert load(make_tree(*folders), image_size=8).notices == ()


def test_masks_beside_their_images_are_counted(make_tree: MakeTree, load: Load) -> None:
    root = make_tree("pos", "neg", "white_mask")
    copy(root, "pos/0.png", "pos/0_mask.png", "pos/1_mask_1.png", "pos/2-GT.png", "neg/none_mask.png")
    notice = next(line for line in load(root, image_size=8).notices if "mask" in line and "beside" in line)
    assert notice.startswith("3 images")
    assert "'pos/0_mask'" in notice
