"""What a sweep is going to do: the values of each swept setting, and a run for each combination."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pgn_studio.core.advice import Advice, Argument, Command, Setting
from pgn_studio.core.assignments import typed_value, value_text
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import ConfigError

SEED = "seed"  # where it is swept, figures are told as mean and spread over it
MOST_RUNS = 1000  # more is a slip of the keyboard
NO_RESULT_CHANGES = ("device", "cache_mb", "download")  # settings that change no result
_UNFIT_FOR_NAMES = re.compile(r"[^A-Za-z0-9.+-]+")
_LONGEST_LABEL = 40
_OVER = Argument("over")
_WHERE_LISTED = Advice(
    "They are listed by {} and {}.", Command("train", (Argument("help", True),)), Argument("set", "help")
)


@dataclass(frozen=True)
class Axis:
    """A setting that is swept, with its validated values in the order given."""

    name: str  # a field of TrainingSettings
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Point:
    """One run of a sweep. `name` is its folder, `values` what sets it apart from the others."""

    name: str
    values: Mapping[str, Any]
    settings: TrainingSettings


def parse_axis(text: str, given: Mapping[str, Any]) -> Axis:
    """`gamma=0.1,1,0.3..30` as an axis; each value is validated together with the settings `given`.

    "default" means the setting's own default where that is decided later (None). Numbers of one
    value (decoder-widths) are joined by x: `decoder-widths=64x32,32x16`. Raises ConfigError.
    """
    written, equals, listed = text.partition("=")
    name = written.strip().replace("-", "_")
    if not equals or not listed.strip():
        raise ConfigError(Advice("{}: expected SETTING=VALUE,VALUE,…, got {!r}.", _OVER, text))
    if name not in TrainingSettings.model_fields or name in NO_RESULT_CHANGES:
        swept = [field for field in TrainingSettings.model_fields if field not in NO_RESULT_CHANGES]
        fields = [field.replace("_", "-") for field in swept]
        near = difflib.get_close_matches(written.strip(), fields, n=2)
        hint = f"Did you mean {' or '.join(near)}?" if near else _WHERE_LISTED
        message = Advice("{}: there is no setting {!r} to sweep.", _OVER, written.strip())
        raise ConfigError(message, hint=hint)
    if name in given:
        twice = Advice("{} cannot both be set and swept ({}).", Setting(name), Argument("over", name))
        raise ConfigError(twice, hint="Leave one out.")
    try:
        values = [typed_value(TrainingSettings, name, item.strip(), given) for item in listed.split(",")]
    except ConfigError as error:
        raise ConfigError(Advice("{} {}", _OVER, str(error.message))) from None
    for value in values:
        if values.count(value) > 1:
            raise ConfigError(Advice("{}: {} is named twice.", Argument("over", text), value_text(value)))
    return Axis(name, tuple(values))


def make_points(given: Mapping[str, Any], axes: Sequence[Axis]) -> list[Point]:
    """A run for every combination, the last axis changing fastest. Raises ConfigError."""
    names = [axis.name for axis in axes]
    for name in names:
        if names.count(name) > 1:
            message = Advice("{} is given twice.", Argument("over", name))
            raise ConfigError(message, hint="Put its values together.")
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if not axes or count > MOST_RUNS:
        came = f"{count} runs" if axes else "nothing to sweep"
        raise ConfigError(
            Advice("{}: expected 1 to {} runs, got {}.", _OVER, MOST_RUNS, came),
            hint=Advice("Give for example {}.", Argument("over", "gamma=0.1,1,10,30")),
        )
    points = []
    for combination in itertools.product(*(axis.values for axis in axes)):
        values = dict(zip(names, combination, strict=True))
        points.append(Point(run_name(values), values, TrainingSettings.make(**{**given, **values})))
    return points


def run_name(values: Mapping[str, Any]) -> str:
    """A folder name that says the values: gamma-0.1_seed-2."""
    return "_".join(f"{name.replace('_', '-')}-{_label(value)}" for name, value in values.items())


def values_text(values: Mapping[str, Any]) -> str:
    """γ 0.1, seed 2."""
    return ", ".join(f"{setting_label(name)} {value_text(value)}" for name, value in values.items())


def setting_label(name: str) -> str:
    return "γ" if name == "gamma" else name.replace("_", " ")


def _label(value: Any) -> str:
    text = value_text(value)
    fit = _UNFIT_FOR_NAMES.sub("-", text).strip("-.")[-_LONGEST_LABEL:]
    if fit == text:
        return fit
    return f"{fit or 'value'}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"  # a path, say: keep them apart
