"""From what the user typed to a data set, or to an error that helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.errors import DataError

Load = Callable[..., ImageDataset]
MakeFolder = Callable[..., Path]


def test_a_folder_has_its_own_name(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    dataset = load(root, image_size=8)
    assert dataset.name == "pets"
    assert dataset.root == str(root)


def test_relative_folders_and_the_home_folder(
    make_folder: MakeFolder, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder()
    monkeypatch.chdir(root)
    assert load(".", image_size=8).root == str(root)
    monkeypatch.setenv("HOME", str(root.parent))
    assert load("~/pets", image_size=8).name == "pets"


def test_a_name_wins_over_a_folder_of_that_name(
    make_folder: MakeFolder, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_folder(name="digits").parent)
    taken = load("digits")
    assert len(taken.classes) == 10
    assert "./digits" in taken.notices[0]
    other = load("./digits", image_size=8)
    assert other.classes == ("cat", "dog")
    assert other.notices == ()


@pytest.mark.parametrize("spelling", ["Digits", " digits ", "DIGITS"])
def test_names_in_other_spellings(load: Load, spelling: str) -> None:
    assert load(spelling).name == "digits"


@pytest.mark.parametrize(
    ("folder", "typed"), [("Digits", "digits"), ("digits", "DIGITS"), ("digits", " digits")]
)
def test_a_folder_spelled_otherwise_is_told(
    make_folder: MakeFolder, load: Load, monkeypatch: pytest.MonkeyPatch, folder: str, typed: str
) -> None:
    monkeypatch.chdir(make_folder(name=folder).parent)
    dataset = load(typed)
    assert dataset.name == "digits"
    assert f"./{folder}" in dataset.notices[0]


def test_a_folder_that_wins_over_a_name_is_told(
    make_folder: MakeFolder, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder(name="STL-10")
    monkeypatch.chdir(root.parent)
    dataset = load("STL-10", image_size=8)
    assert dataset.root == str(root)
    assert "stl10" in dataset.notices[0]
    assert load(root, image_size=8).notices == ()


@pytest.mark.parametrize(
    ("typed", "meant"), [("digit", "digits"), ("cifar100", "cifar10"), ("fashion", "fashion-mnist")]
)
def test_an_unknown_name_gets_a_suggestion(load: Load, typed: str, meant: str) -> None:
    with pytest.raises(DataError, match=f"'{typed}'") as caught:
        load(typed)
    assert f"Did you mean {meant}?" in caught.value.hint


def test_a_missing_folder_gets_a_suggestion(make_folder: MakeFolder, load: Load) -> None:
    root = make_folder()
    with pytest.raises(DataError, match="No folder and no data set is called") as caught:
        load(root.parent / "petz")
    assert f"Did you mean {root}?" in caught.value.hint


@pytest.mark.parametrize("typed", ["", "   ", "/no/such/folder", "a\0b", "x" * 5000])
def test_nonsense_is_one_clear_error(load: Load, typed: str) -> None:
    with pytest.raises(DataError, match="No folder and no data set") as caught:
        load(typed)
    assert "digits, stl10" in caught.value.hint


def test_a_file_is_no_folder(tmp_path: Path, load: Load) -> None:
    (tmp_path / "pets.zip").touch()
    with pytest.raises(DataError, match="Expected a folder of images, found a file"):
        load(tmp_path / "pets.zip")
