"""`annotate` and the search of `runs`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.runs import RunFolder

RunCommand = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    settings = TrainingSettings.make(dataset="digits", classifier="c", gamma=3.0)
    return RunFolder.create(tmp_path / "runs" / "first", settings).path


def test_what_is_given_is_kept_and_found(pgn_studio: RunCommand, run: Path) -> None:
    assert pgn_studio("annotate", run, "--name", "the one", "--tag", "paper", "--tag", "b").code == 0
    outcome = pgn_studio("annotate", run, "--untag", "b", "--notes", "too small")
    assert json.loads(outcome.out) == {"name": "the one", "tags": ["paper"], "notes": "too small"}
    found = json.loads(
        pgn_studio("runs", "--folder", run.parent, "--search", "tag=paper gamma=3", "--json").out
    )
    assert [(row["name"], row["tags"], row["gamma"]) for row in found] == [("the one", ["paper"], 3.0)]
    assert "the one (first)" in pgn_studio("runs", "--folder", run.parent).out
    assert "No run in" in pgn_studio("runs", "--folder", run.parent, "--search", "tag=none").err


def test_without_anything_to_change_it_only_tells(pgn_studio: RunCommand, run: Path) -> None:
    assert json.loads(pgn_studio("annotate", run).out) == {"name": "", "tags": [], "notes": ""}
    assert not (run / "annotations.json").exists()


def test_a_tag_that_is_not_there_cannot_be_taken_away(pgn_studio: RunCommand, run: Path) -> None:
    outcome = pgn_studio("annotate", run, "--untag", "paper")
    assert outcome.code == 2
    assert "has no tag 'paper'" in outcome.err
