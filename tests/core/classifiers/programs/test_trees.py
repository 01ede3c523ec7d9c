from __future__ import annotations

import json
from typing import Any

import pytest

from pgn_studio.core.classifiers.exported import plain_trees

LEAF = {"type": None, "context": None, "children_spec": []}


def spec(kind: str, context: Any, count: int = 2) -> dict[str, str]:
    return {"out_spec": json.dumps([1, {"type": kind, "context": context, "children_spec": [LEAF] * count}])}


def plain(value: dict[str, str]) -> tuple[str, Any]:
    tree = json.loads(plain_trees([{"signature": value}])[0]["signature"]["out_spec"])[1]
    assert tree["children_spec"] == [LEAF] * 2
    return tree["type"], json.loads(tree["context"])


@pytest.mark.parametrize(
    ("kind", "context"),
    [("builtins.tuple", "null"), ("builtins.list", "null"), ("builtins.dict", '["a", "b"]')],
)
def test_plain_containers_stay(kind: str, context: str) -> None:
    assert plain_trees(spec(kind, context)) == spec(kind, context)


@pytest.mark.parametrize(
    ("kind", "context", "expected"),
    [
        ("transformers.ImageClassifierOutput", '["loss", "logits"]', ("builtins.dict", ["loss", "logits"])),
        ("collections.namedtuple", "my.Output", ("builtins.tuple", None)),
        (
            "collections.defaultdict",
            {"default_factory_module": "os", "dict_context": ["a", "b"]},
            ("builtins.dict", ["a", "b"]),
        ),
        ("builtins.dict", '[{"__enum__": true, "fqn": "os:A", "name": "b"}, "x"]', ("builtins.tuple", None)),
        ("builtins.tuple", '{"__enum__": true, "fqn": "os:A", "name": "b"}', ("builtins.tuple", None)),
    ],
)
def test_all_others_become_plain(kind: str, context: Any, expected: tuple[str, Any]) -> None:
    assert plain(spec(kind, context)) == expected


@pytest.mark.parametrize("text", ["{}", "[1]", '[1, {"type": "builtins.list", "children_spec": 3}]'])
def test_what_is_no_tree_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="tree"):
        plain_trees({"in_spec": text})
