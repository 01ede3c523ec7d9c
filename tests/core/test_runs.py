from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from pgn_studio.core.config import LEGACY_DEFAULTS, TrainingSettings
from pgn_studio.core.errors import RunError
from pgn_studio.core.json_utils import plain
from pgn_studio.core.paths import runs_folder
from pgn_studio.core.run_records import list_runs
from pgn_studio.core.runs import RunFolder, versions

SETTINGS = TrainingSettings.make(dataset="digits", seed=3, gamma=2.5, classifier_conditioning=False)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", SETTINGS)


def test_create_writes_what_is_needed_to_repeat_the_run(tmp_path: Path) -> None:
    facts = {
        "dataset": {"name": "digits", "fingerprint": "ab"},
        "classifier": {"path": tmp_path, "sha256": "cd"},
    }
    RunFolder.create(tmp_path / "new" / "run", SETTINGS, extra=facts)
    run = RunFolder.open(tmp_path / "new" / "run")
    assert run.settings == SETTINGS
    assert run.run_json["status"] == "running"
    assert run.run_json["seed"] == 3
    assert run.run_json["versions"] == versions()
    assert run.run_json["dataset"]["fingerprint"] == "ab"
    assert run.run_json["classifier"]["path"] == str(tmp_path)
    age = datetime.now(timezone.utc) - datetime.fromisoformat(run.run_json["created"])
    assert 0 <= age.total_seconds() < 60
    assert os.listdir(run.path) == ["run.json"]


def test_default_folder_is_named_by_time_dataset_and_problem() -> None:
    settings = SETTINGS.updated(dataset="some/where/my photos:2")
    first, second = RunFolder.create(None, settings), RunFolder.create(None, settings)
    assert first.path.parent == runs_folder()
    assert first.path != second.path
    stamp, name = first.path.name[:15], first.path.name[16:]
    datetime.strptime(stamp, "%Y%m%d-%H%M%S").astimezone()
    assert name == "my-photos-2-enhance"


def test_create_refuses_an_existing_run_and_other_contents(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"already holds a run.*resume="):
        RunFolder.create(run.path, SETTINGS)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(RunError, match="not empty"):
        RunFolder.create(tmp_path / "mine", SETTINGS)
    with pytest.raises(RunError, match="is a file"):
        RunFolder.create(tmp_path / "mine" / "notes.txt", SETTINGS)
    (tmp_path / "empty").mkdir()
    assert RunFolder.create(tmp_path / "empty", SETTINGS).path == tmp_path / "empty"


