"""The whole way on two digits: train-classifier, train, stop, resume, evaluate, export, runs."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file

from pgn_studio.cli import progress
from pgn_studio.cli.main import main
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.events import StepCompleted
from tests.cli.conftest import RunCommand

DATA = ("--dataset", "digits", "--num-classes", "2", "--image-size", "8")
SMALL = ("--encoder", "small", "--set", "decoder_widths=8", "--precision", "fp32", "--device", "cpu")
FIELDS = (
    "n", "clean_accuracy", "perturbed_accuracy", "perturbed_accuracy_8bit", "map_clean", "map_perturbed",
    "fixed", "broken", "mcnemar_p", "fooling_rate", "attack_success", "l2_mean", "rms_mean", "linf_max",
    "split", "dataset", "classifier", "pgn",
)  # fmt: skip


def command(*arguments: object) -> None:
    assert main([str(item) for item in arguments]) == 0


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a trained classifier `c.safetensors` and a run `run` of one epoch."""
    folder = tmp_path_factory.mktemp("flow")
    classifier = folder / "c.safetensors"
    command(
        "train-classifier",
        *DATA,
        "--epochs",
        "1",
        "--augment",
        "none",
        "--device",
        "cpu",
        "--out",
        classifier,
    )
    command(
        "train", *DATA[:4], *SMALL, "--classifier", classifier, "--problem", "adversarial", "--epochs", "1",
        "--gamma", "0.1", "--out", folder / "run",
    )  # fmt: skip
    return folder


def test_train_classifier_prints_all_three_accuracies(pgn_studio: RunCommand, tmp_path: Path) -> None:
    out = tmp_path / "new" / "c.safetensors"
    outcome = pgn_studio("train-classifier", *DATA, "--epochs", "1", "--device", "cpu", "--out", out)
    assert outcome.code == 0, outcome.err
    assert out.is_file()
    words = [line.split()[0] for line in outcome.out.splitlines()]
    assert words == ["small:", "train", "val", "test", "Classifier:"]
    assert "Data: digits, 2 classes at 8 px" in outcome.err


def test_ctrl_c_keeps_the_classifier(
    pgn_studio: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pgn_studio.cli.train_classifier.ClassifierReport.__call__",
        lambda report, progress: signal.raise_signal(signal.SIGINT) if progress.step == 1 else None,
    )
    out = tmp_path / "c.safetensors"
    outcome = pgn_studio("train-classifier", *DATA, "--epochs", "9", "--device", "cpu", "--out", out)
    assert outcome.code == 130
    assert out.is_file()
    assert "Stopped" in outcome.out


def test_the_run_is_complete(work: Path) -> None:
    run = RunFolder.open(work / "run")
    assert run.run_json["status"] == "completed"
    assert run.settings.image_size == 8  # the classifier's
    assert Path(run.settings.classifier).is_absolute()
    assert run.pgn_path.is_file()


@pytest.mark.parametrize(("which", "file"), [("kept", "pgn"), ("best", "best"), ("last", "last")])
def test_each_of_a_runs_pgns_can_be_measured(
    pgn_studio: RunCommand, work: Path, which: str, file: str
) -> None:
    outcome = pgn_studio("evaluate", work / "run", "--split", "val", "--which", which)
    assert outcome.code == 0, outcome.err
    assert f"{file}.safetensors" in outcome.out.replace("\n", "")


