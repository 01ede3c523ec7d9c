"""What the documents say works: snippets run, commands parse, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import pgn_studio

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENTS = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)")


def fenced(document: Path, language: str) -> list[str]:
    return [body for name, body in FENCE.findall(document.read_text(encoding="utf-8")) if name == language]


def command_lines(document: Path) -> list[list[str]]:
    """The words after each `$` in console blocks, with continued lines joined and comments gone."""
    blocks = [body.replace("\\\n", " ") for body in fenced(document, "console")]
    lines = [line.removeprefix("$") for body in blocks for line in body.splitlines() if line.startswith("$")]
    return [shlex.split(line, comments=True) for line in lines]


SNIPPETS = [
    pytest.param(body, id=f"{document.name}-{number}")
    for document in DOCUMENTS
    for number, body in enumerate(fenced(document, "python"))
]
COMMANDS = [
    pytest.param(words[1:], id=" ".join(words[:4]))
    for document in DOCUMENTS
    for words in command_lines(document)
    if words[0] == "pgn-studio"
]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_snippet_runs(snippet: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", COMMANDS)
def test_command_is_one_that_the_command_line_knows(words: list[str]) -> None:
    from pgn_studio.cli.main import app

    command = typer.main.get_command(app)
    if words and not words[0].startswith("-"):
        command = command.commands[words.pop(0)]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    used = {word.split("=")[0] for word in words if word.startswith("--")}
    assert used <= known | {"--help"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_exist(document: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for words in command_lines(document):
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), words


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = [link for link in LINK.findall(document.read_text(encoding="utf-8")) if "://" not in link]
    assert not [link for link in links if not (document.parent / link).exists()]


def test_changelog_has_this_version() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changelog.index("## [Unreleased]") < changelog.index(f"## [{pgn_studio.__version__}]")


WINDOW = REPOSITORY / "docs" / "reference" / "window.md"
POINTS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in WINDOW.read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| point"))
]
HELD = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def test_every_point_of_the_window_says_how_it_is_held() -> None:
    silent = [
        point
        for point, how in POINTS
        if not (point.startswith("**") or HELD.search(how) or how.startswith("none") or how == "—")
    ]
    assert len(POINTS) > 80
    assert not silent


def test_the_tests_that_hold_the_window_are_there() -> None:
    named = {pair for _point, how in POINTS for pair in HELD.findall(how)}
    files = {path: (REPOSITORY / "tests" / path).read_text(encoding="utf-8") for path, _ in named}
    missing = [f"{path}::{name}" for path, name in named if f"def {name}(" not in files[path]]
    assert not missing
