"""The bundled demo without a window."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pgn_studio.cli import demo
from pgn_studio.core.paths import DEMO_CLASSIFIER
from tests.cli.conftest import RunCommand


def test_headless_demo(pgn_studio: RunCommand, tmp_path: Path) -> None:
    outcome = pgn_studio("demo", "--headless", "--out", tmp_path / "demo")
    assert outcome.code == 0, outcome.err
    for problem in ("enhance", "adversarial"):
        assert re.search(rf"Digits, {problem} at γ \S+ on digits, test", outcome.out)
        assert (tmp_path / "demo" / f"digits-{problem}.csv").is_file()
    assert (tmp_path / "demo" / "digits-enhance-fixed.png").is_file()


def test_demo_trains_anew(pgn_studio: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = {"epochs": 1, "decoder_widths": (8,), "encoder_input_size": 16, "batch_size": 256}
    monkeypatch.setattr(demo, "ENHANCE", {**demo.ENHANCE, **short})
    outcome = pgn_studio("demo", "--train", "--out", tmp_path / "demo")
    assert outcome.code == 0, outcome.err
    assert "Completed after 1 epoch " in outcome.out
    assert (tmp_path / "demo" / "run" / "pgn.safetensors").is_file()
    again = pgn_studio("demo", "--train", "--out", tmp_path / "demo")
    assert again.code == 2
    assert "already holds a run" in again.err


def test_without_a_display_the_demo_says_so(pgn_studio: RunCommand, tmp_path: Path) -> None:
    outcome = pgn_studio("demo", "--out", tmp_path / "demo")  # the tests' Qt platform is offscreen
    assert outcome.code == 0
    assert "No window here" in outcome.error_lines[0]
    assert "offscreen" in outcome.error_lines[0]


def test_a_missing_file_of_the_demo_is_said(
    pgn_studio: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "trained_folder", lambda: tmp_path)
    outcome = pgn_studio("demo", "--headless", "--out", tmp_path / "demo")
    assert outcome.code == 2
    assert DEMO_CLASSIFIER in outcome.err
