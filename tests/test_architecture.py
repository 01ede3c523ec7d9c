"""Imports go one way, contracts that say so bite, and the window opens without torch."""

from __future__ import annotations

import ast
import re
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


# Where an import is planted, what is imported, and the contract that it breaks.
PLANTED = [
    ("core.errors", "PySide6", "Core knows no window"),
    ("core.runs", "rich", "Core knows no window"),
    ("core.paths", "pgn_studio.gui.planted", "Window, command line and API"),
    ("gui.planted", "pgn_studio.cli.main", "Window, command line and API"),
    ("api", "pgn_studio.cli.main", "Window, command line and API"),
    ("core.config", "pgn_studio.core.training.trainer", "imports go one way"),
    ("core.training.trainer", "pgn_studio.core.project.opening", "imports go one way"),
    ("core.training.trainer", "pgn_studio.core.baselines", "imports go one way"),
    ("core.sweeps.plan", "pgn_studio.core.export.table", "imports go one way"),
    ("core.data.__init__", "pgn_studio.core.classifiers.small_cnn", "imports go one way"),
]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy_of_package(tmp_path: Path) -> Path:
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    shutil.copytree(PACKAGE, tmp_path / "pgn_studio", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_planted_imports_are_found(copy_of_package: Path) -> None:
    for module, imported, _ in PLANTED:
        with (copy_of_package / "pgn_studio" / f"{module.replace('.', '/')}.py").open("a") as stream:
            stream.write(f"\nimport {imported}\n")
    result = lint_imports(copy_of_package)
    assert result.returncode == 1, result.stdout + result.stderr
    words = " ".join(result.stdout.split())
    broken = [text for text in result.stdout.splitlines() if " BROKEN" in text]
    for module, imported, contract in PLANTED:
        assert any(contract in text for text in broken), result.stdout
        told = f"{module.removesuffix('.__init__')} -> {imported}"
        assert re.search(rf"pgn_studio\.{re.escape(told)}\b", words), (told, result.stdout)


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
