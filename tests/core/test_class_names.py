"""Names of classes: which are the same in other bytes, and which may be mirrored."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pgn_studio.core.class_names import mirrorable, same_class, same_classes
from pgn_studio.core.config import ClassifierSettings, DataSettings, TrainingSettings, with_augmentation
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.sources import load_dataset

NFC, NFD = (unicodedata.normalize(form, "Äpfel") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (NFC, NFD, True),
        ("caf\ufffd", r"caf\xe9", True),  # as an earlier version wrote it
        ("\ufffd\ufffd", r"\xff\xfe", True),
        (r"caf\xe9", r"caf\xe8", False),
        ("caf\ufffd", r"tea\xe9", False),
        ("Cat", "cat", False),
    ],
)
def test_same_class(one: str, other: str, same: bool) -> None:
    assert same_class(one, other) is same
    assert same_class(other, one) is same


def test_same_classes_are_in_the_same_order() -> None:
    assert same_classes((NFC, "b"), [NFD, "b"])
    assert not same_classes((NFC, "b"), ("b", NFD))
    assert not same_classes(("a", "b"), ("a", "b", "c"))


def folder_of(path: Path, classes: tuple[str, ...]) -> ImageDataset:
    for label, name in enumerate(classes):
        (path / name).mkdir(parents=True)
        for number in range(8):
            pixels = np.full((12, 12, 3), 10 * number + label, dtype=np.uint8)
            Image.fromarray(pixels).save(path / name / f"{number}.png")
    return load_dataset(DataSettings(dataset=str(path), image_size=12))


@pytest.mark.parametrize(
    "classes",
    [
        [str(digit) for digit in range(10)],
        ["3", "7"],  # a part of MNIST
        ["0 - zero", "1 - one", "2 - two"],  # as torchvision names MNIST's
        ["zero", "One", "TWO"],
        ["digit_0", "digit_1"],
        ["a", "b", "c", "space"],
        ["upper_A", "lower_a", "3"],
        ["а", "б", "в"],
        ["い", "ろ", "は"],
        ["left", "right", "straight"],
        ["Turn Left", "Turn Right", "Stop"],
        ["TurnLeft", "TurnRight"],
        ["left_hand", "right_hand", "foot"],
        ["clockwise", "counterclockwise"],
    ],
)
def test_digits_letters_and_sides_change_their_class(classes: list[str]) -> None:
    assert mirrorable(classes) is False


@pytest.mark.parametrize(
    "classes",
    [
        ["cat", "dog"],
        ["right", "wrong"],
        ["one-piece", "two-piece", "shirt"],
        ["1", "2", *(str(number) for number in range(10, 103))],  # numbered classes: flowers
        ["00012", "00013"],
        ["class a", "class b"],
        ["cat", "dog", "x"],
        ["T-shirt", "V-neck", "dress"],
        ["west highland terrier", "cocker spaniel"],
    ],
)
def test_other_names_say_nothing(classes: list[str]) -> None:
    assert mirrorable(classes) is None


def test_a_folder_of_digits_is_not_mirrored_whatever_it_is_called(tmp_path: Path) -> None:
    digits = folder_of(tmp_path / "mnist", ("0", "1", "2"))
    pets = folder_of(tmp_path / "digits", ("kitten", "puppy"))
    assert (digits.mirrorable, pets.mirrorable) == (False, None)
    for dataset, wanted in ((digits, "none"), (pets, "flip")):
        for settings in (
            TrainingSettings.make(dataset=dataset.name),
            ClassifierSettings.make(dataset=dataset.name),
        ):
            assert with_augmentation(settings, dataset.mirrorable).augment == wanted
            chosen = settings.updated(augment="standard")
            assert with_augmentation(chosen, dataset.mirrorable).augment == "standard"


def test_what_is_guessed_is_told(tmp_path: Path) -> None:
    letters = folder_of(tmp_path / "letters", ("a", "b"))
    assert any("mirror" in notice for notice in letters.notices)
    assert not folder_of(tmp_path / "pets", ("kitten", "puppy")).notices  # until somebody trains


def test_bundled_digits_know_it() -> None:
    dataset = load_dataset(DataSettings(dataset="Digits"))
    assert (dataset.mirrorable, dataset.notices) == (False, ())
