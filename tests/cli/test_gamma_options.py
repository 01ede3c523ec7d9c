"""--gamma: a range to train, a value of it to use; what it is told of f asked for by every command."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pgn_studio.cli.gamma_options import given_gamma, given_gammas
from pgn_studio.cli.main import main
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.perturbation.pgn import load_pgn
from tests.cli.conftest import RunCommand

DATA = ("--dataset", "digits", "--num-classes", "2", "--image-size", "8")
SMALL = ("--encoder", "small", "--set", "decoder_widths=8", "--precision", "fp32", "--device", "cpu")
RANGE = "0.01..1"  # its middle is 0.1


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier, and runs: `dial`, `told` (a dial that is told f's probabilities) and `fixed` (γ 0.1)."""
    folder = tmp_path_factory.mktemp("dial")
    classifier = folder / "c.safetensors"
    parts: list[tuple[object, ...]] = [
        ("train-classifier", *DATA, "--epochs", "1", "--augment", "none", "--device", "cpu"),
        ("train", "--gamma", RANGE, "--no-classifier-conditioning"),
        ("train", "--gamma", RANGE, "--classifier-conditioning"),
        ("train", "--gamma", "0.1", "--no-classifier-conditioning"),
    ]
    for name, command in zip(("c.safetensors", "dial", "told", "fixed"), parts, strict=True):
        if command[0] == "train":
            command = (*command, *DATA[:4], *SMALL, "--classifier", classifier, "--epochs", "1")
        assert main([str(item) for item in (*command, "--out", folder / name)]) == 0
    Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3)).save(folder / "picture.png")
    return folder


def test_a_run_records_its_range_and_measures_it(work: Path) -> None:
    run = json.loads((work / "dial" / "run.json").read_text())
    assert run["settings"]["gamma"] == [0.01, 1.0]
    pgn = load_pgn(work / "dial" / "pgn.safetensors")
    assert (pgn.gamma, str(pgn.generator.gammas)) == (0.1, RANGE)
    lines = [json.loads(line) for line in (work / "dial" / "metrics.jsonl").read_text().splitlines()]
    (epoch,) = [line for line in lines if line["event"] == "EpochCompleted"]
    assert [one["gamma"] for one in epoch["at_gamma"]] == [0.01, 0.1, 1.0]


@pytest.mark.parametrize(
    ("text", "values"),
    [(None, ()), ("3", (3.0,)), ("0.3, 1,30", (0.3, 1.0, 30.0)), ("1,1.0,2", (1.0, 2.0)), ("0", (0.0,))],
)
def test_values_between_commas(text: str | None, values: tuple[float, ...]) -> None:
    assert given_gammas(text) == values


@pytest.mark.parametrize("text", ["abc", "3..1", "0.3..30", "nan", "inf", "1e9", "-1", "", ",", "1,", "1;2"])
def test_what_is_no_value_is_refused_with_what_came(text: str) -> None:
    with pytest.raises(ConfigError, match="--gamma") as caught:
        given_gammas(text)
    assert repr(text) in str(caught.value)


def test_a_list_is_refused_where_one_is_wanted() -> None:
    assert given_gamma("3") == 3.0
    assert given_gamma(None) is None
    with pytest.raises(ConfigError, match="one value"):
        given_gamma("3,10")


@pytest.mark.parametrize(
    "text", ["abc", "3..1", "0..5", "3..3", "nan", "1e9", "1,3", "-1", "..5", "1..2..3", ""]
)
def test_no_gamma_to_train_for(pgn_studio: RunCommand, work: Path, tmp_path: Path, text: str) -> None:
    outcome = pgn_studio(
        "train", *DATA, "--classifier", work / "c.safetensors", f"--gamma={text}", "--out", tmp_path / "run"
    )
    assert outcome.code == 2
    assert "--gamma" in outcome.err
    assert len(outcome.error_lines) == 1
    assert not (tmp_path / "run").exists()


def evaluated(pgn_studio: RunCommand, work: Path, tmp_path: Path, *arguments: object) -> Any:
    file = tmp_path / "figures.json"
    outcome = pgn_studio("evaluate", *arguments, "--json", file)
    assert outcome.code == 0, outcome.err
    return json.loads(file.read_text()), outcome


