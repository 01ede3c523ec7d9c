"""The command as a whole: help, version, faults of ours, the window, start-up."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from pgn_studio import __version__
from pgn_studio.cli import main as command_line
from pgn_studio.cli.display import Display
from pgn_studio.core.paths import log_file
from tests.cli.conftest import RunCommand

COMMANDS = ("train-classifier", "train", "evaluate", "export", "perturb", "report", "runs", "doctor", "demo")


def test_version(pgn_studio: RunCommand) -> None:
    assert pgn_studio("--version").out == f"pgn-studio {__version__}\n"


def test_help_names_all_commands(pgn_studio: RunCommand) -> None:
    outcome = pgn_studio("--help")
    assert outcome.code == 0
    assert all(command in outcome.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(pgn_studio: RunCommand, command: str) -> None:
    outcome = pgn_studio(command, "--help")
    assert outcome.code == 0
    assert f"pgn-studio {command}" in outcome.out


def test_help_groups_options_and_shows_defaults(pgn_studio: RunCommand) -> None:
    text = pgn_studio("train", "--help").out
    for panel in ("Data", "PGN", "Training", "Machine", "PGN, advanced", "Experimental"):
        assert f"─ {panel} ─" in text
    assert "--val-fraction" in text
    assert "(default: 0.15)" in text
    assert "--classifier-conditioning" in text
    assert "--no-classifier-conditioning" in text
    assert "--set" in text


def test_the_start_imports_neither_torch_nor_qt() -> None:
    code = (
        "import sys; from pgn_studio.cli.main import main; main(['train', '--help']); "
        "bad = {'torch', 'PySide6', 'matplotlib', 'timm', 'scipy'} & set(sys.modules); "
        "sys.exit(f'imported {bad}' if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_python_m_pgn_studio_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pgn_studio", "nonsense"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("pgn-studio: error: No such command 'nonsense'")


def test_a_fault_of_ours_is_one_line_and_a_log(
    pgn_studio: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(folder: Path) -> None:
        raise ZeroDivisionError("by the test")

    monkeypatch.setattr("pgn_studio.core.run_records.list_runs", broken)
    outcome = pgn_studio("runs")
    assert outcome.code == 1
    assert len(outcome.error_lines) == 1
    assert "internal error: ZeroDivisionError: by the test" in outcome.err
    assert str(log_file()) in outcome.err
    log = log_file().read_text(encoding="utf-8")
    assert "Traceback" in log
    assert "by the test" in log


def test_without_a_log_the_command_works_all_the_same(
    pgn_studio: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PGN_STUDIO_HOME", str(tmp_path / "file"))
    outcome = pgn_studio("runs")
    assert outcome.code == 0
    assert "There are no runs" in outcome.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, ""),  # typer already turned it into the exit code
        (MemoryError(), 2, "Out of memory"),
        (PermissionError(13, "Permission denied", "/x"), 2, "Permission denied: /x"),
    ],
)
def test_errors_of_the_system(
    pgn_studio: RunCommand, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    def raising(folder: Path) -> None:
        raise error

    monkeypatch.setattr("pgn_studio.core.run_records.list_runs", raising)
    outcome = pgn_studio("runs")
    assert outcome.code == code
    assert said in outcome.err


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise there")
def test_a_reader_that_leaves_is_no_error() -> None:
    code = "import sys; from pgn_studio.cli.main import main; sys.exit(main(['train', '--help']))"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert "Traceback" not in done.stderr
    assert done.returncode == 141


@pytest.mark.parametrize(("arguments", "demo"), [((), False), (("demo",), True)])
def test_the_window_opens(
    pgn_studio: RunCommand, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], demo: bool
) -> None:
    calls = []

    def run_app(argv: list[str], *, demo: bool = False) -> int:
        calls.append(demo)
        return 0

    fake = types.ModuleType("pgn_studio.gui.app")
    fake.run_app = run_app  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pgn_studio.gui.app", fake)
    monkeypatch.setattr(command_line, "find_display", lambda: Display(True, True, "xcb"))
    assert pgn_studio(*arguments).code == 0
    assert calls == [demo]
