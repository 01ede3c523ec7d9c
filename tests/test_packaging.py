"""A wheel (and the source archive) built from the repository installs and runs elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from pgn_studio.core import paths
from pgn_studio.core.errors import PgnStudioError

REPOSITORY = Path(__file__).resolve().parent.parent
DEMO = ("digits-classifier.safetensors", "digits-enhance.safetensors", "digits-adversarial.safetensors")
MOST_DEMO_BYTES = 10_000_000

SHOW_PATHS = """
import json, pgn_studio
from pgn_studio.core import paths
print(json.dumps([pgn_studio.__file__, str(paths.resources_folder()), str(paths.trained_folder())]))
"""


def run(*arguments: str | Path, cwd: Path, **variables: str) -> str:
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def bundled_files() -> set[str]:
    """What the repository holds of the two folders that go into the package."""
    command = ["git", "ls-files", "resources", "trained"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return set(listed.stdout.splitlines())
    files = [path for name in ("resources", "trained") for path in (REPOSITORY / name).rglob("*")]
    return {path.relative_to(REPOSITORY).as_posix() for path in files if path.is_file()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run("-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=REPOSITORY)
    (path,) = folder.glob("pgn_studio-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel in it and nothing else; the dependencies are those of the tests."""
    folder = tmp_path_factory.mktemp("site")
    run("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder, wheel, cwd=folder)
    return folder


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.slow
def test_wheel_holds_code_resources_and_trained(wheel: Path) -> None:
    names = names_in(wheel)
    missing = {f"pgn_studio/{name}" for name in bundled_files()} - names
    assert not missing
    assert {"pgn_studio/py.typed", "pgn_studio/core/paths.py", "pgn_studio/resources/style/dark.qss"} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"pgn_studio"}


@pytest.mark.slow
def test_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (info,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        entry_points = archive.read(f"{info}/entry_points.txt").decode()
        metadata = archive.read(f"{info}/METADATA").decode()
    assert re.search(r"^pgn-studio = pgn_studio\.cli\.main:main$", entry_points, re.MULTILINE)
    assert "Requires-Python: >=3.10" in metadata
    assert "License-Expression: MIT" in metadata


@pytest.mark.slow
def test_demo_is_in_the_wheel_and_small(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {item.filename: item.file_size for item in archive.infolist()}
    assert {f"pgn_studio/trained/{name}" for name in DEMO} <= set(sizes)
    trained = sum(size for name, size in sizes.items() if name.startswith("pgn_studio/trained/"))
    assert trained <= MOST_DEMO_BYTES


@pytest.mark.slow
def test_installed_wheel_finds_its_own_files(installed: Path, tmp_path: Path) -> None:
    shown = json.loads(run("-c", SHOW_PATHS, cwd=tmp_path, PYTHONPATH=str(installed)))
    package = installed / "pgn_studio"
    assert shown == [str(package / "__init__.py"), str(package / "resources"), str(package / "trained")]


@pytest.mark.slow
def test_installed_wheel_runs(installed: Path, tmp_path: Path) -> None:
    text = run("-m", "pgn_studio", "--help", cwd=tmp_path, PYTHONPATH=str(installed))
    for command in ("demo", "train-classifier", "train", "evaluate", "export", "runs", "doctor"):
        assert command in text


@pytest.mark.slow
def test_source_archive_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    run("-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=REPOSITORY)
    (archive,) = tmp_path.glob("pgn_studio-*.tar.gz")
    with tarfile.open(archive) as stream:
        stream.extractall(tmp_path)  # our own archive
    (source,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    run("-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=source)
    (again,) = tmp_path.glob("pgn_studio-*.whl")
    assert names_in(again) == names_in(wheel)


def test_home_moves_all_user_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PGN_STUDIO_HOME", str(tmp_path))
    folders = [paths.data_folder(), paths.cache_folder(), paths.runs_folder(), paths.log_file().parent]
    assert folders == [tmp_path / name for name in ("data", "cache", "runs", "log")]
    assert not list(tmp_path.iterdir())  # named, not made


def test_without_home_the_system_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGN_STUDIO_HOME")
    folders = {paths.data_folder(), paths.cache_folder(), paths.runs_folder(), paths.log_file().parent}
    assert len(folders) == 4
    assert all(folder.is_absolute() and "pgn-studio" in folder.parts for folder in folders)


def test_a_broken_installation_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "pgn_studio")
    with pytest.raises(PgnStudioError, match="'resources'.*install"):
        paths.resources_folder()


def test_paper_tables_are_whole() -> None:
    content = json.loads((paths.resources_folder() / "paper_tables.json").read_text(encoding="utf-8"))
    tables = content["tables"]
    assert [table["number"] for table in tables] == [1, 2, 3]
    for table in tables:
        for row in table["rows"]:
            assert list(row["results"]) == list(table["columns"])
            for cell in row["results"].values():
                assert 0 < cell["accuracy_percent"] < 100
                assert 0 < cell["average_precision"] < 1
