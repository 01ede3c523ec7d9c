"""What lies in class folders besides the images of the class is told, with its number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.errors import DataError

Load = Callable[..., ImageDataset]
MakeTree = Callable[..., Path]


def told(dataset: ImageDataset) -> str:
    return "\n".join(dataset.notices)


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
