"""Core speaks of settings and commands as such: no text of it names options, and every name is known."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from pgn_studio.cli.main import app
from pgn_studio.core.config import ClassifierSettings, TrainingSettings

CORE = Path(__file__).resolve().parent.parent / "pgn_studio" / "core"
OPTION = re.compile(r"(?<![\w-])--[a-z]|\bpgn-studio ")
STYLE_SHEET = "var(--"  # CSS has names that look like options
PARTS = ("Setting", "Argument", "Command")


def options_named(source: str) -> list[str]:
    """The texts of a module, docstrings excepted, that speak the command line's language."""
    tree = ast.parse(source)
    left_out = docstrings(tree)
    said = [text_of(node) for node in ast.walk(tree) if node not in left_out]
    return [text for text in said if STYLE_SHEET not in text and OPTION.search(text)]


def text_of(node: ast.AST) -> str:
    """Of an f-string with an x for each value; empty where the node is no text."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "x" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def docstrings(tree: ast.AST) -> list[ast.expr]:
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    firsts = [item for node in ast.walk(tree) if isinstance(node, owners) for item in node.body[:1]]
    return [item.value for item in firsts if isinstance(item, ast.Expr)]


def calls(source: str, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in names
            and node.args
        ):
            yield node


def made_templates(source: str) -> list[str]:
    """The templates of advice that are f-strings or sums: a brace in what users give would break them."""
    templates = [call.args[0] for call in calls(source, "Advice")]
    return [ast.unparse(node) for node in templates if isinstance(node, ast.JoinedStr | ast.BinOp)]


def unknown_names(source: str) -> list[str]:
    """What advice names that is no setting, no option of a command, or no command."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    options = {item.name for command in commands.values() for item in command.params} | {"help", "set"}
    known = {
        "Setting": {*TrainingSettings.model_fields, *ClassifierSettings.model_fields},
        "Argument": options,
        "Command": {*commands},
    }
    named = [
        (call.func.id, call.args[0]) for call in calls(source, *PARTS) if isinstance(call.func, ast.Name)
    ]
    return [
        f"{kind} {name.value}"
        for kind, name in named
        if isinstance(name, ast.Constant) and name.value not in known[kind]
    ]


def core_modules() -> list[Path]:
    return sorted(CORE.rglob("*.py"))


@pytest.mark.parametrize("check", [options_named, made_templates, unknown_names])
def test_core_keeps_to_advice(check: type[list[str]]) -> None:
    found = {path.relative_to(CORE).as_posix(): check(path.read_text()) for path in core_modules()}
    assert not {module: texts for module, texts in found.items() if texts}


@pytest.mark.parametrize(
    "line",
    [
        'hint = "Lower --batch-size."',
        'hint = f"Use --image-size {size}."',
        'hint = f"--{name}: expected a number."',
        'hint = "Name it (--classes)."',
        'hint = "`pgn-studio runs` lists the runs."',
    ],
)
def test_a_planted_option_is_found(line: str) -> None:
    assert options_named(f'"""Docstrings may say --option."""\n{line}\n')


@pytest.mark.parametrize(
    "line", ['style = ":root { --line: #ccc } p { color: var(--line) }"', 'text = "a -- b"']
)
def test_what_is_no_option_is_let_be(line: str) -> None:
    assert not options_named(line)


def test_a_planted_template_or_name_is_found() -> None:
    assert made_templates('Advice(f"In {path} use {{}}.", Setting("gamma"))')
    assert not made_templates('Advice("In {} use {}.", path, Setting("gamma"))')
    source = 'Advice("{} {} {}", Setting("gama"), Argument("clases"), Command("trian"))'
    assert unknown_names(source) == ["Setting gama", "Argument clases", "Command trian"]
