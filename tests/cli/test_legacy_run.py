"""A run, a PGN and a sweep of the version before: listed, measured, gone on with."""

from __future__ import annotations

import json
from pathlib import Path

from pgn_studio.core.run_records import list_records
from pgn_studio.core.runs import RunFolder
from tests.cli.conftest import RunCommand
from tests.legacy_files import of_then, rewrite_run

DATA = ("--dataset", "digits", "--num-classes", "2")
FAST = (
    "--encoder", "small", "--set", "decoder_widths=8", "--epochs", "1", "--gamma", "0.1", "--device", "cpu",
    "--precision", "fp32",
)  # fmt: skip


def make_classifier(pgn_studio: RunCommand, place: Path) -> Path:
    path = place / "c.safetensors"
    small = ("--image-size", "8", "--epochs", "1", "--max-train-images", "40", "--device", "cpu")
    assert pgn_studio("train-classifier", *DATA, *small, "--out", path).code == 0
    return path


def test_a_run_of_the_version_before(pgn_studio: RunCommand, tmp_path: Path) -> None:
    classifier, run = make_classifier(pgn_studio, tmp_path), tmp_path / "runs" / "then"
    further = ("--set", "select=last", "--set", "input_mixup=0")
    chosen = ("--loss", "lr", *further, "--encoder-training", "frozen")
    assert pgn_studio("train", *DATA, *FAST, *chosen, "--classifier", classifier, "--out", run).code == 0
    began = RunFolder.open(run).settings
    rewrite_run(run)
    old = json.loads((run / "run.json").read_text())["settings"]
    assert (old["loss"], old["keep"], old["encoder_trained"]) == ("lr", "last", False)

    assert RunFolder.open(run).settings == began
    (record,) = list_records(run.parent)
    assert record.matches("loss=logistic select=last")
    measured = pgn_studio("evaluate", run)
    assert measured.code == 0, measured.err
    resumed = pgn_studio("train", "--resume", run, "--epochs", "2")
    assert resumed.code == 0, resumed.err
    assert RunFolder.open(run).settings == began.updated(epochs=2)
    assert json.loads((run / "run.json").read_text())["settings"]["loss"] == "logistic"


def test_a_sweep_of_the_version_before(pgn_studio: RunCommand, tmp_path: Path) -> None:
    classifier, out = make_classifier(pgn_studio, tmp_path), tmp_path / "sweep"
    command = ("sweep", *DATA, *FAST, "--classifier", classifier, "--over", "loss=ls,lr", "--out", out)
    assert pgn_studio(*command).code == 0
    content = json.loads((out / "sweep.json").read_text())
    content = {**content, "over": {"loss": ["ls", "lr"]}, "settings": of_then(content["settings"])}
    (out / "sweep.json").write_text(json.dumps(content))
    for new, old in (("loss-least-squares", "loss-ls"), ("loss-logistic", "loss-lr")):
        rewrite_run(out / new)
        (out / new).rename(out / old)
    again = pgn_studio(*command)
    assert again.code == 0, again.err
    folders = sorted(path.name for path in out.iterdir() if path.is_dir())
    assert folders == ["loss-least-squares", "loss-logistic"]
    assert json.loads((out / "sweep.json").read_text())["over"] == {"loss": ["least-squares", "logistic"]}
