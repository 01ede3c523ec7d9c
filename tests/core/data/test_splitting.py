"""Seeded choices: stratified, stable, and refused where there is too little."""

from __future__ import annotations

import numpy as np
import pytest

from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.splitting import choose_classes, complete_splits, stratified_split
from pgn_studio.core.errors import DataError

NAMES = [f"class {index}" for index in range(20)]
LABELS = np.repeat(np.arange(2), [40, 20])
PETS = ("cat", "dog")


def test_stratified_split_holds_out_the_share_of_each_class() -> None:
    kept, held = stratified_split(np.arange(60), LABELS, 0.25, 0, classes=PETS, purpose="test")
    assert np.bincount(LABELS[held]).tolist() == [10, 5]
    assert sorted([*kept, *held]) == list(range(60))
    assert (np.diff(kept) > 0).all()


def test_the_seed_decides() -> None:
    def held(seed: int) -> list[int]:
        return stratified_split(np.arange(60), LABELS, 0.25, seed, classes=PETS, purpose="test")[1].tolist()

    assert held(1) == held(1)
    assert held(1) != held(2)


def test_at_least_one_image_goes_to_either_side() -> None:
    labels = np.array([0, 0, 1, 1])
    for fraction in (0.01, 0.89):
        kept, held = stratified_split(np.arange(4), labels, fraction, 0, classes=PETS, purpose="test")
        assert sorted(labels[kept]) == sorted(labels[held]) == [0, 1]


def test_a_class_with_one_image_cannot_be_split() -> None:
    with pytest.raises(DataError, match="'dog' has too few images"):
        stratified_split(np.arange(3), np.array([0, 0, 1]), 0.5, 0, classes=PETS, purpose="val")


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


def test_train_alone_gives_all_three() -> None:
    splits = complete_splits({"train": np.arange(60)}, LABELS, PETS, DataSettings())
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 41, "val": 7, "test": 12}
    assert sorted(np.concatenate(list(splits.values()))) == list(range(60))


def test_published_test_images_are_kept_and_val_comes_out_of_train() -> None:
    found = {"train": np.arange(0, 60, 2), "test": np.arange(1, 60, 2)}
    splits = complete_splits(found, LABELS, PETS, DataSettings(val_fraction=0.2))
    assert splits["test"].tolist() == found["test"].tolist()
    assert sorted([*splits["train"], *splits["val"]]) == found["train"].tolist()


def test_without_test_val_is_halved_and_train_left_alone() -> None:
    found = {"train": np.arange(0, 60, 2), "val": np.arange(1, 60, 2)}
    splits = complete_splits(found, LABELS, PETS, DataSettings())
    assert splits["train"].tolist() == found["train"].tolist()
    assert sorted([*splits["val"], *splits["test"]]) == found["val"].tolist()
    assert len(splits["val"]) == len(splits["test"])


def test_complete_splits_are_left_as_they_are() -> None:
    found = {"test": np.arange(10), "train": np.arange(10, 50), "val": np.arange(50, 60)}
    splits = complete_splits(found, LABELS, PETS, DataSettings(split_seed=9))
    assert list(splits) == ["train", "val", "test"]
    assert all(splits[name].tolist() == found[name].tolist() for name in found)
