"""The shape of a program's inputs and outputs, as a .pt2 file describes it, in plain containers alone.

A description may name any registered class, and a module to import: such are read as tuples and dicts,
which are enough to find the logits of models that return a class of their own.
"""

from __future__ import annotations

import json
from typing import Any

_SPECS = ("in_spec", "out_spec")
_SEQUENCES = ("builtins.tuple", "builtins.list")
_MAPPINGS = ("builtins.dict", "collections.OrderedDict")


def plain_trees(value: Any) -> Any:
    """The JSON of a program, with every description of a tree made plain."""
    if isinstance(value, list):
        return [plain_trees(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _plain_spec(item) if key in _SPECS and isinstance(item, str) and item else plain_trees(item)
        for key, item in value.items()
    }


def _plain_spec(text: str) -> str:
    """Raises ValueError for what is no description of a tree."""
    match json.loads(text):
        case [int(protocol), dict(tree)]:
            plain = _plain(tree)
            return text if plain == tree else json.dumps([protocol, plain])
    raise ValueError("no description of a tree")


def _plain(tree: dict[str, Any]) -> dict[str, Any]:
    kind, context, children = tree.get("type"), tree.get("context"), tree.get("children_spec")
    if not isinstance(children, list) or not all(isinstance(child, dict) for child in children):
        raise ValueError("no description of a tree")
    if kind is None:
        return {"type": None, "context": None, "children_spec": []}
    keys = _keys(context)
    keyed = len(keys) == len(children) and kind not in _SEQUENCES
    if keyed and (keys or kind in _MAPPINGS):
        kind, context = kind if kind in _MAPPINGS else _MAPPINGS[0], json.dumps(keys)
    else:
        kind, context = kind if kind in _SEQUENCES else _SEQUENCES[0], "null"
    return {"type": kind, "context": context, "children_spec": [_plain(child) for child in children]}


def _keys(context: Any) -> list[str | int]:
    """The keys of a mapping, also of one with a default or of a class."""
    try:
        found = json.loads(context) if isinstance(context, str) else context
    except ValueError:
        return []
    if isinstance(found, dict):
        found = found.get("dict_context")
    plain = isinstance(found, list) and all(isinstance(key, (str, int)) for key in found)
    return found if plain else []
