"""`classifier`: facts, clean accuracy, and a wrong normalization found, used, and recorded with the run."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from pgn_studio.core.paths import trained_folder
from tests.cli.conftest import Outcome, RunCommand

WRONG = ("--classifier-mean", "0.7,0.7,0.7", "--classifier-std", "0.01,0.01,0.01")


@pytest.fixture
def file() -> Path:
    return trained_folder() / "digits-classifier.safetensors"


def test_facts_and_accuracy_of_each_split_and_class(
    pgn_studio: RunCommand, file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "figures.json"
    outcome = pgn_studio("classifier", file, "--json", path, "--device", "cpu")
    assert outcome.code == 0, outcome.err
    assert "288,746" in outcome.out
    assert re.search(r"^Mean +0\.307 0\.307 0\.307$", outcome.out, re.MULTILINE)
    assert "--try-normalizations" not in outcome.err  # nothing is wrong
    figures = json.loads(path.read_text())
    assert list(figures["splits"]) == ["train", "val", "test"]
    test = figures["splits"]["test"]
    assert test["interval"][0] < test["accuracy"] < test["interval"][1]
    assert sum(map(sum, test["confusion"])) == test["n"] == 450
    assert len(test["per_class"]) == 10
    assert f"{100 * test['accuracy']:.1f} %" in outcome.out
    assert figures["normalizations"] is None


def accuracy(outcome: Outcome, split: str) -> float:
    found = re.search(rf"│ {split} +│ +\d+ │ +([\d.]+) %", outcome.out)
    assert found, outcome.out
    return float(found[1])


def test_a_wrong_normalization_is_suspected_found_and_mended(pgn_studio: RunCommand, file: Path) -> None:
    bad = pgn_studio("classifier", file, *WRONG, "--split", "test", "--device", "cpu")
    assert bad.code == 0, bad.err
    assert accuracy(bad, "test") < 40
    assert "Try: --try-normalizations" in bad.err
    tried = pgn_studio(
        "classifier", file, *WRONG, "--split", "test", "--try-normalizations", "--sample", "200",
        "--device", "cpu",
    )  # fmt: skip
    assert "The data set's own is better" in tried.out
    (line,) = [line for line in tried.out.splitlines() if line.startswith("Use it with: ")]
    options = shlex.split(line.removeprefix("Use it with: "))
    good = pgn_studio("classifier", file, *options, "--split", "test", "--device", "cpu")
    assert accuracy(good, "test") > 85
    assert "A wrong normalization" not in good.err


def test_a_good_one_is_left_alone(pgn_studio: RunCommand, file: Path) -> None:
    outcome = pgn_studio("classifier", file, "--split", "val", "--try-normalizations", "--device", "cpu")
    assert "own normalization is the right one" in outcome.out
    assert "Use it with" not in outcome.out


def test_bad_input_is_one_line(pgn_studio: RunCommand, file: Path, tmp_path: Path) -> None:
    for arguments, said in (
        ((tmp_path / "none.safetensors",), "There is no classifier file"),
        ((file, "--split", "all"), "expected train, val, test, got 'all'"),
        ((file, "--sample", "3"), "--sample"),
        ((file, "--classifier-channels", "grb"), "--classifier-channels"),
        ((file, "--classifier-std", "0,1,1"), "above 0"),
        ((file, "--json", tmp_path), "is a folder"),
        ((file, "--query-budget", "5"), "only for classifiers that answer"),
    ):
        outcome = pgn_studio("classifier", *arguments)
        assert outcome.code == 2, outcome.out
        assert said in outcome.err
        assert len(outcome.error_lines) == 1 or said in outcome.error_lines[-1]


def test_of_a_black_box_only_test_is_asked_about_and_its_budget_holds(
    pgn_studio: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page_box.py").write_text(
        "import numpy as np\ndef predict(images):\n    return np.zeros(len(images), dtype=np.int64)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    box = ("classifier", "python:page_box:predict", "--trust-code", "--device", "cpu")
    outcome = pgn_studio(*box)
    assert outcome.code == 0, outcome.err
    assert re.search(r"^Queries +45\d", outcome.out, re.MULTILINE)
    assert "│ test " in outcome.out
    assert "│ train" not in outcome.out
    for arguments, said in (
        (("--query-budget", "100"), "query budget of 100"),
        (("--try-normalizations",), "normalizes them itself"),
    ):
        refused = pgn_studio(*box, *arguments)
        assert refused.code == 2
        assert said in refused.err


def test_a_run_keeps_the_normalization_that_was_given(
    pgn_studio: RunCommand, file: Path, tmp_path: Path
) -> None:
    """As the window's "Use this" does: it is recorded, and evaluate uses it again."""
    run = tmp_path / "run"
    trained = pgn_studio(
        "train", "--dataset", "digits", "--classifier", file, "--classifier-mean", "0.25,0.25,0.25",
        "--classifier-channels", "bgr", "--encoder", "small", "--set", "decoder_widths=8,8", "--epochs", "1",
        "--batch-size", "512", "--augment", "none", "--device", "cpu", "--out", run,
    )  # fmt: skip
    assert trained.code == 0, trained.err
    recorded = json.loads((run / "run.json").read_text())["external_classifier"]
    assert recorded["mean"] == [0.25, 0.25, 0.25]
    assert recorded["channels"] == "bgr"
    path = tmp_path / "figures.json"
    assert pgn_studio("evaluate", run, "--json", path, "--device", "cpu").code == 0
    again = tmp_path / "again.json"
    options = ("--classifier-mean", "0.25,0.25,0.25", "--classifier-channels", "bgr", "--split", "test")
    assert pgn_studio("classifier", file, *options, "--json", again, "--device", "cpu").code == 0
    lone = tmp_path / "lone.safetensors"
    lone.write_bytes((run / "pgn.safetensors").read_bytes())
    alone = tmp_path / "alone.json"
    assert pgn_studio("evaluate", lone, "--json", alone, "--device", "cpu").code == 0
    assert json.loads(alone.read_text())["clean_accuracy"] == json.loads(path.read_text())["clean_accuracy"]
    clean = json.loads(path.read_text())["clean_accuracy"]
    assert clean == pytest.approx(json.loads(again.read_text())["splits"]["test"]["accuracy"], abs=0.003)
