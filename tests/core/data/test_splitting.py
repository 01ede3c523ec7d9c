"""Which images go where: by their names, about the share of each class, and nothing else moves them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from pgn_studio.core.config import DataSettings, SplitMethod
from pgn_studio.core.data.splitting import (
    Divisible,
    Division,
    choose_classes,
    hashed_split,
    permuted_split,
)
from pgn_studio.core.data.store import Rows
from pgn_studio.core.errors import DataError

NAMES = [f"class {index}" for index in range(20)]
LABELS = np.repeat(np.arange(2), [40, 20])
PETS = ("cat", "dog")
FILES = [f"{title}/{number:03d}.png" for title in PETS for number in range(400)]


def hashed(fraction: float, salt: str = "0 test", names: Sequence[str] = FILES) -> list[str]:
    """The names that are held out."""
    labels = np.array([int(name.startswith("dog")) for name in names])
    kept, held = hashed_split(np.arange(len(names)), labels, names, fraction, salt)
    assert sorted([*kept, *held]) == list(range(len(names)))
    return [names[row] for row in held]


def test_about_the_share_of_each_class_is_held_out() -> None:
    held = hashed(0.25)
    for title in PETS:
        assert 0.2 < sum(name.startswith(title) for name in held) / 400 < 0.3


def test_files_that_come_and_go_move_no_other() -> None:
    fewer = [name for number, name in enumerate(FILES) if number % 7]
    assert hashed(0.25, names=fewer) == [name for name in hashed(0.25) if name in fewer]
    more = [*FILES, "cat/new.png", "dog/new.png"]
    assert [name for name in hashed(0.25, names=more) if "new" not in name] == hashed(0.25)


def test_the_order_and_the_form_of_names_decide_nothing() -> None:
    assert set(hashed(0.25, names=FILES[::-1])) == set(hashed(0.25))
    composed, decomposed = (
        [unicodedata.normalize(form, f"{title}/é{n}.png") for title in PETS for n in range(40)]
        for form in ("NFC", "NFD")
    )
    assert [unicodedata.normalize("NFC", name) for name in hashed(0.3, names=decomposed)] == hashed(
        0.3, names=composed
    )


def test_the_seed_decides() -> None:
    assert hashed(0.25, "1 test") == hashed(0.25, "1 test")
    assert hashed(0.25, "1 test") != hashed(0.25, "2 test")


@pytest.mark.parametrize("fraction", [0.001, 0.999])
@pytest.mark.parametrize("method", ["hash", "permutation"])
def test_at_least_one_image_goes_to_either_side(method: SplitMethod, fraction: float) -> None:
    names = ["cat/1", "cat/2", "dog/1", "dog/2", "dog/3"]
    parts = Divisible({"train": np.arange(5), "val": np.arange(0)}, np.array([0, 0, 1, 1, 1]), names, PETS)
    splits = Divisible({**parts.found, "val": np.arange(5)}, parts.labels, names, PETS).divided(
        Division(method, test_fraction=fraction)
    )
    assert set(parts.labels[splits["val"]]) == set(parts.labels[splits["test"]]) == {0, 1}


def test_three_images_of_a_class_suffice_for_three_splits() -> None:
    for seed in range(20):
        names = [f"{title}/{seed}-{number}" for title in PETS for number in range(3)]
        parts = Divisible({"train": np.arange(6)}, np.repeat([0, 1], 3), names, PETS)
        splits = parts.divided(Division(split_seed=seed, test_fraction=0.8, val_fraction=0.8))
        assert all(np.bincount(parts.labels[rows]).tolist() == [1, 1] for rows in splits.values())


def test_a_class_with_one_image_cannot_be_split() -> None:
    with pytest.raises(DataError, match="'dog' has too few images"):
        Divisible({"train": np.arange(3)}, np.array([0, 0, 1]), ["a", "b", "c"], PETS).divided(Division())


def test_a_permutation_holds_out_exactly_the_share() -> None:
    kept, held = permuted_split(np.arange(60), LABELS, 0.25, 0, classes=2)
    assert np.bincount(LABELS[held]).tolist() == [10, 5]
    assert sorted([*kept, *held]) == list(range(60))
    assert held.tolist() != permuted_split(np.arange(60), LABELS, 0.25, 1, classes=2)[1].tolist()


def test_settings_of_before_mean_a_permutation() -> None:
    """They name no method."""
    assert Division.recorded({"split_seed": 3, "arch": "small"}) == Division("permutation", 3)
    assert Division.recorded(DataSettings().model_dump()) == Division()


def test_classes_are_chosen_by_seed_in_their_order() -> None:
    def chosen(seed: int) -> list[str]:
        return choose_classes(NAMES, DataSettings(num_classes=5, class_seed=seed))

    assert len(set(chosen(0))) == 5
    assert chosen(0) == chosen(0)
    assert chosen(0) != chosen(1)
    assert [name for name in NAMES if name in chosen(3)] == chosen(3)
    assert choose_classes(NAMES, DataSettings()) == NAMES


@pytest.mark.parametrize(("names", "wanted"), [([], None), (["cat"], None), (["cat", "dog"], 3)])
def test_too_few_classes(names: list[str], wanted: int | None) -> None:
    with pytest.raises(DataError, match="Expected at least"):
        choose_classes(names, DataSettings(num_classes=wanted))


def divided(found: Mapping[str, Rows], division: Division) -> dict[str, Rows]:
    return Divisible(found, LABELS, [f"{row}.png" for row in range(60)], PETS).divided(division)


@pytest.mark.parametrize("division", [Division(), Division("permutation")])
def test_train_alone_gives_all_three(division: Division) -> None:
    splits = divided({"train": np.arange(60)}, division)
    assert sorted(np.concatenate(list(splits.values()))) == list(range(60))
    assert len(splits["train"]) > len(splits["test"]) > 0 < len(splits["val"])


def test_a_data_set_without_names_is_permuted() -> None:
    """The bundled digits are divided as they were for the PGNs that come with them."""
    found = {"train": np.arange(60)}
    by_place = Divisible(found, LABELS, (), PETS).divided(Division())
    assert {name: len(rows) for name, rows in by_place.items()} == {"train": 41, "val": 7, "test": 12}
    by_name = divided(found, Division("permutation"))
    assert all(by_place[name].tolist() == by_name[name].tolist() for name in by_place)


def test_published_test_images_are_kept_and_val_comes_out_of_train() -> None:
    found = {"train": np.arange(0, 60, 2), "test": np.arange(1, 60, 2)}
    splits = divided(found, Division(val_fraction=0.2))
    assert splits["test"].tolist() == found["test"].tolist()
    assert sorted([*splits["train"], *splits["val"]]) == found["train"].tolist()


def test_without_test_val_is_halved_and_train_left_alone() -> None:
    found = {"train": np.arange(0, 60, 2), "val": np.arange(1, 60, 2)}
    splits = divided(found, Division())
    assert splits["train"].tolist() == found["train"].tolist()
    assert sorted([*splits["val"], *splits["test"]]) == found["val"].tolist()


def test_complete_splits_are_left_as_they_are() -> None:
    found = {"test": np.arange(10), "train": np.arange(10, 50), "val": np.arange(50, 60)}
    splits = divided(found, Division(split_seed=9))
    assert list(splits) == ["train", "val", "test"]
    assert all(splits[name].tolist() == found[name].tolist() for name in found)
