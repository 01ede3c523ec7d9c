"""What counts as the name of a split."""

from __future__ import annotations

import pytest

from pgn_studio.core.data.split_names import lies_aside, splits_by_name


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
