"""`pgn-studio baseline` on two digits: one table, the figures as JSON, stopping, and what is refused."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from pgn_studio.core.baselines import BASELINES, white_box
from pgn_studio.core.runs import RunFolder
from tests.cli.conftest import RunCommand
from tests.cli.test_flow import DATA, FIELDS, SMALL, command


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs `adversarial` and `enhance` of one epoch against one classifier."""
    folder = tmp_path_factory.mktemp("baselines")
    classifier = folder / "c.safetensors"
    command("train-classifier", *DATA, "--epochs", "1", "--device", "cpu", "--out", classifier)
    for problem in ("adversarial", "enhance"):
        command(
            "train", *DATA[:4], *SMALL, "--classifier", classifier, "--problem", problem, "--epochs", "1",
            "--gamma", "0.1", "--seed", "5", "--out", folder / problem,
        )  # fmt: skip
    return folder


@pytest.mark.parametrize("problem", ["adversarial", "enhance"])
def test_all_in_one_table_and_one_file(
    pgn_studio: RunCommand, work: Path, tmp_path: Path, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgn_studio.core.baselines.universal._IMAGES", 32)  # else most of the time is UAP's
    file = tmp_path / "new" / "baselines.json"
    outcome = pgn_studio("baseline", "all", work / problem, "--device", "cpu", "--json", file)
    assert outcome.code == 0, outcome.err
    record = json.loads(file.read_text(encoding="utf-8"))
    names = [name for name, kind in BASELINES.available().items() if problem in kind.problems]
    assert list(record["baselines"]) == names
    assert (record["problem"], record["seed"]) == (problem, 5)
    for name in names:
        figures = record["baselines"][name]
        assert set(FIELDS) - {"pgn"} <= set(figures)
        assert (figures["baseline"], figures["split"]) == (name, "test")
        assert figures["clean_accuracy"] == record["pgn"]["clean_accuracy"]
        assert f"{BASELINES.load(name).title} " in outcome.out
        if BASELINES.load(name).strength == "matched":
            assert figures["rms_val"] == pytest.approx(record["rms_val"], rel=1e-3)
    assert record["baselines"]["fgsm-oracle"]["oracle"]
    rows = [line.split("│")[1].strip() for line in outcome.out.splitlines() if line.startswith("│")]
    assert rows == ["PGN", *(BASELINES.load(name).title for name in names)]


def test_one_baseline_on_another_split_with_a_seed(
    pgn_studio: RunCommand, work: Path, tmp_path: Path
) -> None:
    figures = {}
    for seed in (1, 2, 1):
        file = tmp_path / "one.json"
        outcome = pgn_studio(
            "baseline", "random-sign", work / "adversarial", "--split", "val", "--seed", seed, "--json", file
        )
        assert outcome.code == 0, outcome.err
        record = json.loads(file.read_text(encoding="utf-8"))
        assert record["pgn"]["split"] == record["baselines"]["random-sign"]["split"] == "val"
        figures.setdefault(seed, []).append(record["baselines"]["random-sign"])
    assert figures[1][0] == figures[1][1]
    assert figures[2][0]["seed"] == 2


@pytest.mark.parametrize(
    ("name", "problem", "said"),
    [("uap", "enhance", "adversarial problem"), ("fine-tune", "adversarial", "enhance problem")],
)
def test_a_baseline_of_the_other_problem_is_refused(
    pgn_studio: RunCommand, work: Path, tmp_path: Path, name: str, problem: str, said: str
) -> None:
    file = tmp_path / "none.json"
    outcome = pgn_studio("baseline", name, work / problem, "--json", file)
    assert outcome.code == 2
    assert said in outcome.error_lines[-1]
    assert outcome.out == ""
    assert not file.exists()


def test_ctrl_c_leaves_nothing(
    pgn_studio: RunCommand, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = white_box._Run.step

    def interrupted(run: Any, batch: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        step(run, batch)

    monkeypatch.setattr(white_box._Run, "step", interrupted)
    file = tmp_path / "none.json"
    before = RunFolder.open(work / "enhance").run_json
    outcome = pgn_studio("baseline", "white-box", work / "enhance", "--json", file)
    assert outcome.code == 130
    assert outcome.out == ""
    assert outcome.error_lines[-1] == "pgn-studio: stopped"
    assert not file.exists()
    assert RunFolder.open(work / "enhance").run_json == before
