"""Settings as texts, `head=linear`: how those are set that have neither an option nor a row of their own."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from pgn_studio.core.config import Settings, TrainingSettings, known_spelling
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.gamma import gamma_text

_NOTHING = ("none", "default")  # of a setting whose default is chosen later
_BETWEEN = re.compile(r"[,;\s]+(?=[A-Za-z][\w-]*\s*=)")


def experimental_names(model: type[Settings]) -> list[str]:
    return [name for name in model.model_fields if model.is_experimental(name)]


def split_assignments(line: str) -> list[str]:
    """ "head=linear, decoder_widths=64,32" as two texts: one begins where a name and = stand."""
    return [part for part in _BETWEEN.split(line.strip(" ,;\t\n")) if part]


def parse_assignments(model: type[Settings], texts: Iterable[str]) -> dict[str, Any]:
    """Each NAME=VALUE as a validated value of `model`, by name. Raises ConfigError."""
    values: dict[str, Any] = {}
    for text in texts:
        written, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not written:
            raise ConfigError(f"Expected NAME=VALUE, such as head=linear, got {text!r}.")
        name = _known(model, written)
        read = typed_value(model, name, value)
        if values.setdefault(name, read) != read:
            raise ConfigError(f"{name} is set twice: to {value_text(values[name])} and {value_text(read)}.")
    return values


def typed_value(model: type[Settings], name: str, text: str, beside: Mapping[str, Any] | None = None) -> Any:
    """`text` as the validated value of the setting `name`, with the settings `beside`. Raises ConfigError.

    Numbers of one value stand between commas or x: 64,32 or 64x32; `none` is None.
    """
    annotation = model.model_fields[name].annotation
    union = get_origin(annotation) in (Union, types.UnionType)
    kinds = get_args(annotation) if union else (annotation,)
    value: Any = text
    if type(None) in kinds and text.lower() in _NOTHING:
        value = None
    elif float not in kinds and any(get_origin(kind) is tuple for kind in kinds):
        value = re.split("[,x]", text)
    else:
        choices = [item for kind in kinds if get_origin(kind) is Literal for item in get_args(kind)]
        value = known_spelling(text, choices)
    return getattr(model.make(**{**(beside or {}), name: value}), name)


def value_text(value: Any) -> str:
    """A value as a person writes it, and `typed_value` reads it: 0.1, 0.3..30, 64x32, yes, default."""
    if value is None:
        return "default"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, (tuple, list)) and all(isinstance(item, float) for item in value):
        return gamma_text(value)
    if isinstance(value, (tuple, list)):
        return "x".join(str(item) for item in value)
    return str(value)


def assignments(values: Mapping[str, Any]) -> str:
    """What `split_assignments` and `parse_assignments` read back: head=linear, clip=no."""
    return ", ".join(f"{name}={value_text(value)}" for name, value in values.items())


def experimental_changes(settings: TrainingSettings) -> dict[str, Any]:
    """Those experimental settings that are not what the recipe makes of them."""
    usual = TrainingSettings.make(recipe=settings.recipe)
    values = {name: getattr(settings, name) for name in experimental_names(TrainingSettings)}
    return {name: value for name, value in values.items() if value != getattr(usual, name)}


def _known(model: type[Settings], written: str) -> str:
    name = written.replace("-", "_")
    names = [field for field in model.model_fields if not model.is_recorded_only(field)]
    if name in names:
        return name
    near = " or ".join(difflib.get_close_matches(name, names, n=2))
    known = f"They are: {', '.join(experimental_names(model))}."
    raise ConfigError(f"There is no setting {written!r}.", hint=f"Did you mean {near}?" if near else known)
