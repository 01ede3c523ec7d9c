"""Memory runs out in a step: the run goes back to its checkpoint and on with half the batch."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.perturbation.pgn import load_pgn
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.checkpoint import load_checkpoint
from pgn_studio.core.training.events import (
    EpochCompleted,
    Event,
    Notice,
    RunFailed,
    RunFinished,
    RunStarted,
    StepCompleted,
)
from pgn_studio.core.training.oom import CODE, RECORD, measuring_batch
from pgn_studio.core.training.step import TrainStep
from tests.core.training.conftest import Train

CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
CPU = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
HOLDS = 64  # images that memory holds
TIGHT_FROM = 12  # the call of a step from which it holds no more: the second epoch's third


class Memory:
    """Every step of more than `holds` images fails from the `tight_from`th call on, when D has moved."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.error: Exception = CUDA
        self.holds, self.tight_from, self.calls = HOLDS, TIGHT_FROM, 0
        self.steps: list[weakref.ref[TrainStep]] = []
        self.alive_at_retry: list[int] = []
        really, made = TrainStep.__call__, TrainStep.__init__

        def call(step: TrainStep, batch: Any, **named: Any) -> Any:
            self.calls += 1
            result = really(step, batch, **named)
            if self.calls >= self.tight_from and len(batch.labels) > self.holds:
                raise type(self.error)(*self.error.args)  # a fresh one: its traceback holds memory
            return result

        def init(step: TrainStep, *arguments: Any, **named: Any) -> None:
            self.alive_at_retry.append(sum(ref() is not None for ref in self.steps))
            self.steps.append(weakref.ref(step))
            made(step, *arguments, **named)

        patch.setattr(TrainStep, "__call__", call)
        patch.setattr(TrainStep, "__init__", init)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    return Memory(monkeypatch)


