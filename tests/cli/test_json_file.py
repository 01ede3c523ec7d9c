"""--json and --out replace files of their own kind, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pgn_studio.cli import terminal
from pgn_studio.cli.options import check_json_file
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.runs import RunFolder
from tests.cli.conftest import RunCommand

COMMANDS = ("evaluate run", "baseline noise run", "classifier c.safetensors --dataset digits")


@pytest.mark.parametrize("name", ["c.safetensors", "c.pth", "C.PT2", "c.onnx", "c.pt", "p.png"])
def test_what_is_no_file_of_figures_is_not_replaced(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"weights")
    with pytest.raises(ConfigError, match=r"\.json"):
        check_json_file(file)
    link = tmp_path / "link.pth"
    link.symlink_to(file)
    with pytest.raises(ConfigError):
        check_json_file(link)
    assert file.read_bytes() == b"weights"


def test_a_link_of_another_name_does_not_hide_a_classifier(tmp_path: Path) -> None:
    (tmp_path / "c.pth").write_bytes(b"weights")
    (tmp_path / "figures.json").symlink_to(tmp_path / "c.pth")
    with pytest.raises(ConfigError, match=r"c\.pth"):
        check_json_file(tmp_path / "figures.json")


@pytest.mark.parametrize("name", ["figures.json", "FIGURES.JSON", "figures.txt", "figures"])
def test_earlier_figures_are_replaced(tmp_path: Path, name: str) -> None:
    check_json_file(tmp_path / name)
    (tmp_path / name).write_text("{}")
    check_json_file(tmp_path / name)
    check_json_file(None)


def test_a_runs_own_record_is_not_replaced(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", TrainingSettings.make(dataset="digits", classifier="c.pth"))
    with pytest.raises(ConfigError, match="record"):
        check_json_file(run.path / "run.json")
    check_json_file(run.path / "figures.json")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_refuses_before_it_measures(
    pgn_studio: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.safetensors").write_bytes(b"weights")
    outcome = pgn_studio(*command.split(), "--json", "c.safetensors")
    assert outcome.code == 2
    assert "--json" in outcome.error_lines[-1]
    assert Path("c.safetensors").read_bytes() == b"weights"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize(
    ("command", "name"),
    [("export run --what figure", "f.png"), ("train-classifier --dataset digits --force", "c.safetensors")],
)
def test_a_pipe_is_no_place_for_a_file(
    pgn_studio: RunCommand, tmp_path: Path, command: str, name: str
) -> None:
    os.mkfifo(tmp_path / name)
    outcome = pgn_studio(*command.split(), "--out", tmp_path / name)
    assert outcome.code == 2
    assert "pipe" in outcome.error_lines[-1]
    assert (tmp_path / name).is_fifo()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc")
def test_json_on_stdout_is_alone_there(capfd: pytest.CaptureFixture[str]) -> None:
    file = Path("/proc/self/fd/1")
    check_json_file(file)
    with terminal.results_beside(file):
        terminal.result("A table")
    terminal.write_figures(file, {"n": 3})
    printed = capfd.readouterr()
    assert json.loads(printed.out) == {"n": 3}
    assert "A table" in printed.err
    terminal.result("Another table")
    assert capfd.readouterr().out == "Another table\n"