def test_a_start_that_was_killed_is_not_in_the_way_of_the_next(tmp_path: Path) -> None:
    """What `replacing` leaves when the process dies before the first run.json is in place."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".run-a1b2c3d4.json").write_text('{"format": 1, "sta')
    RunFolder.create(folder, SETTINGS)
    assert os.listdir(folder) == ["run.json"]


def test_a_folder_that_cannot_be_made_is_a_run_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="cannot be written"):
        RunFolder.create(tmp_path / "file" / "run", SETTINGS)


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="root and Windows write to read-only folders"
)
def test_a_read_only_folder_is_a_run_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RunError, match="Permission denied"):
            RunFolder.create(tmp_path / "run", SETTINGS)
    finally:
        tmp_path.chmod(0o700)


def test_update_keeps_the_rest_and_survives_a_failed_write(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.update(status="completed", results={"accuracy": np.float32(0.5), "p": float("nan")})
    assert RunFolder.open(run.path).run_json["results"] == {"accuracy": 0.5, "p": None}

    def disk_full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(RunError, match="No space left"):
        run.update(status="failed")
    monkeypatch.undo()
    again = RunFolder.open(run.path)
    assert again.run_json["status"] == run.run_json["status"] == "completed"
    assert again.settings == SETTINGS
    assert os.listdir(run.path) == ["run.json"]


def test_unknown_status_is_refused(run: RunFolder) -> None:
    with pytest.raises(RunError, match="done"):
        run.update(status="done")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"settings": {', "damaged"),
        (b"\xff\xfe\x00", "damaged"),
        (b"[]", "expected a JSON object"),
        (b'{"settings": 3}', "expected a JSON object"),
        (b'{"settings": {}, "format": 99}', "format 99"),
    ],
)
def test_open_says_what_is_wrong_with_run_json(run: RunFolder, content: bytes, message: str) -> None:
    (run.path / "run.json").write_bytes(content)
    with pytest.raises(RunError, match=message) as caught:
        RunFolder.open(run.path)
    assert caught.value.hint


def test_open_without_a_folder_or_run_json(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run folder"):
        RunFolder.open(tmp_path / "none")
    with pytest.raises(RunError, match="is no run"):
        RunFolder.open(tmp_path)


def test_a_run_of_before_goes_on_as_it_began(run: RunFolder) -> None:
    """Not with the defaults of settings that came after it."""
    path = run.path / "run.json"
    record = json.loads(path.read_text())
    for name in LEGACY_DEFAULTS:
        del record["settings"][name]
    path.write_text(json.dumps(record))
    settings = RunFolder.open(run.path).settings
    assert (settings.label_conditioning, settings.soft_targets) == (False, False)
    assert (settings.min_scale, settings.feature_noise, settings.logit_temperature) == (1.0, 0.0, 1.0)
    assert not settings.clip


def test_settings_of_another_version_are_a_run_error(run: RunFolder) -> None:
    run.update(settings={**run.run_json["settings"], "warp": 9})
    with pytest.raises(RunError, match="warp"):
        _ = run.settings


def test_metrics_come_back_in_order_and_nan_as_none(run: RunFolder) -> None:
    assert run.read_metrics() == []
    run.append_metrics({"event": "StepCompleted", "step": 1, "loss_g": float("nan")})
    run.append_metrics({"event": "StepCompleted", "step": 2, "loss_g": 0.5})
    assert run.read_metrics() == [
        {"event": "StepCompleted", "step": 1, "loss_g": None},
        {"event": "StepCompleted", "step": 2, "loss_g": 0.5},
    ]


def test_a_torn_last_line_is_ignored_and_then_written_over(run: RunFolder) -> None:
    run.append_metrics({"step": 1})
    with run.metrics_path.open("ab") as stream:
        stream.write(b'{"step": 2, "loss\xc3')
    assert run.read_metrics() == [{"step": 1}]
    RunFolder.open(run.path).append_metrics({"step": 2})
    assert run.read_metrics() == [{"step": 1}, {"step": 2}]
    assert run.metrics_path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_damaged_line_in_the_middle_is_named(run: RunFolder) -> None:
    run.metrics_path.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(RunError, match="Line 2"):
        run.read_metrics()


def test_truncate_metrics_drops_what_a_resumed_run_repeats(run: RunFolder) -> None:
    run.truncate_metrics(5)
    assert not run.metrics_path.exists()
    run.append_metrics({"event": "RunStarted", "first_step": 0})
    for step in range(1, 7):
        run.append_metrics({"event": "StepCompleted", "step": step})
    with run.metrics_path.open("a") as stream:
        stream.write('{"step": 7')
    run.truncate_metrics(4)
    run.append_metrics({"event": "StepCompleted", "step": 5})
    assert [record.get("step") for record in run.read_metrics()] == [None, 1, 2, 3, 4, 5]


def test_list_runs_newest_first_with_the_damaged_among_them(tmp_path: Path) -> None:
    for name, created in (
        ("b", "2026-01-02T00:00:00+00:00"),
        ("c", "2026-01-03T01:00:00+02:00"),
        ("a", "2026-01-03"),
    ):
        RunFolder.create(tmp_path / name, SETTINGS).update(created=created, status="completed")
    RunFolder.open(tmp_path / "a").pgn_path.write_bytes(b"x")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text("{")
    os.utime(tmp_path / "torn", (0, 0))
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "metrics.jsonl").write_text("")
    os.utime(tmp_path / "half", (1, 1))
    RunFolder.create(tmp_path / "undated", SETTINGS).update(created=None)
    os.utime(tmp_path / "undated", (2, 2))
    (tmp_path / "holiday").mkdir()  # not ours
    (tmp_path / "file").write_text("x")
    runs = list_runs(tmp_path)
    assert [summary.name for summary in runs] == ["a", "c", "b", "undated", "half", "torn"]
    assert [summary.status for summary in runs] == ["completed"] * 3 + ["damaged"] * 3
    assert "created" in runs[3].damage
    assert "no run.json" in runs[4].damage
    assert "damaged" in runs[5].damage
    assert [summary.has_pgn for summary in runs[:3]] == [True, False, False]
    assert (runs[0].dataset, runs[0].problem, runs[0].discriminator) == ("digits", "enhance", "shared")


def test_list_runs_where_there_is_no_folder(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []


def test_versions_name_what_results_depend_on() -> None:
    found = versions()
    assert set(found) == {"python", "torch", "torchvision", "timm", "numpy", "pgn_studio", "platform"}
    assert found["numpy"] == np.__version__


def test_plain_gives_what_json_can_hold() -> None:
    value = {"a": (np.int64(1), np.float32("inf")), 2: Path("x") / "y", "n": np.array([1.0, np.nan])}
    assert plain(value) == {"a": [1, None], "2": str(Path("x") / "y"), "n": [1.0, None]}
    json.dumps(plain(value), allow_nan=False)


def test_a_start_that_came_to_nothing_leaves_no_folder(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", TrainingSettings.make())
    run.take()
    run.append_metrics({"event": "RunFailed"})
    assert run.discard_start()
    assert not run.path.exists()
    assert RunFolder.create(tmp_path / "run", TrainingSettings.make()).path.is_dir()


def test_a_run_that_was_there_or_holds_more_is_kept(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", TrainingSettings.make())
    assert not RunFolder.open(run.path).discard_start()
    (run.path / "notes.txt").touch()
    assert not run.discard_start()
    assert (run.path / "run.json").is_file()