def test_which_needs_a_run_that_has_it(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    file = pgn_studio("evaluate", work / "run" / "pgn.safetensors", "--which", "best")
    assert file.code == 2
    assert "is a file" in file.err
    old = tmp_path / "old"
    shutil.copytree(work / "run", old)
    (old / "best.safetensors").unlink()
    outcome = pgn_studio("evaluate", old, "--which", "best")
    assert outcome.code == 2
    assert "no best PGN" in outcome.err


def test_train_says_what_it_does(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    outcome = pgn_studio(
        "train", *DATA[:4], *SMALL, "--classifier", work / "c.safetensors", "--epochs", "1",
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "Training on cpu in fp32: " in outcome.err
    assert "The frozen classifier is right on" in outcome.err
    assert "epoch 1/1  validation" in outcome.err
    assert "after 8-bit rounding" in outcome.out
    assert str(tmp_path / "run" / "pgn.safetensors") in outcome.out


def test_resume_refuses_a_run_that_is_being_trained(
    pgn_studio: RunCommand, work: Path, tmp_path: Path
) -> None:
    shutil.copytree(work / "run", tmp_path / "run")
    trained = RunFolder.open(tmp_path / "run")
    trained.take()
    before = {path.name: path.read_bytes() for path in trained.path.iterdir()}
    refused = pgn_studio("train", "--resume", trained.path, "--epochs", "2")
    assert refused.code == 2
    assert f"is being trained by {trained.holder}" in refused.err
    assert {path.name: path.read_bytes() for path in trained.path.iterdir()} == before
    trained.release()
    assert pgn_studio("train", "--resume", trained.path, "--epochs", "2").code == 0
    assert trained.holder is None


def test_a_run_that_ended_before_its_first_checkpoint_starts_again(
    pgn_studio: RunCommand, work: Path, tmp_path: Path
) -> None:
    shutil.copytree(work / "run", tmp_path / "run")
    run = RunFolder.open(tmp_path / "run")
    for path in (run.checkpoint_path, run.pgn_path, run.last_pgn_path, run.best_pgn_path):
        path.unlink()
    run.update(status="running", results={})
    again = pgn_studio("train", "--resume", run.path)
    assert again.code == 0, again.err
    assert "starts from its beginning" in again.err
    steps = [record["step"] for record in run.read_metrics() if record["event"] == "StepCompleted"]
    assert steps == list(range(1, len(steps) + 1))
    again_made, first_made = load_file(run.pgn_path), load_file(work / "run" / "pgn.safetensors")
    assert all(torch.equal(value, first_made[name]) for name, value in again_made.items())


def test_ctrl_c_keeps_the_run_and_resume_goes_on(
    pgn_studio: RunCommand, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupting(report: progress.TrainingReport, event: Any) -> None:
        if isinstance(event, StepCompleted) and event.step == 2:
            signal.raise_signal(signal.SIGINT)

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(progress.TrainingReport, "__call__", interrupting)
        outcome = pgn_studio(
            "train", *DATA[:4], *SMALL, "--classifier", work / "c.safetensors", "--epochs", "1", "--out", run
        )
    assert outcome.code == 130, outcome.err
    assert "Stopped after 0 epochs (2 steps)" in outcome.out
    assert f"train --resume {run}" in outcome.err
    assert RunFolder.open(run).run_json["status"] == "stopped"

    again = pgn_studio("train", "--resume", run)
    assert again.code == 0, again.err
    assert "from step 2" in again.err
    assert "Completed after 1 epoch " in again.out

    refused = pgn_studio("train", "--resume", run)
    assert refused.code == 2
    assert "Give --epochs above 1" in refused.err

    longer = pgn_studio("train", "--resume", run, "--epochs", "2", "--device", "cpu")
    assert longer.code == 0, longer.err
    assert "Completed after 2 epochs" in longer.out
    assert RunFolder.open(run).settings.epochs == 2

    fewer = pgn_studio("train", "--resume", run, "--epochs", "1")
    assert fewer.code == 2
    assert "--epochs 1" in fewer.err


def test_second_ctrl_c_aborts(
    pgn_studio: RunCommand, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupting(report: progress.TrainingReport, event: Any) -> None:
        if isinstance(event, StepCompleted):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(progress.TrainingReport, "__call__", interrupting)
    run = tmp_path / "run"
    outcome = pgn_studio("train", *DATA[:4], *SMALL, "--classifier", work / "c.safetensors", "--out", run)
    assert outcome.code == 130
    assert RunFolder.open(run).run_json["status"] == "stopped"


def test_a_run_that_fails_is_one_line(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    outcome = pgn_studio(
        "train", *DATA[:4], "--encoder", "small", "--classifier", work / "c.safetensors", "--device", "cpu",
        "--precision", "fp16", "--out", tmp_path / "run",
    )  # fmt: skip
    assert outcome.code == 2
    assert outcome.error_lines[-1].startswith("pgn-studio: error: ")
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "run").exists()  # nothing was trained: the name is free again


def test_evaluate_writes_every_figure(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    outcome = pgn_studio("evaluate", work / "run", "--split", "val", "--json", file, "--device", "cpu")
    assert outcome.code == 0, outcome.err
    figures = json.loads(file.read_text(encoding="utf-8"))
    assert set(FIELDS) <= set(figures)
    assert figures["split"] == "val"
    assert "after 8-bit rounding" in outcome.out


def test_evaluate_takes_a_file_another_classifier_and_data(
    pgn_studio: RunCommand, work: Path, tmp_path: Path
) -> None:
    other = shutil.copyfile(work / "c.safetensors", tmp_path / "other.safetensors")
    file = tmp_path / "figures.json"
    outcome = pgn_studio(
        "evaluate", work / "run" / "pgn.safetensors", *DATA[:4], "--classifier", other, "--json", file
    )
    assert outcome.code == 0, outcome.err
    assert json.loads(file.read_text(encoding="utf-8"))["classifier"] == str(other)


def test_a_moved_classifier_is_found_beside_the_run(
    pgn_studio: RunCommand, work: Path, tmp_path: Path
) -> None:
    shutil.copytree(work, tmp_path / "moved")
    (work / "c.safetensors").rename(work / "away")
    try:
        found = pgn_studio("evaluate", tmp_path / "moved" / "run")
        longer = pgn_studio("train", "--resume", tmp_path / "moved" / "run", "--epochs", "2")
        (tmp_path / "moved" / "c.safetensors").unlink()
        lost = pgn_studio("evaluate", tmp_path / "moved" / "run")
    finally:
        (work / "away").rename(work / "c.safetensors")
    assert found.code == 0, found.err
    assert longer.code == 0, longer.err
    assert lost.code == 2
    assert "--classifier" in lost.err


def test_classes_that_do_not_fit_are_refused(pgn_studio: RunCommand, work: Path) -> None:
    outcome = pgn_studio("evaluate", work / "run", "--num-classes", "3")
    assert outcome.code == 2
    assert outcome.error_lines[-1].startswith("pgn-studio: error: ")


def test_curves_of_a_record_that_was_cut(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    run = tmp_path / "cut"
    shutil.copytree(work / "run", run)
    assert "note:" not in pgn_studio("export", run, "--what", "curves", "--out", tmp_path / "whole.csv").err
    record = run / "metrics.jsonl"
    record.write_bytes(record.read_bytes()[: record.stat().st_size // 2])
    outcome = pgn_studio("export", run, "--what", "curves", "--out", tmp_path / "c.csv")
    assert outcome.code == 0, outcome.err
    assert "metrics.jsonl ends at step" in outcome.err


@pytest.mark.parametrize(
    ("what", "name"),
    [("figure", "f.png"), ("figure", "f.svg"), ("curves", "c.pdf"), ("curves", "c.csv"), ("table", "t.md")],
)
def test_export_a_file(pgn_studio: RunCommand, work: Path, tmp_path: Path, what: str, name: str) -> None:
    outcome = pgn_studio("export", work / "run", "--what", what, "--out", tmp_path / name, "--count", "2")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / name).stat().st_size > 0
    assert outcome.out == f"{tmp_path / name}\n"


def test_export_images(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    arguments = ("export", work / "run", "--what", "images", "--out", tmp_path / "images", "--count", "4")
    assert pgn_studio(*arguments).code == 0
    assert len(list((tmp_path / "images").rglob("*.png"))) == 4
    assert pgn_studio(*arguments).code == 2  # not empty
    assert pgn_studio(*arguments, "--force").code == 0


def test_export_of_an_outcome_that_there_is_not(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    codes = set()
    for outcome in ("fixed", "both-right"):
        done = pgn_studio(
            "export", work / "run", "--what", "figure", "--outcome", outcome, "--out", tmp_path / "a.png"
        )
        assert done.code == 0 or "No image of the test split is" in done.err
        codes.add(done.code)
    assert 0 in codes


def test_export_a_list_of_chosen_images(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    out = tmp_path / "list.csv"
    outcome = pgn_studio(
        "export", work / "run", "--what", "list", "--out", out, "--true-class", "7", "--where", "l2=0..",
        "--sort", "margin-after", "--descending", "--count", "5",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 5
    assert {row["label"] for row in rows} == {"7"}
    margins = [float(row["perturbed_margin"]) for row in rows]
    assert margins == sorted(margins, reverse=True)


def test_export_some_of_each_class_at_a_size(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    out = tmp_path / "figure.png"
    outcome = pgn_studio(
        "export", work / "run", "--what", "figure", "--out", out, "--per-class", "4", "--dpi", "100",
        "--width-mm", "254",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    with Image.open(out) as picture:
        assert picture.width == 1000
        assert picture.height > 1500  # eight rows
    both = pgn_studio("export", work / "run", "--what", "images", "--out", tmp_path / "two",
                      "--index", "3", "--index", "0")  # fmt: skip
    assert both.code == 0, both.err
    assert len(list((tmp_path / "two").rglob("*.png"))) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--where", "l9=1..2"), "MEASURE=LOW..HIGH"),
        (("--true-class", "seven"), "no class 'seven'"),
        (("--index", "99999"), "has images 0 to"),
        (("--where", "l2=1e9.."), "No image of the test split is as asked"),
        (("--dpi", "5"), "30 to 1200 dpi"),
        (("--width-mm", "3"), "20 to 1000 mm"),
    ],
)
def test_export_refuses_a_bad_choice(
    pgn_studio: RunCommand, work: Path, tmp_path: Path, options: tuple[str, str], said: str
) -> None:
    outcome = pgn_studio("export", work / "run", "--what", "figure", "--out", tmp_path / "a.png", *options)
    assert outcome.code == 2
    assert said in outcome.error_lines[-1]
    assert not (tmp_path / "a.png").exists()


def test_runs_lists_them(pgn_studio: RunCommand, work: Path) -> None:
    outcome = pgn_studio("runs", "--folder", work, "--json")
    rows = json.loads(outcome.out)
    assert [Path(row["folder"]).name for row in rows] == ["run"]
    assert rows[0]["status"] == "completed"
    assert rows[0]["epochs"] == 1
    table = pgn_studio("runs", "--folder", work).out
    assert "adversarial" in table
    assert " -> " in table


def test_doctor(pgn_studio: RunCommand) -> None:
    report = json.loads(pgn_studio("doctor", "--json").out)
    assert "cpu" in report["devices"]
    assert set(report["folders"]) == {"data", "cache", "runs", "log"}
    assert report["folders"]["runs"]["writable"]
    text = pgn_studio("doctor").out
    assert "Lite0 weights" in text
    assert "Lite2 weights" in text
    assert "offscreen" in text


def test_export_the_model(pgn_studio: RunCommand, work: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.pt2"
    outcome = pgn_studio("export", work / "run", "--what", "model", "--out", out)
    assert outcome.code == 0, outcome.err
    assert outcome.out == f"{out}\n"
    assert "Checked on 4 images" in outcome.err
    assert out.stat().st_size > 1000
    assert pgn_studio("export", work / "run", "--what", "model", "--out", tmp_path / "m.pth").code == 2


def test_a_restrained_model_is_for_the_model_alone(
    pgn_studio: RunCommand, work: Path, tmp_path: Path
) -> None:
    out = tmp_path / "model.pt2"
    restrained = ("--strength", "0.8", "--abstain-below-rms", "0.01")
    outcome = pgn_studio("export", work / "run", "--what", "model", *restrained, "--out", out)
    assert outcome.code == 0, outcome.err
    extra = {"pgn-studio.json": ""}
    torch.export.load(out, extra_files=extra)
    facts = json.loads(extra["pgn-studio.json"])
    assert (facts["strength"], facts["abstain_below_rms"]) == (0.8, 0.01)
    refused = pgn_studio("export", work / "run", "--what", "table", *restrained, "--out", tmp_path / "t.csv")
    assert refused.code == 2
    assert "are for --what model" in refused.err
    assert pgn_studio("export", work / "run", "--what", "model", "--strength", "-1", "--out", out).code == 2


@pytest.mark.parametrize(
    ("encoder", "more"),
    [
        pytest.param("test_vit", (), marks=pytest.mark.slow),
        ("timm:test_vit", ("--encoder-training", "last-stage", "--set", "encoder_input_size=32")),
        pytest.param(
            "test_resnet",
            ("--encoder-training", "last-stage", "--set", "encoder_input_size=32"),
            marks=pytest.mark.slow,
        ),
        ("test_convnext", ("--encoder-training", "frozen", "--set", "encoder_input_size=32")),
    ],
)
def test_any_network_is_the_encoder_of_a_pgn(
    work: Path, tmp_path: Path, encoder: str, more: tuple[str, ...]
) -> None:
    """Its weights from a file where part of it stands still; the PGN file has them."""
    weights: Any = "none"
    if more:
        weights = tmp_path / "encoder.pth"
        torch.save(timm.create_model(encoder.removeprefix("timm:")).state_dict(), weights)
    run = tmp_path / "run"
    command(
        "train", *DATA[:4], *SMALL[2:], "--encoder", encoder, "--classifier", work / "c.safetensors",
        "--epochs", "1", "--encoder-weights", weights, *more, "--out", run,
    )  # fmt: skip
    command("train", "--resume", run, "--epochs", "2")
    if more:
        weights.unlink()
    assert RunFolder.open(run).settings.encoder == encoder
    for name in ("pgn.pt2", "pgn.onnx"):
        command("export", run, "--what", "model", "--out", tmp_path / name)
