"""A step's figures told one step late: the same story, and nothing in a step that waits for a device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.device import resolve_precision
from pgn_studio.core.training import run_state
from pgn_studio.core.training.async_metrics import AsyncMetrics, StepTaken
from pgn_studio.core.training.builders import build_networks, fit_statistics
from pgn_studio.core.training.events import (
    EpochCompleted,
    Event,
    GammaChanged,
    PreviewReady,
    RunFailed,
    RunFinished,
    StepCompleted,
    Vitals,
)
from pgn_studio.core.training.loader import Batch, Loader, feature_cache_for
from pgn_studio.core.training.step import StepResult, TrainStep
from tests.core.training.conftest import Train


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer reads one step late, as on a GPU."""

    def reader(report: Callable[[list[float], StepTaken], None], *, late: bool) -> AsyncMetrics:
        return AsyncMetrics(report, late=True)

    monkeypatch.setattr(run_state, "AsyncMetrics", reader)


def result(value: float) -> StepResult:
    return StepResult(*[torch.tensor(value)] * len(StepResult._fields))


def test_figures_come_in_order_one_step_late_and_all_of_them() -> None:
    told: list[tuple[int, float]] = []
    metrics = AsyncMetrics(lambda values, taken: told.append((taken.step, values[0])), late=True)
    for step in (1, 2, 3):
        metrics.add(result(step / 4), StepTaken(step, 1, 8, 1.0))
        assert [number for number, _ in told] == list(range(1, step))
    metrics.finish()
    metrics.finish()
    assert told == [(1, 0.25), (2, 0.5), (3, 0.75)]