def of(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def weights(run: RunFolder) -> dict[str, torch.Tensor]:
    return load_file(run.last_pgn_path)


def same(first: RunFolder, second: RunFolder) -> bool:
    ours, theirs = weights(first), weights(second)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("error", [CUDA, CPU, MemoryError()], ids=["cuda", "cpu", "python"])
def test_the_run_goes_on_from_its_last_epoch_with_half_the_batch(
    train: Train, settings: TrainingSettings, memory: Memory, error: Exception
) -> None:
    memory.error = error
    run, events = train(settings)
    before, after = of(events, RunStarted)
    assert (before.first_step, after.first_step) == (0, before.steps_per_epoch)
    assert (before.steps_per_epoch, after.steps_per_epoch) == (9, 17)  # of 1,078 images
    assert after.total_steps == before.steps_per_epoch + after.steps_per_epoch
    assert isinstance(events[-1], RunFinished)
    assert events[-1].reason == "completed"
    assert events[-1].step == after.total_steps
    assert [event.epoch for event in of(events, EpochCompleted)] == [1, 2]

    told = [notice for notice in of(events, Notice) if notice.code == CODE]
    assert [notice.level for notice in told] == ["warning", "passed"]
    assert "Memory ran out in step 12 at 128 images a step" in told[0].message
    assert f"goes on after step {before.steps_per_epoch} with 64" in told[0].message
    logged = run.read_metrics()
    assert [line["level"] for line in logged if line.get("code") == CODE] == ["warning", "passed"]
    steps = [line["step"] for line in logged if line["event"] == "StepCompleted"]
    assert steps == list(range(1, after.total_steps + 1))
    assert run.run_json["settings"]["batch_size"] == 64
    assert run.run_json[RECORD] == [{"step": 11, "batch_size": 128, "smaller": 64}]
    assert load_pgn(run.last_pgn_path).info.settings["batch_size"] == 64
    assert memory.alive_at_retry == [0, 0]  # what the failed attempt held is free


def test_it_ends_as_if_somebody_had_resumed_it_with_half_the_batch(
    train: Train, settings: TrainingSettings, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrunk, _ = train(settings, name="shrunk")
    monkeypatch.undo()
    train(settings.updated(epochs=1), name="by-hand")
    by_hand, _ = train(settings.updated(batch_size=64), name="by-hand", resume=True)
    assert same(shrunk, by_hand)


def test_stopped_and_resumed_it_ends_the_same(
    train: Train, settings: TrainingSettings, memory: Memory
) -> None:
    settings = settings.updated(augment="flip", encoder_training="frozen")
    whole, _ = train(settings, name="whole")
    memory.calls = 0
    train(settings, name="stopped", at={20: lambda control: control.stop()})
    resumed, events = train(settings, name="stopped", resume=True)
    assert events[0].first_step == 20
    assert events[-1].reason == "completed"
    assert same(whole, resumed)


def test_from_a_checkpoint_inside_an_epoch_the_rest_of_it_follows(
    train: Train, settings: TrainingSettings, memory: Memory
) -> None:
    ends = []
    for name, stops in (("whole", {}), ("stopped", {15: lambda control: control.stop()})):
        memory.calls = 0
        train(settings, name=name, at={11: lambda control: control.stop()})
        run, events = train(settings, name=name, at=stops, resume=True)
        starts = of(events, RunStarted)
        assert [start.first_step for start in starts] == [11, 11]
        if stops:
            run, events = train(settings, name=name, resume=True)
        assert events[-1].reason == "completed"
        assert events[-1].step == starts[-1].total_steps == 9 + 2 + 13  # 256 of 1,078 had been taken
        ends.append(run)
    assert same(*ends)


def test_in_its_first_epoch_it_begins_anew(train: Train, settings: TrainingSettings, memory: Memory) -> None:
    memory.tight_from = 1
    run, events = train(settings)
    assert [start.first_step for start in of(events, RunStarted)] == [0, 0]
    assert [event.step for event in of(events, StepCompleted)][0] == 1
    memory.holds = 1000
    small, _ = train(settings.updated(batch_size=64), name="small")
    assert same(run, small)


def test_a_run_that_goes_on_in_another_process_keeps_the_smaller_batch(
    train: Train, settings: TrainingSettings, memory: Memory
) -> None:
    train(settings, at={13: lambda control: control.stop()})
    _, events = train(settings, resume=True)  # with the settings that it was started with
    assert len(of(events, RunStarted)) == 1
    assert events[-1].reason == "completed"


def test_what_does_not_fit_at_two_images_fails_with_advice(
    train: Train, settings: TrainingSettings, memory: Memory
) -> None:
    memory.holds, memory.tight_from = 0, 1
    run, events = train(settings.updated(batch_size=5))
    failed = events[-1]
    assert isinstance(failed, RunFailed)
    assert "ran out of memory" in failed.message
    assert "smaller images or networks" in failed.hint
    assert "batch" not in failed.hint
    assert [entry["smaller"] for entry in run.run_json[RECORD]] == [2]
    assert run.run_json["status"] == "failed"


def test_other_errors_are_not_retried(train: Train, settings: TrainingSettings, memory: Memory) -> None:
    memory.error = RuntimeError("shapes do not match")
    run, events = train(settings)
    assert isinstance(events[-1], RunFailed)
    assert len(of(events, RunStarted)) == 1
    assert RECORD not in run.run_json


def test_measuring_shrinks_along(train: Train, settings: TrainingSettings, memory: Memory) -> None:
    run, _ = train(settings)
    assert measuring_batch(run, 128) == 64
    assert measuring_batch(run, 2) == 2


def test_a_checkpoint_remembers_its_schedule(
    train: Train, settings: TrainingSettings, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, events = train(settings)
    monkeypatch.setattr("pgn_studio.core.training.checkpoint._load_optimizer", lambda *_: None)

    class NoStep:
        adam_d = adam_g = None
        scaler = torch.amp.GradScaler("cpu", enabled=False)
        ema = SimpleNamespace(updates=0)

        def parts(self) -> dict[str, Any]:
            return {}

    state = load_checkpoint(run.checkpoint_path, NoStep())  # type: ignore[arg-type]
    assert state.schedule is not None
    schedule = state.schedule
    assert (schedule.batch_size, schedule.step, schedule.epoch) == (64, 9, 1)
    assert state.step == events[-1].step
