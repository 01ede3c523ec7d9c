"""The runs as a table: figures of the kept epoch, names and tags, search, the frontier."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pgn_studio.core.annotations import Annotations, parse_tags, read_annotations, write_annotations
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import RunError
from pgn_studio.core.run_records import RunRecord, frontier, list_records, needs_log_axis
from pgn_studio.core.runs import RunFolder


def epoch(number: int, accuracy: float, rms: float, *, best: bool) -> dict[str, Any]:
    return {
        "event": "EpochCompleted",
        "epoch": number,
        "step": number,
        "clean_accuracy": 0.5,
        "perturbed_accuracy": accuracy,
        "perturbed_accuracy_8bit": accuracy,
        "fixed": 3,
        "broken": 1,
        "l2_mean": 1.0,
        "rms_mean": rms,
        "best": best,
    }


def make_run(folder: Path, *epochs: dict[str, Any], **settings: Any) -> RunFolder:
    run = RunFolder.create(folder, TrainingSettings.make(dataset="digits", classifier="c", **settings))
    for record in epochs:
        run.append_metrics({"event": "StepCompleted", "step": record["step"]})
        run.append_metrics(record)
    return run


def only(folder: Path) -> RunRecord:
    (record,) = list_records(folder)
    return record


@pytest.mark.parametrize(("keep", "rms"), [("best", 0.1), ("last", 0.2)])
def test_figures_are_those_of_the_kept_epoch(tmp_path: Path, keep: str, rms: float) -> None:
    make_run(tmp_path / "run", epoch(1, 0.8, 0.1, best=True), epoch(2, 0.7, 0.2, best=False), select=keep)
    assert only(tmp_path).figures["rms_mean"] == rms


def test_a_range_of_gamma_is_told_as_one_and_found_by_it(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", gamma="0.3..30")
    before = only(tmp_path)
    assert (before.gamma, before.gamma_text, str(before.gammas)) == (3.0, "0.3..30", "0.3..30")
    run.append_metrics({**epoch(1, 0.8, 0.1, best=True), "gamma": 3.0})
    record = only(tmp_path)
    assert (record.gamma, record.gamma_text) == (3.0, "0.3..30")
    assert record.matches("gamma=0.3..30")
    assert record.matches("gamma=3")
    assert not record.matches("gamma=30")


def test_one_gamma_is_told_as_such(tmp_path: Path) -> None:
    make_run(tmp_path / "run", gamma=10)
    assert (only(tmp_path).gamma_text, only(tmp_path).gammas) == ("10", None)
    assert only(tmp_path).matches("gamma=10")


def test_a_run_without_an_epoch_or_with_a_torn_line_has_what_there_is(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    assert only(tmp_path).figures == {}
    run.append_metrics(epoch(1, 0.8, 0.1, best=True))
    with run.metrics_path.open("a") as stream:
        stream.write('{"event": "EpochCompleted", "epo')
    assert only(tmp_path).figures["epoch"] == 1


def test_a_damaged_run_is_listed_with_its_reason(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run.path / "run.json").write_text("{")
    record = only(tmp_path)
    assert "damaged" in record.summary.damage
    assert record.settings == {}
    assert record.matches("run")


def test_annotations_come_back_clean_and_leave_run_json_alone(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    before = (run.path / "run.json").read_bytes()
    write_annotations(run.path, Annotations(" γ too small ", ("paper", " paper ", "a,b", ""), "line\nline"))
    assert read_annotations(run.path) == Annotations("γ too small", ("paper", "a b"), "line\nline")
    assert (run.path / "run.json").read_bytes() == before
    assert only(tmp_path).name == "γ too small"
    assert parse_tags(" one, two words ,one,") == ("one", "two words")


@pytest.mark.parametrize("content", ["{", "[]", '{"tags": 3}'])
def test_damaged_annotations_are_an_error_that_hides_no_run(tmp_path: Path, content: str) -> None:
    run = make_run(tmp_path / "run")
    (run.path / "annotations.json").write_text(content)
    with pytest.raises(RunError, match="cannot be read"):
        read_annotations(run.path)
    assert only(tmp_path).annotations == Annotations()


def test_names_that_are_no_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="at most"):
        write_annotations(tmp_path, Annotations("x" * 201))
    with pytest.raises(RunError, match="one line"):
        write_annotations(tmp_path, Annotations("a\nb"))
    with pytest.raises(RunError, match="no run folder"):
        write_annotations(tmp_path / "none", Annotations("a"))
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_a_run_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(RunError, match="No space left"):
        write_annotations(tmp_path, Annotations("a"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True),
        ("DIGITS enhance", True),
        ("gamma=10", True),
        ("gamma=1", False),
        ("tag=paper", True),
        ("tag=pap", False),
        ("pap too", True),
        ("status=interrupted", True),
        ("digits nothing", False),
        ("loss=least-squares epochs=7", True),
    ],
)
def test_search(tmp_path: Path, query: str, found: bool) -> None:
    run = make_run(tmp_path / "run", gamma=10.0, epochs=7)
    write_annotations(run.path, Annotations("", ("Paper",), "too much"))
    assert only(tmp_path).matches(query) is found


def test_the_frontier_is_what_no_other_run_beats(tmp_path: Path) -> None:
    places = {"a": (0.7, 0.1), "b": (0.65, 0.2), "c": (0.8, 0.3), "d": (0.6, 0.05), "e": (0.75, 0.1)}
    for name, (accuracy, rms) in places.items():
        make_run(tmp_path / name, epoch(1, accuracy, rms, best=True))
    make_run(tmp_path / "unfinished")
    records = list_records(tmp_path)
    assert [record.path.name for record in frontier(records)] == ["d", "e", "c"]
    assert [record.path.name for record in frontier(records, lower=True)] == ["d"]
    assert frontier([]) == []


def test_the_list_reads_no_step_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run", epoch(1, 0.8, 0.1, best=True))
    for number in range(500):
        run.append_metrics({"event": "StepCompleted", "step": number})
    parsed: list[str] = []
    loads = json.loads
    monkeypatch.setattr("json.loads", lambda text, **more: parsed.append(text) or loads(text, **more))
    assert only(tmp_path).figures["epoch"] == 1
    assert not [text for text in parsed if "StepCompleted" in str(text)]


def test_an_axis_is_logarithmic_where_positive_values_span_more_than_twenty_times() -> None:
    assert needs_log_axis([0.01, 0.05, 0.3])
    assert not needs_log_axis([0.01, 0.2])
    assert not needs_log_axis([0.0, 1.0])  # zero has no place there
    assert not needs_log_axis([])
