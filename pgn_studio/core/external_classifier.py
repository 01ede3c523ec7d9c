"""What a classifier of another program does not say itself, as run.json and a PGN's file record it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def external_facts(
    *,
    arch: str | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    channels: str | None,
    access: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """run.json's `external_classifier`, empty where nothing was said; `access` without secrets."""
    facts: dict[str, Any] = {"arch": arch, "mean": mean, "std": std, "channels": channels}
    if access is not None:
        facts["access"] = access
    return facts if any(value is not None for value in facts.values()) else {}


def portable_facts(recorded: Any) -> dict[str, Any]:
    """Of run.json's `external_classifier`: architecture, normalization and classes; nothing of how to ask it.

    Raises ValueError or TypeError where it is of another kind.
    """
    if not recorded:
        return {}
    if not isinstance(recorded, Mapping):
        raise TypeError("an external classifier's facts are a table")
    facts = {name: recorded[name] for name in ("arch", "mean", "std", "channels") if recorded.get(name)}
    _check(facts)
    access = recorded.get("access")
    classes = access.get("classes") if isinstance(access, Mapping) else None
    if classes:
        facts["access"] = {"classes": _names(classes)}
    return facts


def _check(facts: Mapping[str, Any]) -> None:
    for name in ("mean", "std"):
        if name in facts and (len(facts[name]) != 3 or not all(map(math.isfinite, facts[name]))):
            raise ValueError("mean and std need three finite numbers each")
    if min(facts.get("std", (1,))) <= 0:
        raise ValueError("a std is above 0")
    if not isinstance(facts.get("arch", ""), str) or facts.get("channels", "rgb") not in ("rgb", "bgr"):
        raise ValueError("arch is a name, channels are rgb or bgr")


def _names(classes: Any) -> list[str]:
    if not isinstance(classes, list | tuple) or not all(isinstance(name, str) for name in classes):
        raise TypeError("classes are names")
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise ValueError("expected at least two classes, each once")
    return list(classes)
