"""A sweep's folder: begun, gone on with, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import ClassifierError, RunError
from pgn_studio.core.files import sha256_of_file
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.sweeps.folder import (
    TEST,
    SweepFolder,
    check_classifier_unchanged,
    clear_start,
    recorded_test,
    telling_image,
    what_is_left,
)
from pgn_studio.core.sweeps.plan import Axis

SWEEP_JSON = "sweep.json"
BASE = TrainingSettings.make(epochs=2, classifier="/c.safetensors")
AXES = [Axis("gamma", (1.0, 10.0))]


def test_the_same_sweep_goes_on_and_may_get_more_values(tmp_path: Path) -> None:
    SweepFolder.open(tmp_path / "s", BASE.model_dump(), AXES).write({"runs": []})
    again = SweepFolder.open(
        tmp_path / "s", BASE.updated(device="cpu", gamma=7).model_dump(), [Axis("gamma", (1.0, 10.0, 30.0))]
    )
    content = json.loads((again.path / SWEEP_JSON).read_text())
    assert content["over"] == {"gamma": [1.0, 10.0, 30.0]}
    assert "gamma" not in content["settings"]  # swept: the base's own plays no part


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    SweepFolder.open(tmp_path / "s", BASE.model_dump(), AXES)
    before = (tmp_path / "s" / SWEEP_JSON).read_bytes()
    with pytest.raises(RunError, match=r"loss least-squares \(now logistic\), epochs 2 \(now 3\)"):
        SweepFolder.open(tmp_path / "s", BASE.updated(epochs=3, loss="logistic").model_dump(), AXES)
    with pytest.raises(RunError, match="is over gamma, not over gamma and seed"):
        SweepFolder.open(tmp_path / "s", BASE.model_dump(), [*AXES, Axis("seed", (0,))])
    assert (tmp_path / "s" / SWEEP_JSON).read_bytes() == before


def test_other_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="holds no sweep"):
        SweepFolder.open(tmp_path, BASE.model_dump(), AXES)
    with pytest.raises(RunError, match="is a file"):
        SweepFolder.open(tmp_path / "file", BASE.model_dump(), AXES)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / SWEEP_JSON).write_text("{")
    with pytest.raises(RunError, match="is damaged"):
        SweepFolder.open(tmp_path / "torn", BASE.model_dump(), AXES)
    (tmp_path / "torn" / SWEEP_JSON).write_text('{"format": "other"}')
    with pytest.raises(RunError, match="no sweep that this version reads"):
        SweepFolder.open(tmp_path / "torn", BASE.model_dump(), AXES)


def test_what_is_left_of_a_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert what_is_left(folder) == "start"
    run = RunFolder.create(folder, BASE)
    assert what_is_left(folder) == "start"  # it ended before its first checkpoint
    run.append_metrics({"event": "RunStarted"})
    clear_start(folder)
    assert list(folder.iterdir()) == []
    run = RunFolder.create(folder, BASE)
    run.checkpoint_path.write_bytes(b"x")
    assert what_is_left(folder) == "resume"
    with pytest.raises(RunError, match="has a checkpoint"):
        clear_start(folder)
    run.update(status="completed")
    assert what_is_left(folder) == "measure"


def test_recorded_figures_hold_for_their_own_pgn_only(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", BASE)
    run.pgn_path.write_bytes(b"pgn")
    (run.path / TEST).write_text(json.dumps({"pgn_sha256": "another"}))
    run.update(status="completed")
    assert recorded_test(run.path) is None  # of another PGN
    figures = {"pgn_sha256": sha256_of_file(run.pgn_path), "precision": "fp32", "n": 3}
    (run.path / TEST).write_text(json.dumps({**figures, "precision": "bf16"}))
    assert recorded_test(run.path) is None  # an earlier version's, which the processor has decided
    (run.path / TEST).write_text(json.dumps(figures))
    found = recorded_test(run.path)
    assert found is not None
    assert found["n"] == 3
    run.update(status="stopped")
    assert recorded_test(run.path) is None
    run.update(status="completed")
    (run.path / TEST).write_text("{")
    assert recorded_test(run.path) is None  # torn: measured again


def test_another_classifier_under_the_same_name_is_refused(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run", BASE, extra={"classifier": {"path": "/c", "sha256": "old"}})
    check_classifier_unchanged(tmp_path / "run", "old")
    check_classifier_unchanged(tmp_path / "none", "new")
    with pytest.raises(ClassifierError, match="against another classifier"):
        check_classifier_unchanged(tmp_path / "run", "new")


def test_the_telling_image_is_the_one_that_most_pgns_fix() -> None:
    assert telling_image(["rfwb", "rffb", "rwfb"], letter="f") == 1
    assert telling_image(["rfwb", "rffb"], letter="b") == 3
