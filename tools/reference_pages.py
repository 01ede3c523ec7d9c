"""Pages of the documentation site that are made when it is built: commands, settings, changelog.

A hook of mkdocs (mkdocs.yml). The commands come from the command line's own declaration, the settings from
their models, so that neither can disagree with the program.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from pgn_studio.cli.main import app
from pgn_studio.core.config import (
    MOST_SEED,
    PAPER_RECIPE,
    ClassifierSettings,
    DataSettings,
    Settings,
    TrainingSettings,
)

ROOT = Path(__file__).resolve().parent.parent
SHARED_FROM = 5  # an option that as many commands have is described once
Table = Sequence[Sequence[str]]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """mkdocs asks for this: add the generated pages to those of docs/."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def pages() -> dict[str, str]:
    """Each generated page's Markdown, by its path below docs/."""
    return {
        "reference/commands.md": commands_page(),
        "reference/settings.md": settings_page(),
        "changelog.md": _page_of_root("CHANGELOG.md"),
        "contributing.md": _page_of_root("CONTRIBUTING.md"),
    }


def commands_page() -> str:
    """Every command with its arguments and options, as `--help` has them."""
    commands: Mapping[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    count = Counter(_key(item) for command in commands.values() for item in command.params)
    shared = {key for key, times in count.items() if times >= SHARED_FROM}
    texts = [
        "# Commands",
        "`pgn-studio` without a command opens the window. `--version` prints the version, `--help` explains "
        "any command. Exit codes: 0 done, 2 bad input, 130 stopped by the user, 1 an internal error.",
    ]
    common: dict[tuple[str, ...], Any] = {}
    for name, command in commands.items():
        own = [item for item in command.params if _key(item) not in shared]
        others = [item for item in command.params if _key(item) in shared]
        common.update({_key(item): item for item in others})
        texts += [f"## {name}", command.help or ""]
        if command.epilog:
            texts.append(f"```console\n$ {command.epilog.removeprefix('Example: ')}\n```")
        if own:
            texts.append(_table(("option", "default", "meaning"), [_option_row(item) for item in own]))
        if others:
            names = ", ".join(f"`{_names(item)[0]}`" for item in others)
            texts.append(f"Also [options of several commands](#options-of-several-commands): {names}.")
    texts += ["## Options of several commands"]
    texts.append(_table(("option", "default", "meaning"), [_option_row(item) for item in common.values()]))
    return "\n\n".join(texts) + "\n"


def settings_page() -> str:
    """Every setting of a data set, a classifier's training and a PGN's training, by group."""
    texts = [
        "# Settings",
        "One declaration serves the command line's options, the window's forms and `run.json`. A setting "
        "with an option is given as `--option VALUE`; an experimental one as `--set name=value`, or in the "
        "window's *Further settings*. *Paper* is the value under `--recipe paper` where it differs.",
        "γ depends on problem and discriminator; `pgn-studio train --dry-run` prints all settings of a run.",
    ]
    shown: set[str] = set()
    for title, model in (
        ("Data", DataSettings),
        ("Training a PGN", TrainingSettings),
        ("Training a classifier", ClassifierSettings),
    ):
        names = [name for name in model.model_fields if name not in DataSettings.model_fields or not shown]
        shown.update(names)
        texts += [f"## {title}", *_settings_tables(model, names)]
    return "\n\n".join(texts) + "\n"


def _settings_tables(model: type[Settings], names: Iterable[str]) -> Iterable[str]:
    paper = model is TrainingSettings
    head = ("setting", "given as", "default", *(("paper",) if paper else ()), "meaning")
    rows = []
    for name in names:
        field = model.model_fields[name]
        text = field.description or ""
        default = "" if "default: " in text else _value(field.default)  # the text says on what it depends
        row = [f"`{name}`", _given_as(model, name), default]
        if paper:
            row.append(_value(PAPER_RECIPE[name]) if name in PAPER_RECIPE else "")
        rows.append([*row, text + _listed(_literals(field.annotation)) + _bounds(field.metadata)])
    yield _table(head, rows)


def _given_as(model: type[Settings], name: str) -> str:
    if model.is_recorded_only(name):
        return "recorded only"
    option = name.replace("_", "-")
    return f"`--set {name}=`" if model.is_experimental(name) else f"`--{option}`"


def _literals(annotation: Any) -> Sequence[Any]:
    """The values that a Literal names, also where None may stand for it."""
    found = [annotation, *get_args(annotation)]
    return next((get_args(item) for item in found if get_origin(item) is Literal), ())


def _listed(choices: Sequence[Any]) -> str:
    return f" *One of {', '.join(map(str, choices))}.*" if choices else ""


def _bounds(metadata: Sequence[Any]) -> str:
    """The range of a number, in words."""
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    found = [
        f"{word} {_value(getattr(item, key))}"
        for item in metadata
        for key, word in words.items()
        if getattr(item, key, None) not in (None, MOST_SEED)
    ]
    return f" *{', '.join(found).capitalize()}.*" if found else ""


def _key(parameter: Any) -> tuple[str, ...]:
    return (*parameter.opts, getattr(parameter, "help", None) or "")


def _option_row(parameter: Any) -> list[str]:
    names = ", ".join(f"`{name}`" for name in _names(parameter))
    text, said = _without_default(getattr(parameter, "help", None) or "")
    default = "required" if parameter.required else said or _value(parameter.default)
    return [names, default, text + _listed(_option_choices(parameter))]


def _names(parameter: Any) -> Sequence[str]:
    if parameter.param_type_name == "argument":
        return (parameter.metavar or parameter.name.upper(),)
    return (*parameter.opts, *parameter.secondary_opts)


def _without_default(text: str) -> tuple[str, str]:
    """A help text and the default that it ends with."""
    found = re.fullmatch(r"(.*?)\s*\(default: ([^()]*)\)", text, re.DOTALL)
    return (found[1], found[2]) if found else (text, "")


def _option_choices(parameter: Any) -> Sequence[Any]:
    """Typer keeps them in one place or another, by its version."""
    if hasattr(parameter, "type_descriptor"):
        return _literals(parameter.type_descriptor.annotation)
    return getattr(parameter.type, "choices", ())


def _value(value: Any) -> str:
    if callable(value):
        return ""
    if value is None or value in ("", (), []):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(head: Sequence[str], rows: Table) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _page_of_root(name: str) -> str:
    """A page that lies at the repository's root, with its links to docs/ made the site's."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.sub(r"\]\(docs/", "](", text).replace("](README.md)", "](index.md)")