def test_evaluate_at_one_gamma_and_along_several(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    middle, outcome = evaluated(pgn_studio, work, tmp_path, work / "dial")
    assert middle["gamma"] == 0.1
    assert "at γ 0.1" in outcome.out
    one, _ = evaluated(pgn_studio, work, tmp_path, work / "dial", "--gamma", "1")
    assert one["gamma"] == 1.0
    several, outcome = evaluated(pgn_studio, work, tmp_path, work / "dial", "--gamma", "1,0.1")
    assert [figures["gamma"] for figures in several] == [1.0, 0.1]
    assert several == [one, middle]
    assert all("per_class" in figures for figures in several)


def test_a_pgn_of_one_gamma_is_used_at_that_alone(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    figures, _ = evaluated(pgn_studio, work, tmp_path, work / "fixed", "--gamma", "0.1")
    assert figures["gamma"] == 0.1
    for target, given in (("fixed", "0.5"), ("fixed", "0.1,0.5"), ("dial", "2"), ("dial", "0.1,5")):
        outcome = pgn_studio("evaluate", work / target, "--gamma", given)
        assert outcome.code == 2, given
        assert "gamma" in outcome.error_lines[-1]
        assert "Measuring" not in outcome.err


@pytest.mark.parametrize(
    "command",
    [
        ("perturb", "{work}/dial", "{work}/picture.png"),
        ("report", "{work}/dial", "--out", "{tmp}/report"),
        ("baseline", "noise", "{work}/dial"),
        ("abstain", "{work}/dial", "--out", "{tmp}/held.safetensors"),
        ("export", "{work}/dial", "--what", "images", "--out", "{tmp}/images"),
        ("export", "{work}/dial", "--what", "model", "--out", "{tmp}/model.pt2"),
    ],
)
@pytest.mark.parametrize("gamma", ["0.1,1", "2", "x"])
def test_one_gamma_that_is_served_is_wanted(
    pgn_studio: RunCommand, work: Path, tmp_path: Path, command: tuple[str, ...], gamma: str
) -> None:
    filled = [part.format(work=work, tmp=tmp_path) for part in command]
    outcome = pgn_studio(*filled, "--gamma", gamma)
    assert outcome.code == 2
    assert "gamma" in outcome.error_lines[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("run", ["dial", "told"])
def test_every_command_uses_it_at_the_gamma_given(
    pgn_studio: RunCommand, work: Path, tmp_path: Path, run: str
) -> None:
    at = (work / run, "--gamma", "0.02")
    said = pgn_studio("perturb", work / run, work / "picture.png", "--gamma", "0.02")
    assert said.code == 0, said.err
    assert "γ 0.02 of 0.01..1" in said.err
    held = pgn_studio("abstain", *at, "--out", tmp_path / "held.safetensors")
    assert held.code == 0, held.err
    assert load_pgn(tmp_path / "held.safetensors").gamma == 0.02
    file = tmp_path / "baselines.json"
    beside = pgn_studio("baseline", "direct", *at, "--json", file)
    assert beside.code == 0, beside.err
    assert json.loads(file.read_text())["pgn"]["gamma"] == 0.02
    for what, out in (
        ("figure", "f.png"), ("table", "t.csv"), ("list", "l.csv"), ("images", "i"), ("comparison", "s.png"),
        ("model", "m.pt2"),
    ):  # fmt: skip
        outcome = pgn_studio("export", *at, "--what", what, "--out", tmp_path / out)
        assert outcome.code == 0, outcome.err
    assert "gamma,0.02" in (tmp_path / "t.csv").read_text()


def test_a_report_is_of_one_gamma_with_others_at_the_same(
    pgn_studio: RunCommand, work: Path, tmp_path: Path
) -> None:
    outcome = pgn_studio(
        "report", work / "dial", "--gamma", "0.5", "--out", tmp_path / "r", "--baselines", "direct",
        "--pgns", f"{work / 'told'},{work / 'fixed'}", "--resamples", "100",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert (report["gamma"], report["evaluation"]["gamma"], report["told"]) == (0.5, 0.5, "nothing")
    assert "γ 0.5" in (tmp_path / "r" / "report.md").read_text()
    assert {row["pgn"] for row in report["transfer"]} == {"dial", "told", "fixed"}


def test_the_frontier_comes_from_one_pgn(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    for out in ("f.png", "f.csv"):
        outcome = pgn_studio("export", work / "told", "--what", "frontier", "--out", tmp_path / out)
        assert outcome.code == 0, outcome.err
    with (tmp_path / "f.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["gamma"]) for row in rows][:: len(rows) - 1] == [0.01, 1.0]
    several, _ = evaluated(pgn_studio, work, tmp_path, work / "dial", "--gamma", "0.1,1")
    outcome = pgn_studio(
        "export", work / "dial", "--what", "frontier", "--gamma", "1,0.1", "--beside", work / "fixed",
        "--out", tmp_path / "f.json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    whole = json.loads((tmp_path / "f.json").read_text())
    assert [one["name"] for one in whole["pgns"]] == ["dial", "fixed"]
    points = whole["pgns"][0]["points"]
    assert [point["rms_mean"] for point in points] == [figures["rms_mean"] for figures in several]


def test_figures_over_gamma_that_cannot_be(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    for target, more, said in (
        ("fixed", ("--what", "frontier"), "--gamma 0.3..30"),
        ("dial", ("--what", "frontier", "--gamma", "0.1,9"), "--gamma 9 is outside of the range"),
        ("dial", ("--what", "comparison", "--gamma", "0.1,9"), "outside of the range"),
        ("fixed", ("--what", "comparison", "--gamma", "0.1,0.2"), "Leave --gamma out"),
        ("dial", ("--what", "curves", "--gamma", "0.1"), "--gamma"),
    ):
        outcome = pgn_studio("export", work / target, *more, "--out", tmp_path / "f.png")
        assert outcome.code == 2, more
        assert said in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_one_image_at_several_gamma(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    widths = []
    for gammas in ("0.01,0.1,1", "0.01,0.05,0.1,0.5,1"):
        outcome = pgn_studio(
            "export", work / "told", "--what", "comparison", "--gamma", gammas, "--index", "3",
            "--out", tmp_path / "s.png",
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
        with Image.open(tmp_path / "s.png") as drawn:
            widths.append(drawn.width)
    assert widths[1] > widths[0]


@pytest.mark.parametrize(("run", "inputs"), [("dial", ("pixels", "gamma")), ("fixed", ("pixels",)),
                                             ("told", ("pixels", "gamma", "outputs"))])  # fmt: skip
def test_a_model_says_how_it_is_called(
    pgn_studio: RunCommand, work: Path, tmp_path: Path, run: str, inputs: tuple[str, ...]
) -> None:
    outcome = pgn_studio("export", work / run, "--what", "model", "--out", tmp_path / "m.pt2")
    assert outcome.code == 0, outcome.err
    assert f".module()({', '.join(inputs)})" in outcome.err
    assert all(f"  {name}: float32" in outcome.err for name in inputs)
    assert outcome.out.strip() == str(tmp_path / "m.pt2")


def test_runs_are_listed_with_their_range(pgn_studio: RunCommand, work: Path) -> None:
    outcome = pgn_studio("runs", "--folder", work)
    assert RANGE in outcome.out
    rows = json.loads(pgn_studio("runs", "--folder", work, "--search", f"gamma={RANGE}", "--json").out)
    assert {Path(row["folder"]).name for row in rows} == {"dial", "told"}
    assert all((row["gamma"], row["gammas"]) == (0.1, [0.01, 1.0]) for row in rows)


def test_a_dry_run_prints_what_would_be_trained_and_makes_nothing(
    pgn_studio: RunCommand, work: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    common = (*DATA[:4], "--classifier", work / "c.safetensors", "--device", "cpu", "--out", out)
    outcome = pgn_studio("train", *common, "--dry-run")
    assert outcome.code == 0, outcome.err
    printed = json.loads(outcome.out)
    assert printed["gamma"] == [0.3, 30.0]
    assert printed["image_size"] == 8
    decided = (
        "epochs", "encoder_input_size", "encoder_training", "decoder_widths", "soft_targets", "min_scale",
        "classifier_conditioning",
    )  # fmt: skip
    assert all(printed[name] is not None for name in decided)
    assert "auto" not in (printed["augment"], printed["head"], printed["device"], printed["precision"])
    again = TrainingSettings.make(**printed)
    assert again.updated(seed=1).gammas == again.gammas
    hidden = pgn_studio(
        "train", *common, "--dry-run", "--problem", "adversarial", "--discriminator", "blackbox"
    )
    printed = json.loads(hidden.out)
    assert (printed["discriminator_backbone"], printed["head"], printed["gamma"]) == (
        "small", "surrogate", [1.8, 180.0],
    )  # fmt: skip
    assert not out.exists()


def test_a_dry_run_is_what_the_run_then_records(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    given = ("train", *DATA[:4], *SMALL, "--classifier", work / "c.safetensors", "--epochs", "1")
    printed = json.loads(pgn_studio(*given, "--dry-run").out)
    outcome = pgn_studio(*given, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    recorded = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    undecided = (None, "auto")
    assert {name: value for name, value in recorded.items() if value not in undecided} == {
        name: printed[name] for name, value in recorded.items() if value not in undecided
    }


def test_a_dry_run_of_what_cannot_be_trained(pgn_studio: RunCommand, work: Path) -> None:
    classifier = work / "c.safetensors"
    for arguments in (
        ("--classifier", classifier, "--gamma", "5..1"),
        ("--classifier", work / "none.safetensors"),
        ("--classifier", classifier, *DATA[:4], "--out", work / "dial"),
        ("--classifier", classifier, *DATA[:4], "--set", "head=surrogate"),
        ("--resume", work / "dial"),
    ):
        outcome = pgn_studio("train", *arguments, "--dry-run")
        assert outcome.code == 2, arguments
        assert outcome.out == ""
