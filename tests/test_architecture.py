"""Imports go one way, contracts that say so bite, and the window opens without torch."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "pgn_studio"

# What newer Pythons added to modules that we import from; typing_extensions has its own of each.
NEWER_THAN_3_10 = {
    "typing": {"Self", "Never", "LiteralString", "NotRequired", "Required", "Unpack", "TypeVarTuple"}
    | {"assert_never", "assert_type", "override", "reveal_type", "ReadOnly", "TypeIs"},
    "enum": {"StrEnum", "verify"},
    "datetime": {"UTC"},
    "contextlib": {"chdir"},
    "itertools": {"batched"},
}

HEAVY = {"torch", "torchvision", "timm", "sklearn", "scipy", "matplotlib"}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy_of_package(tmp_path: Path) -> Path:
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    shutil.copytree(PACKAGE, tmp_path / "pgn_studio", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("core/errors.py", "import PySide6.QtCore", "Core knows no window"),
        ("core/runs.py", "import rich.progress", "Core knows no window"),
        ("core/paths.py", "from pgn_studio.gui import state", "Window, command line and API"),
        ("gui/state.py", "from pgn_studio.cli import main", "Window, command line and API"),
        ("api.py", "from pgn_studio.cli import main", "Window, command line and API"),
        ("core/config.py", "from pgn_studio.core.training import trainer", "imports go one way"),
        ("core/training/trainer.py", "from pgn_studio.core.project import opening", "imports go one way"),
        ("core/training/trainer.py", "from pgn_studio.core import baselines", "imports go one way"),
        ("core/sweeps/plan.py", "from pgn_studio.core.export import table", "imports go one way"),
        ("core/data/__init__.py", "from pgn_studio.core.classifiers import small_cnn", "imports go one way"),
    ],
)
def test_a_planted_import_is_found(copy_of_package: Path, module: str, line: str, contract: str) -> None:
    with (copy_of_package / "pgn_studio" / module).open("a") as stream:
        stream.write(f"\n{line}\n")
    result = lint_imports(copy_of_package)
    assert result.returncode == 1, result.stdout + result.stderr
    broken = [text for text in result.stdout.splitlines() if " BROKEN" in text]
    assert any(contract in text for text in broken), result.stdout


def test_as_it_is_no_contract_is_broken(copy_of_package: Path) -> None:
    result = lint_imports(copy_of_package)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_window_is_imported_without_torch() -> None:
    code = "import sys, pgn_studio.gui.app; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not HEAVY & set(modules.split())


def test_help_is_printed_without_torch() -> None:
    code = "import sys, pgn_studio.cli.main; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not (HEAVY | {"PySide6"}) & set(modules.split())


def test_no_name_is_newer_than_python_3_10() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}: from {module} import {name}"
        for path in modules()
        for module, name in imported_names(path)
        if name in NEWER_THAN_3_10.get(module, ())
    ]
    assert not found


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported_names(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 10))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
