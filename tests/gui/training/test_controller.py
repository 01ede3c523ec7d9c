"""From a trainer's thread to signals on the GUI thread: order, batches, endings, steering."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import QObject, QThread
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.events import RunFailed, RunFinished, StepCompleted
from pgn_studio.gui.training.controller import RunState, TrainingController
from pgn_studio.gui.training.worker import TrainingJob

if TYPE_CHECKING:
    from conftest import FakeTrainer


class Listener(QObject):
    """Notes every signal of the bridge, in order, and that it came on the GUI thread."""

    def __init__(self, training: TrainingController) -> None:
        super().__init__(training)
        self.told: list[tuple[str, Any]] = []
        self.states: list[RunState] = []
        bridge = training.bridge
        bridge.started.connect(self.on_started)
        bridge.steps.connect(self.on_steps)
        bridge.epoch.connect(self.on_epoch)
        bridge.preview.connect(self.on_preview)
        bridge.finished.connect(self.on_end)
        bridge.failed.connect(self.on_end)
        training.state_changed.connect(self.states.append)

    def note(self, name: str, value: Any) -> None:
        assert QThread.currentThread() is self.thread()
        self.told.append((name, value))

    def on_started(self, event: Any) -> None:
        self.note("started", event)

    def on_steps(self, events: list[StepCompleted]) -> None:
        self.note("steps", events)

    def on_epoch(self, event: Any) -> None:
        self.note("epoch", event)

    def on_preview(self, event: Any) -> None:
        self.note("preview", event)

    def on_end(self, event: Any) -> None:
        self.note("end", event)

    @property
    def steps(self) -> list[StepCompleted]:
        return [step for name, value in self.told if name == "steps" for step in value]

    @property
    def ends(self) -> list[Any]:
        return [value for name, value in self.told if name == "end"]


@pytest.fixture
def training(qtbot: QtBot, trainer: type[FakeTrainer]) -> Iterator[TrainingController]:
    parent = QObject()
    made = TrainingController(parent, make_runner=trainer)
    yield made
    made.stop()
    qtbot.waitUntil(lambda: not made.active, timeout=5000)


def job(gamma: float = 1.0) -> TrainingJob:
    return TrainingJob(TrainingSettings(), None, None, TrainingControl(gamma=gamma))  # type: ignore[arg-type]


def test_events_come_in_order_in_batches_with_one_end(qtbot: QtBot, training: TrainingController) -> None:
    listener = Listener(training)
    with qtbot.waitSignal(training.bridge.finished, timeout=5000):
        training.start(job())
    assert listener.told[0][0] == "started"
    assert listener.told[-1][0] == "end"
    assert len(listener.ends) == 1
    assert [step.step for step in listener.steps] == list(range(1, 41))
    batches = [value for name, value in listener.told if name == "steps"]
    assert len(batches) < 40
    assert listener.states == [RunState.STARTING, RunState.RUNNING, RunState.IDLE]


def test_an_epoch_follows_the_steps_that_belong_to_it(qtbot: QtBot, training: TrainingController) -> None:
    listener = Listener(training)
    with qtbot.waitSignal(training.bridge.finished, timeout=5000):
        training.start(job())
    seen = 0
    for name, value in listener.told:
        if name == "steps":
            seen = value[-1].step
        elif name == "epoch":
            assert value.step == seen


def test_previews_arrive_as_images(qtbot: QtBot, training: TrainingController) -> None:
    with qtbot.waitSignal(training.bridge.preview, timeout=5000) as signal:
        training.start(job())
    preview = signal.args[0]
    assert [item.outcome for item in preview.triptychs] == ["fixed", "broken", "both right", "both wrong"]
    assert preview.triptychs[0].original.width() == 9


def test_a_moved_gamma_is_used_and_told(
    qtbot: QtBot, training: TrainingController, trainer: type[FakeTrainer]
) -> None:
    trainer.steps = 100_000
    listener = Listener(training)
    with qtbot.waitSignal(training.bridge.steps, timeout=5000):
        training.start(job(gamma=1.0))
    training.set_gamma(7.5)
    qtbot.waitUntil(lambda: listener.steps[-1].gamma == 7.5, timeout=5000)
    with qtbot.waitSignal(training.bridge.finished, timeout=5000) as end:
        training.stop()
    assert end.args[0].reason == "stopped"


def test_nothing_is_held_back_while_it_pauses(
    qtbot: QtBot, training: TrainingController, trainer: type[FakeTrainer]
) -> None:
    trainer.steps = 100_000
    listener = Listener(training)
    with qtbot.waitSignal(training.bridge.steps, timeout=5000):
        training.start(job())
    training.pause()
    assert training.state is RunState.PAUSED
    qtbot.wait(300)
    count = len(listener.steps)
    qtbot.wait(200)
    assert len(listener.steps) == count
    training.resume()
    qtbot.waitUntil(lambda: len(listener.steps) > count, timeout=5000)


def test_a_paused_run_can_be_stopped(
    qtbot: QtBot, training: TrainingController, trainer: type[FakeTrainer]
) -> None:
    trainer.steps = 100_000
    with qtbot.waitSignal(training.bridge.started, timeout=5000):
        training.start(job())
    training.pause()
    with qtbot.waitSignal(training.bridge.finished, timeout=5000):
        training.stop()
    assert not training.active


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("fails_at", "no longer finite"),
        ("raises", "RuntimeError: a fault"),
        ("silent_end", "without a result"),
    ],
)
def test_whatever_goes_wrong_is_one_failure(
    qtbot: QtBot, training: TrainingController, trainer: type[FakeTrainer], fault: str, words: str
) -> None:
    setattr(trainer, fault, 5 if fault == "fails_at" else True)
    listener = Listener(training)
    with qtbot.waitSignal(training.bridge.failed, timeout=5000):
        training.start(job())
    assert [type(end) for end in listener.ends] == [RunFailed]
    assert words in listener.ends[0].message
    assert not training.active


def test_runs_follow_one_another(qtbot: QtBot, training: TrainingController) -> None:
    listener = Listener(training)
    for _ in range(3):
        with qtbot.waitSignal(training.bridge.finished, timeout=5000):
            training.start(job())
    assert [type(end) for end in listener.ends] == [RunFinished] * 3