@pytest.mark.usefixtures("late")
def test_read_late_after_a_failure_nothing_more_is_told(
    train: Train, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, count = TrainStep.__call__, iter(range(1, 1000))

    def step(self: TrainStep, *args: Any, **named: Any) -> StepResult:
        if next(count) == 3:
            raise RuntimeError("lost")
        return really(self, *args, **named)

    monkeypatch.setattr(TrainStep, "__call__", step)
    _, events = train(settings)
    assert isinstance(events[-1], RunFailed)
    assert [event.step for event in events if isinstance(event, StepCompleted)] == [1]


def story(events: list[Event]) -> list[Event]:
    """What was told, without times, memory and pictures."""
    timeless: dict[type[Any], dict[str, Any]] = {
        StepCompleted: {"images_per_second": 0.0},
        EpochCompleted: {"seconds": 0.0, "validation_seconds": 0.0},
    }
    kept = [event for event in events[1:-1] if not isinstance(event, PreviewReady | Vitals)]
    return [replace(event, **timeless.get(type(event), {})) for event in kept]


def weights(folder: Any) -> dict[str, Tensor]:
    return load_file(folder.last_pgn_path)


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_read_late_a_run_tells_the_same(
    train: Train, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt, events = train(settings, name="run")
    monkeypatch.setattr(run_state, "AsyncMetrics", lambda report, late: AsyncMetrics(report, late=not late))
    (prompt.path).rename(prompt.path.with_name("prompt"))
    later, same = train(settings, name="run")
    assert story(events) == story(same)
    assert_same(load_file(prompt.path.with_name("prompt") / "pgn.safetensors"), load_file(later.pgn_path))


@pytest.mark.usefixtures("late")
def test_read_late_gamma_is_told_with_the_step_that_used_it(train: Train, settings: TrainingSettings) -> None:
    _, events = train(settings, at={3: lambda control: control.set(gamma=7.5)})
    steps = [event for event in events if isinstance(event, StepCompleted)]
    assert [event.gamma for event in steps] == [1.0] * 4 + [7.5] * (len(steps) - 4)
    place = events.index(GammaChanged(5, 7.5))
    before = [event for event in events[:place] if isinstance(event, StepCompleted)]
    assert before[-1].step == 4
    assert sum(isinstance(event, GammaChanged) for event in events) == 1


@pytest.mark.usefixtures("late")
def test_read_late_no_step_seems_to_have_taken_no_time(train: Train, settings: TrainingSettings) -> None:
    """An epoch's last one is told right behind the one before."""
    _, events = train(settings)
    rates = np.array([event.images_per_second for event in events if isinstance(event, StepCompleted)])
    assert rates.max() < 20 * np.median(rates)


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("stop_at", [4, 8, 9, 12])  # at 9 the epoch's last step has long been taken
def test_read_late_stopped_and_resumed_equals_never_stopped(
    train: Train, settings: TrainingSettings, stop_at: int
) -> None:
    whole, _ = train(settings, name="whole")
    stopped, events = train(settings, name="stopped", at={stop_at: lambda control: control.stop()})
    ending = events[-1]
    assert isinstance(ending, RunFinished)
    assert ending.reason == "stopped"
    last = [event.step for event in events if isinstance(event, StepCompleted)][-1]
    assert stop_at <= last == ending.step <= stop_at + 1
    resumed, more = train(settings, name="stopped", resume=True)
    assert more[0].first_step == last
    assert_same(weights(whole), weights(resumed))
    rows = [row["step"] for row in stopped.read_metrics() if row["event"] == "StepCompleted"]
    assert rows == list(range(1, len(rows) + 1))


@pytest.mark.usefixtures("late")
def test_read_late_a_loss_that_is_not_finite_ends_the_run_at_its_step(
    train: Train, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, count = TrainStep.__call__, iter(range(1, 1000))

    def step(self: TrainStep, *args: Any, **named: Any) -> StepResult:
        outcome = really(self, *args, **named)
        return outcome._replace(loss_g=outcome.loss_g * float("nan")) if next(count) == 12 else outcome

    monkeypatch.setattr(TrainStep, "__call__", step)
    folder, events = train(settings)
    failed = events[-1]
    assert isinstance(failed, RunFailed)
    assert "no longer finite at step 12" in failed.message
    assert [event.step for event in events if isinstance(event, StepCompleted)][-1] == 11
    monkeypatch.undo()
    whole, _ = train(settings, name="whole")
    resumed, _ = train(settings, name=folder.path.name, resume=True)
    assert_same(weights(whole), weights(resumed))


class NothingIsRead(TorchDispatchMode):
    """Fails where a value would have to come to the host: on a GPU the step would wait there."""

    _WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "is_nonzero")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in self._WAITING, f"{name} waits for the device"
        if name in ("index", "index_put", "index_put_"):
            chosen = [index for index in args[1] if index is not None]
            assert all(index.dtype != torch.bool for index in chosen), "a mask's length must come to the host"
        return func(*args, **(kwargs or {}))


KINDS: list[dict[str, Any]] = [  # the last is the paper's
    {},
    {"encoder_training": "frozen"},
    {"discriminator": "known", "loss": "logistic"},
    {"discriminator": "blackbox", "problem": "adversarial"},
    {"image_conditioning": False, "label_conditioning": False, "soft_targets": False, "head": "linear",
     "ema_decay": 0.0, "input_space": "normalized"},
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_nothing_in_a_step_comes_to_the_host(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset, kind: dict[str, Any]
) -> None:
    step, batches = prepared(settings.updated(**kind), classifier, digits, torch.device("cpu"))
    step(batches[0], gamma=1.0, noise=torch.Generator().manual_seed(0))
    with NothingIsRead():
        step(batches[1], gamma=1.0, noise=torch.Generator().manual_seed(1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_step_waits_for_the_gpu(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset, kind: dict[str, Any]
) -> None:
    device = torch.device("cuda")
    settings = settings.updated(**kind, augment="strong", input_mixup=0.3)
    step, batches = prepared(settings, classifier, digits, device)
    told: list[int] = []
    noise = torch.Generator()
    step(batches[0], gamma=1.0, noise=noise.manual_seed(0))
    train = digits.split("train")
    encoded = feature_cache_for(train, step.encode, settings)
    loader = Loader(train, settings, encoded=encoded, outputs=None, seed=0, input_mixup=0.3, device=device)
    stream = iter(loader.epoch(0))
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        metrics = AsyncMetrics(lambda _values, taken: told.append(taken.step), late=True)
        for number in range(1, 5):
            outcome = step(next(stream), gamma=1.0, noise=noise.manual_seed(number))
            metrics.add(outcome, StepTaken(number, 1, 128, 1.0))
        metrics.finish()
    finally:
        torch.cuda.set_sync_debug_mode("default")
        stream.close()  # type: ignore[attr-defined]
    assert told == [1, 2, 3, 4]


def prepared(
    settings: TrainingSettings, classifier: Classifier, digits: ImageDataset, device: torch.device
) -> tuple[TrainStep, list[Batch]]:
    precision = resolve_precision("fp32" if device.type == "cpu" else "auto", device)
    networks = build_networks(settings, classifier, image_size=8, device=device)
    train = digits.split("train")
    fit_statistics(networks, train, seed=0, precision=precision)
    step = TrainStep(networks, settings, precision=precision)
    networks.train(True)
    loader = partial(
        Loader, train, settings, encoded=None, outputs=None, seed=0, input_mixup=0.0, device=device
    )
    first = loader().epoch(0)
    batches = [next(first) for _ in range(2)]
    first.close()  # type: ignore[attr-defined]
    assert np.isfinite(float(batches[0].pixels.mean()))
    return step, batches
