"""What the documents say works: snippets run, commands parse, links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import pgn_studio
from pgn_studio.core.paths import trained_folder

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENTS = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]
GENERATED = re.compile(
    r"^reference/(commands|settings)\.md$|^(contributing|changelog)\.md$"
)  # by tools/reference_pages.py
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MOST_PICTURE_BYTES = 2_000_000
# What a page's snippets find in their folder, made by the command that the page gives before them.
MADE_BEFORE = {
    "deploy.md": [
        "export",
        str(trained_folder() / "digits-enhance.safetensors"),
        "--what",
        "model",
        "--out",
        "enhance.pt2",
    ]
}
LINK = re.compile(r"\]\(([^)#\s]+)")


def fenced(document: Path, language: str) -> list[str]:
    return [body for name, body in FENCE.findall(document.read_text(encoding="utf-8")) if name == language]


def command_lines(document: Path) -> list[list[str]]:
    """The words after each `$` in console blocks, with continued lines joined and comments gone."""
    blocks = [body.replace("\\\n", " ") for body in fenced(document, "console")]
    lines = [line.removeprefix("$") for body in blocks for line in body.splitlines() if line.startswith("$")]
    return [shlex.split(line, comments=True) for line in lines]


SNIPPETS = [
    pytest.param(body, MADE_BEFORE.get(document.name, []), id=f"{document.name}-{number}")
    for document in DOCUMENTS
    for number, body in enumerate(fenced(document, "python"))
]
COMMANDS = [
    pytest.param(words[1:], id=" ".join(words[:4]))
    for document in DOCUMENTS
    for words in command_lines(document)
    if words[0] == "pgn-studio"
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("snippet", "before"), SNIPPETS)
def test_snippet_runs(snippet: str, before: list[str], tmp_path: Path) -> None:
    for arguments in (["-m", "pgn_studio", *before] if before else [], ["-c", snippet]):
        if arguments:
            done = subprocess.run(
                [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
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
    missing = [document.parent / link for link in links if not (document.parent / link).exists()]
    pages = [os.path.relpath(path, REPOSITORY / "docs") for path in missing]
    assert not [page for page in pages if not GENERATED.match(page)]


def test_the_architecture_names_what_there_is() -> None:
    """`step.py:TrainStep.__call__` is a file of core (or of gui, cli) that defines or assigns both names."""
    page = (REPOSITORY / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)(?::([\w.]+))?`", page)
    assert named
    for path, names in named:
        places = (REPOSITORY / "pgn_studio" / "core", REPOSITORY / "pgn_studio", REPOSITORY)
        file = next((place / path for place in places if (place / path).is_file()), None)
        assert file, path
        for name in filter(None, names.split(".")):
            defined = rf"^\s*(?:def |class )?{name}\b.*[:=(]"
            assert re.search(defined, file.read_text(encoding="utf-8"), re.MULTILINE), f"{path}:{name}"


def test_the_tables_of_experiments_are_of_the_kept_results(tmp_path: Path) -> None:
    """Also of results that call baselines by their old names."""
    folder = REPOSITORY / "docs" / "experiments"
    page, kept = (folder / name for name in ("README.md", "results.json"))
    (tmp_path / page.name).write_bytes(page.read_bytes())
    older = kept.read_text(encoding="utf-8").replace(' white-box"', ' direct"')
    (tmp_path / kept.name).write_text(older, encoding="utf-8")
    command = [sys.executable, str(folder / "tables.py"), str(tmp_path), str(tmp_path / page.name)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / page.name).read_text(encoding="utf-8") == page.read_text(encoding="utf-8")
    assert (tmp_path / kept.name).read_text(encoding="utf-8") == kept.read_text(encoding="utf-8")


def test_changelog_has_this_version() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changelog.index("## [Unreleased]") < changelog.index(f"## [{pgn_studio.__version__}]")


def test_the_citation_has_this_version() -> None:
    citation = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", citation, re.MULTILINE)[1] == pgn_studio.__version__


def test_pictures_of_the_readme_are_small() -> None:
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (REPOSITORY / "README.md").read_text(encoding="utf-8"))
    assert any(picture.endswith(".gif") for picture in pictures)
    assert all((REPOSITORY / picture).stat().st_size < MOST_PICTURE_BYTES for picture in pictures)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation site, built strictly."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.timeout(300)
def test_the_site_names_every_command_and_setting_with_its_range(site: Path) -> None:
    from pgn_studio.cli.main import app
    from pgn_studio.core.config import ClassifierSettings, TrainingSettings

    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    settings = (site / "reference" / "settings.html").read_text(encoding="utf-8")
    assert all(f'id="{name}"' in commands for name in typer.main.get_command(app).commands)
    names = {*TrainingSettings.model_fields, *ClassifierSettings.model_fields}
    assert not {name for name in names if f"<code>{name}</code>" not in settings}
    assert "At least 8, at most 1024." in settings  # image_size


@pytest.mark.timeout(300)
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = re.compile(r"<(?:script|link|img|iframe)[^>]*?(?:src|href)=[\"']?((?:https?:)?//[^\"' >]+)")
    pages = [path.read_text(encoding="utf-8") for path in site.rglob("*.html")]
    assert pages
    assert not {address for page in pages for address in loaded.findall(page)}
