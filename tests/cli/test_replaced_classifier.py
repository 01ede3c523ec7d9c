"""A run goes on against the very classifier that it was begun with, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.files import sha256_of_file
from pgn_studio.core.runs import RUN_JSON, RunFolder
from tests.cli.conftest import RunCommand

KINDS = ("c.safetensors", "c.pth", "c.pt2", "c.pt", "c.onnx")


def begun(folder: Path, classifier: Path, sha256: str | None) -> RunFolder:
    settings = TrainingSettings.make(
        dataset="digits", num_classes=2, image_size=8, classifier=str(classifier), encoder="small",
        epochs=1, device="cpu", discriminator="blackbox",
    )  # fmt: skip
    recorded = {"path": str(classifier), **({} if sha256 is None else {"sha256": sha256})}
    return RunFolder.create(folder, settings, extra={"classifier": recorded})


@pytest.mark.parametrize("name", KINDS)
def test_a_classifier_that_was_replaced_is_refused(pgn_studio: RunCommand, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"first")
    run = begun(tmp_path / "run", file, sha256_of_file(file))
    file.write_bytes(b"other")
    before = (run.path / RUN_JSON).read_bytes()
    outcome = pgn_studio("train", "--resume", run.path)
    assert outcome.code == 2
    assert "hash differs" in outcome.error_lines[-1]
    assert "--classifier" not in outcome.error_lines[-1]  # which --resume does not take
    assert (run.path / RUN_JSON).read_bytes() == before
    assert run.holder is None


def test_the_file_itself_is_taken_where_it_lies_beside_the_run(
    pgn_studio: RunCommand, tmp_path: Path
) -> None:
    file = tmp_path / "away" / "c.safetensors"
    file.parent.mkdir()
    train = ("train-classifier", "--dataset", "digits", "--num-classes", 2, "--image-size", 8)
    made = pgn_studio(*train, "--epochs", 1, "--device", "cpu", "--out", tmp_path / "c.safetensors")
    assert made.code == 0, made.err
    run = begun(tmp_path / "run", file, sha256_of_file(tmp_path / "c.safetensors"))
    file.write_bytes(b"other")
    outcome = pgn_studio("train", "--resume", run.path)
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("sha256", [None, ""])
def test_a_run_that_does_not_know_its_classifiers_hash_goes_on(
    pgn_studio: RunCommand, tmp_path: Path, sha256: str | None
) -> None:
    (tmp_path / "c.safetensors").write_bytes(b"other")
    run = begun(tmp_path / "run", tmp_path / "c.safetensors", sha256)
    outcome = pgn_studio("train", "--resume", run.path)
    assert outcome.code == 2  # since it cannot be read
    assert "hash" not in outcome.err


def test_what_answers_from_an_address_has_no_file_to_compare(pgn_studio: RunCommand, tmp_path: Path) -> None:
    run = begun(tmp_path / "run", tmp_path / "c.onnx", "old")
    run.update(settings={**run.run_json["settings"], "classifier": "python:no_such_module:predict"})
    outcome = pgn_studio("train", "--resume", run.path)
    assert outcome.code == 2
    assert "hash" not in outcome.err
