"""Command-line options generated from the settings: one declaration serves both.

An option that the user did not give is not passed on at all, so that the settings' own defaults
and recipes decide.
"""

from __future__ import annotations

import functools
import inspect
import os
import types
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from pgn_studio.core.config import Settings, known_spelling
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.files import is_stream
from pgn_studio.core.gamma import parsed_gamma
from pgn_studio.core.runs import RUN_FILES, RUN_JSON

Command = Callable[..., None]
_TEXTS = ("", ".json", ".txt", ".log")  # what --json replaces; not a classifier
_FORMER_NAMES = {"max_train_images": ("--train-limit",)}  # that scripts may still use
_RECORDS = (*RUN_FILES, "checkpoint.json")


def with_settings(model: type[Settings], *, leave_out: Collection[str] = ()) -> Callable[[Command], Command]:
    """Add an option for each field of `model` to a command that takes `given: dict[str, Any]`.

    The command gets in `given` what the user really gave, ready for `model.make(**given)`.
    """
    names = [
        name for name in model.model_fields if name not in leave_out and not model.is_recorded_only(name)
    ]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(**values: Any) -> None:
            given = {name: values.pop(name) for name in names}
            command(given=_parsed(model, {n: v for n, v in given.items() if v is not None}), **values)

        own = inspect.signature(command, eval_str=True).parameters.values()
        parameters = [
            item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in own if item.name != "given"
        ]
        basic = [name for name in names if not model.is_advanced(name)]
        advanced = [name for name in names if model.is_advanced(name)]
        parameters += [_parameter(model, name) for name in (*basic, *advanced)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {item.name: item.annotation for item in parameters}
        return run

    return decorate


def with_fields(name: str, options: type[Any]) -> Callable[[Command], Command]:
    """Add the fields of the dataclass `options` as options to a command that takes one of it as `name`."""
    fields = inspect.signature(options, eval_str=True).parameters

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(**values: Any) -> None:
            value = options(**{field: values.pop(field) for field in fields})
            command(**{name: value}, **values)

        own = inspect.signature(command, eval_str=True).parameters.values()
        kept = [item for item in own if item.name != name]
        added = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in fields.values()]
        run.__signature__ = inspect.Signature([*kept, *added])  # type: ignore[attr-defined]
        return run

    return decorate


def option_name(field: str) -> str:
    """`--learning-rate-g` for `learning_rate_g`."""
    return "--" + field.replace("_", "-")


def _parameter(model: type[Settings], name: str) -> inspect.Parameter:
    field = model.model_fields[name]
    kind = _plain_type(field.annotation)
    declaration = option_name(name)
    if kind is bool:
        declaration += f"/--no-{declaration[2:]}"
    option = typer.Option(
        declaration,
        *_FORMER_NAMES.get(name, ()),
        help=field.description + _default_text(field, declaration),  # type: ignore[operator]
        show_default=False,
        metavar=_metavar(model, name),
        parser=_parser(name, kind),
        rich_help_panel=_panel(model, name),
    )
    typed = str if get_origin(kind) in (tuple, Literal) else kind
    annotation = Annotated[Optional[typed], option]  # type: ignore[valid-type] # noqa: UP045
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _parser(name: str, kind: Any) -> Callable[[str], Any] | None:
    """What reads the option's text where typer does not know how."""
    if name == "gamma":
        return _gamma
    return functools.partial(_one_of, get_args(kind)) if get_origin(kind) is Literal else None


def _gamma(text: str) -> float | tuple[float, float]:
    try:
        value: float | tuple[float, float] = parsed_gamma(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, got {text!r}.") from None
    return value


def _one_of(names: tuple[str, ...], value: str) -> str:
    """The name that `value` is, perhaps in another case, or with _ for -."""
    found = str(known_spelling(value, names))
    if found not in names:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(map(repr, names))}.")
    return found


def _panel(model: type[Settings], name: str) -> str:
    group = model.group_of(name)
    return f"{group}, advanced" if model.is_advanced(name) else group


def _metavar(model: type[Settings], name: str) -> str | None:
    annotation = model.model_fields[name].annotation
    plain = _plain_type(annotation)
    if name == "gamma":
        return "G|LOW..HIGH"
    if get_origin(plain) is tuple:
        return "N,N,…"
    if get_origin(plain) is Literal:
        return f"<{'|'.join(get_args(plain))}>"
    return "PATH" if Path in (annotation, *get_args(annotation)) else None


def _plain_type(annotation: Any) -> Any:
    """The type without `| None`: an option that was not given is None anyway."""
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [item for item in get_args(annotation) if item is not type(None)]
        annotation = kinds[0] if len(kinds) == 1 else str  # the settings read what may be one of several
    if get_origin(annotation) in (Literal, tuple) or annotation in (bool, int, float, str):
        return annotation
    return str  # paths: typer would turn "~" and "" into paths before the settings see them


def _default_text(field: FieldInfo, declaration: str) -> str:
    value = field.default
    if value is None or value == "" or "default:" in (field.description or ""):
        return ""
    if isinstance(value, bool):
        return f" (default: {declaration.split('/')[0 if value else 1][2:]})"
    return f" (default: {value:g})" if isinstance(value, float) else f" (default: {value})"


def _parsed(model: type[Settings], given: dict[str, Any]) -> dict[str, Any]:
    """Turn "256,128" into (256, 128) where the field is a tuple."""
    for name, value in given.items():
        if isinstance(value, str) and get_origin(_plain_type(model.model_fields[name].annotation)) is tuple:
            given[name] = numbers(value, option_name(name), int)
    return given


def refuse_folder(path: Path, option: str) -> None:
    """Raises ConfigError where a file is to be written and a folder, a pipe or a device is."""
    if path.is_dir():
        raise ConfigError(f"{option}: {path} is a folder; expected a file.")
    if path.exists() and not path.is_file():
        raise ConfigError(f"{option}: {path} is a pipe or a device; expected a file.")


def check_json_file(path: Path | None) -> None:
    """Raises ConfigError where --json would replace what is no file of figures."""
    if path is None or is_stream(path := path.expanduser()):
        return
    refuse_folder(path, "--json")
    if path.name in _RECORDS and (path.parent / RUN_JSON).exists():
        raise ConfigError(f"--json: {path} is the run's own record.", hint="Choose another name.")
    places = (path, Path(os.path.realpath(path)))  # a link may hide what it leads to
    foreign = [name for name in places if name.suffix.lower() not in _TEXTS]
    if path.exists() and foreign:
        raise ConfigError(
            f"--json: {foreign[-1]} is there already, and no file of figures by its name.",
            hint="Choose a name that ends in .json.",
        )


def numbers(text: str, option: str, kind: type[int] | type[float]) -> tuple[Any, ...]:
    """Numbers between commas. Raises ConfigError that names the option."""
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError:
        what = "whole numbers" if kind is int else "numbers"
        raise ConfigError(f"{option}: expected {what} between commas, got {text!r}.") from None
