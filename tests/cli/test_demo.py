"""Making the demo's files and showing them without a window, on two digits and one epoch."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from pgn_studio.cli import demo, make_demo
from pgn_studio.cli.main import run_command
from pgn_studio.core.errors import PgnFileError
from pgn_studio.core.perturbation.pgn import read_pgn_info
from tests.cli.conftest import RunCommand

TINY = {"dataset": "digits", "num_classes": 2, "image_size": 8, "epochs": 1, "device": "cpu"}
PGN = {**TINY, "encoder": "small", "decoder_widths": (8,), "precision": "fp32"}
FILES = ("digits-classifier.safetensors", "digits-enhance.safetensors", "digits-adversarial.safetensors")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What make_demo writes with tiny settings."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make_demo, "CLASSIFIER", {**TINY, "augment": "none", "max_train_images": 60})
        patch.setattr(make_demo, "ENHANCE", PGN)
        patch.setattr(make_demo, "ADVERSARIAL", {**PGN, "problem": "adversarial", "gamma": 0.1})
        patch.setattr("sys.argv", ["make_demo", "--out", str(folder)])
        assert run_command(make_demo.make_demo) == 0
    return folder


def test_make_demo_writes_files_and_figures(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} == {*FILES, "README.md"}
    text = (trained / "README.md").read_text(encoding="utf-8")
    assert "On the test split" in text
    assert "after 8 bits" in text
    assert "pgn-studio train-classifier --dataset digits --num-classes 2" in text
    assert "--set decoder_widths=8 " in text


def test_the_files_name_no_folder_of_this_machine(trained: Path) -> None:
    assert read_pgn_info(trained / FILES[1]).classifier_path == FILES[0]
    for name in FILES:
        assert str(Path.home()).encode() not in (trained / name).read_bytes()


def test_a_file_that_names_a_folder_is_refused(tmp_path: Path) -> None:
    header = f'{{"__metadata__":{{"path":"{Path.home()}/x"}}}}'.encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(PgnFileError, match=r"a\.safetensors names the folder"):
        make_demo.refuse_paths_of_this_machine(tmp_path / "a.safetensors")


def test_headless_demo(
    pgn_studio: RunCommand, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "trained_folder", lambda: trained)
    outcome = pgn_studio("demo", "--headless", "--out", tmp_path / "demo")
    assert outcome.code == 0, outcome.err
    assert re.search(r"Digits, enhance at γ \S+ on digits, test", outcome.out)
    assert re.search(r"Digits, adversarial at γ \S+ on digits, test", outcome.out)
    assert (tmp_path / "demo" / "digits-enhance.csv").is_file()
    assert (tmp_path / "demo" / "digits-adversarial.csv").is_file()


def test_demo_trains_anew(
    pgn_studio: RunCommand, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "trained_folder", lambda: trained)
    monkeypatch.setattr(demo, "ENHANCE", PGN)
    outcome = pgn_studio("demo", "--train", "--out", tmp_path / "demo")
    assert outcome.code == 0, outcome.err
    assert "Completed after 1 epochs" in outcome.out
    assert (tmp_path / "demo" / "run" / "pgn.safetensors").is_file()
    again = pgn_studio("demo", "--train", "--out", tmp_path / "demo")
    assert again.code == 2
    assert "already holds a run" in again.err


def test_without_a_display_the_demo_says_so(
    pgn_studio: RunCommand, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "trained_folder", lambda: trained)
    outcome = pgn_studio("demo", "--out", tmp_path / "demo")  # the tests' Qt platform is offscreen
    assert outcome.code == 0
    assert outcome.error_lines[0].startswith("No window here (QT_QPA_PLATFORM is offscreen)")
