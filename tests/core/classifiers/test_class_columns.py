from __future__ import annotations

import pytest

from pgn_studio.core.classifiers.class_columns import choose_columns
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.pretrained import IMAGENET_CLASSES, imagenet_categories


def test_a_thousand_folders_of_which_one_is_oddly_named_are_no_order() -> None:
    names = list(imagenet_categories("resnet50"))
    columns = choose_columns(IMAGENET_CLASSES, sorted(names), None, origin="net.pth")
    assert columns is not None
    assert columns.indices[0] == names.index(sorted(names)[0])
    with pytest.raises(ClassifierError, match="not tench fish"):
        choose_columns(IMAGENET_CLASSES, sorted(["tench fish", *names[1:]]), None, origin="net.pth")


def test_as_many_outputs_as_classes_stand_as_they_are_where_the_names_are_others() -> None:
    numbers = tuple(f"{number:04d}" for number in range(IMAGENET_CLASSES))
    assert choose_columns(IMAGENET_CLASSES, numbers, None, origin="net.pth") is None
    some = ("zebra", "tench", *numbers[2:])
    assert choose_columns(IMAGENET_CLASSES, some, None, origin="net.pth") is None
    assert choose_columns(2, ("zebra", "tench"), None, origin="net.pth") is None


@pytest.mark.parametrize(
    "names",
    [
        ("n02102040", "n01440764", "n02979186"),
        ("English springer", "tench", "cassette player"),
        ("n02102040 English springer", "n01440764 tench", "n02979186 cassette player"),
    ],
)
@pytest.mark.parametrize(
    "classes",
    [
        ("n01440764", "n02102040", "n02979186"),
        ("n01440764_tench", "n02102040-english springer", "n02979186_cassette_player"),
        ("tench", "English_springer", "cassette player"),
    ],
)
def test_the_given_order_of_imagenets_classes_holds_however_they_are_called(
    names: tuple[str, ...], classes: tuple[str, ...]
) -> None:
    columns = choose_columns(3, classes, names, origin="net.pth")
    assert columns is not None
    assert columns.indices == (1, 0, 2)


def test_synsets_that_imagenet_does_not_have_are_found_too() -> None:
    columns = choose_columns(2, ("n99999998_a", "n99999999_b"), ("n99999999", "n99999998"), origin="net.pth")
    assert columns is not None
    assert columns.indices == (1, 0)


def test_imagenets_own_order_is_none_where_names_of_other_classes_of_it_are_given() -> None:
    others = (*imagenet_categories("resnet50")[3:], "x", "y", "z")
    with pytest.raises(ClassifierError, match="n01440764"):
        choose_columns(IMAGENET_CLASSES, ("n01440764", "n01443537"), others, origin="net.pth")
    numbers = tuple(map(str, range(IMAGENET_CLASSES)))
    columns = choose_columns(IMAGENET_CLASSES, ("n01440764", "n01443537"), numbers, origin="net.pth")
    assert columns is not None
    assert columns.indices == (0, 1)
