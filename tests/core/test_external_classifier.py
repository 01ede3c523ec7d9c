"""What a run knows of a external classifier, in the part that may go with its PGN."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pgn_studio.core.external_classifier import portable_facts


def test_nothing_of_how_to_ask_it_travels() -> None:
    access = {"classes": ["b", "a"], "budget": 9, "timeout_s": 3.0, "header_names": ["Authorization"]}
    told = {"arch": "resnet18", "mean": None, "std": (1, 2, 3), "channels": "bgr", "access": access}
    facts = portable_facts(told)
    assert facts == {
        "arch": "resnet18", "std": (1, 2, 3), "channels": "bgr", "access": {"classes": ["b", "a"]}
    }  # fmt: skip
    assert portable_facts(json.loads(json.dumps(facts))) == {**facts, "std": [1, 2, 3]}


@pytest.mark.parametrize("nothing", [None, {}, {"arch": None, "access": None}, {"access": {"classes": None}}])
def test_nothing_told_is_nothing(nothing: Any) -> None:
    assert portable_facts(nothing) == {}


@pytest.mark.parametrize(
    "told",
    [
        "resnet18", ["x"], {"arch": 3}, {"mean": [1, 2]}, {"mean": 5}, {"std": [1, 0, 1]}, {"std": ["a"] * 3},
        {"mean": [1, 2, float("nan")]}, {"channels": "grb"}, {"access": {"classes": "ab"}},
        {"access": {"classes": ["a", "a"]}}, {"access": {"classes": [1, 2]}},
    ],
)  # fmt: skip
def test_what_is_of_another_kind_is_refused(told: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        portable_facts(told)
