"""Command-line options generated from the settings: one declaration serves both.

An option that the user did not give is not passed on at all, so that the settings' own defaults
and recipes decide.
"""

from __future__ import annotations

import functools
import inspect
import os
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo
from rich.table import Table

from pgn_studio.cli import terminal
from pgn_studio.core.assignments import experimental_names, parse_assignments, value_text
from pgn_studio.core.config import Settings, TrainingSettings, known_spelling
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.files import is_stream
from pgn_studio.core.gamma import parsed_gamma
from pgn_studio.core.runs import RUN_FILES, RUN_JSON

Command = Callable[..., None]
_SET = "set_"  # the parameter of --set
_TEXTS = ("", ".json", ".txt", ".log")  # what --json replaces; not a classifier
_FORMER_NAMES = {"max_train_images": ("--train-limit",)}  # that scripts may still use
_RECORDS = (*RUN_FILES, "checkpoint.json")


def with_settings(model: type[Settings], *, leave_out: Collection[str] = ()) -> Callable[[Command], Command]:
    """Add an option for each field of `model` to a command that takes `given: dict[str, Any]`.

    Experimental ones share the option --set. The command gets in `given` what the user really gave, ready
    for `model.make(**given)`.
    """
    experimental = experimental_names(model)
    left_out = {*leave_out, *experimental}
    names = [name for name in model.model_fields if name not in left_out and not model.is_recorded_only(name)]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(**values: Any) -> None:
            given = {name: values.pop(name) for name in names}
            given = {name: value for name, value in given.items() if value is not None}
            command(given=_with_assignments(model, given, values.pop(_SET, None) or ()), **values)

        own = inspect.signature(command, eval_str=True).parameters.values()
        parameters = [
            item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in own if item.name != "given"
        ]
        basic = [name for name in names if not model.is_advanced(name)]
        advanced = [name for name in names if model.is_advanced(name)]
        parameters += [_parameter(model, name) for name in (*basic, *advanced)]
        if experimental:
            parameters.append(_set_parameter(model))
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


def written(given: Mapping[str, Any]) -> list[str]:
    """The words that give these settings of a PGN or a classifier on the command line."""
    words: list[str] = []
    for name, value in given.items():
        option = option_name(name)
        if name in experimental_names(TrainingSettings):
            words += ["--set", f"{name}={value_text(value)}"]
        elif isinstance(value, bool):
            words.append(option if value else f"--no-{option[2:]}")
        else:
            words += [option, value_text(value)]
    return words


def moved_option(option: str, arguments: Sequence[str]) -> str | None:
    """What to write instead of the option of an experimental setting: `--set head=linear`."""
    name = option.removeprefix("--").replace("-", "_").removeprefix("no_")
    if name not in experimental_names(TrainingSettings):
        return None
    if bool in _kinds(TrainingSettings.model_fields[name].annotation):
        return f"--set {name}=yes or --set {name}=no"
    for number, argument in enumerate(arguments):
        if argument == option and arguments[number + 1 : number + 2]:
            return f"--set {name}={arguments[number + 1]}"
        if argument.startswith(f"{option}="):
            return f"--set {name}={argument.partition('=')[2]}"
    return f"--set {name}=VALUE"


def _with_assignments(
    model: type[Settings], given: dict[str, Any], assigned: Sequence[str]
) -> dict[str, Any]:
    """What options and --set give together. Raises ConfigError where they contradict each other."""
    values = parse_assignments(model, assigned)
    for name in given.keys() & values.keys():
        if getattr(model.make(**{name: given[name]}), name) != values[name]:
            shown = f"{option_name(name)} {given[name]} and --set {name}={value_text(values[name])}"
            raise ConfigError(f"{shown} contradict each other.", hint="Leave one out.")
    return {**given, **values}


def _set_parameter(model: type[Settings]) -> inspect.Parameter:
    def listed(assigned: list[str] | None) -> list[str] | None:
        if assigned and "help" in assigned:
            terminal.result_table(_experimental_table(model))
            raise typer.Exit
        return assigned

    option = typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting that only an ablation needs, such as head=linear; may be repeated. "
        "--set help lists them.",
        show_default=False,
        callback=listed,
        is_eager=True,
        rich_help_panel="Experimental",
    )
    annotation = Annotated[Optional[list[str]], option]  # noqa: UP045
    return inspect.Parameter(_SET, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _experimental_table(model: type[Settings]) -> Table:
    table = Table("Setting", "Default", "What it is", title="Set with --set NAME=VALUE", title_justify="left")
    for name in experimental_names(model):
        field = model.model_fields[name]
        default = "automatic" if field.default is None else value_text(field.default)
        table.add_row(name, default, field.description)
    return table


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
    typed = str if get_origin(kind) is Literal else kind
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
    if get_origin(plain) is Literal:
        return f"<{'|'.join(get_args(plain))}>"
    return "PATH" if Path in (annotation, *get_args(annotation)) else None


def _plain_type(annotation: Any) -> Any:
    """The type without `| None`: an option that was not given is None anyway."""
    kinds = _kinds(annotation)
    plain = kinds[0] if len(kinds) == 1 else str  # the settings read what may be one of several
    if get_origin(plain) is Literal or plain in (bool, int, float, str):
        return plain
    return str  # paths: typer would turn "~" and "" into paths before the settings see them


def _kinds(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        return [item for item in get_args(annotation) if item is not type(None)]
    return [annotation]


def _default_text(field: FieldInfo, declaration: str) -> str:
    value = field.default
    if value is None or value == "" or "default:" in (field.description or ""):
        return ""
    if isinstance(value, bool):
        return f" (default: {declaration.split('/')[0 if value else 1][2:]})"
    return f" (default: {value:g})" if isinstance(value, float) else f" (default: {value})"


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
