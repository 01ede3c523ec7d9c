"""One run after another: starts, pauses and stops them and knows in which state things are."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.events import (
    EpochCompleted,
    GammaChanged,
    Notice,
    Preparing,
    RunFailed,
    RunFinished,
    RunStarted,
    StepCompleted,
    Vitals,
)
from pgn_studio.core.training.samples import SampleChoice
from pgn_studio.gui.pictures import PreviewImages
from pgn_studio.gui.training.worker import GuiEvent, RunnerFactory, TrainingJob, TrainingThread, make_trainer

INTERVAL_MS = 100


class TrainingBridge(QObject):
    """Emits what the trainer told, in its order, steps in batches.

    `finished` or `failed` comes once per run, last, when the thread has ended.
    """

    preparing = Signal(object)  # Preparing
    started = Signal(object)  # RunStarted
    steps = Signal(list)  # list[StepCompleted], never empty
    epoch = Signal(object)  # EpochCompleted
    preview = Signal(object)  # PreviewImages
    gamma_changed = Signal(object)  # GammaChanged
    notice = Signal(object)  # Notice
    vitals = Signal(object)  # Vitals
    finished = Signal(object)  # RunFinished
    failed = Signal(object)  # RunFailed

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._thread: TrainingThread | None = None
        self._end: RunFinished | RunFailed | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.deliver)
        self._signals = {
            Preparing: self.preparing,
            RunStarted: self.started,
            EpochCompleted: self.epoch,
            PreviewImages: self.preview,
            GammaChanged: self.gamma_changed,
            Notice: self.notice,
            Vitals: self.vitals,
        }

    def watch(self, thread: TrainingThread) -> None:
        """Deliver the events of `thread` from now on. One at a time."""
        self._thread, self._end = thread, None
        thread.finished.connect(self._thread_ended)
        self._timer.start()

    @Slot()
    def deliver(self) -> None:
        """Emit what has come since the last time."""
        if self._thread is None:
            return
        batch: list[StepCompleted] = []
        for event in self._thread.events.take():
            if isinstance(event, StepCompleted):
                batch.append(event)
                continue
            batch = self._flushed(batch)
            self._deliver_one(event)
        self._flushed(batch)

    def _flushed(self, batch: list[StepCompleted]) -> list[StepCompleted]:
        if batch:
            self.steps.emit(batch)
        return []

    def _deliver_one(self, event: GuiEvent) -> None:
        if isinstance(event, RunFinished | RunFailed):
            self._end = self._end or event
            return
        signal = self._signals.get(type(event))  # a saved checkpoint is nothing to show
        if signal is not None:
            signal.emit(event)

    @Slot()
    def _thread_ended(self) -> None:
        self.deliver()
        self._timer.stop()
        self._thread = None
        end = self._end or RunFailed(
            0, "", "The training thread ended without a result.", "See the log: Help > Open log folder.", ""
        )
        (self.finished if isinstance(end, RunFinished) else self.failed).emit(end)


class RunState(Enum):
    IDLE = "idle"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"


class TrainingController(QObject):
    """Steers the training thread. Everything here runs on the GUI thread and never waits."""

    state_changed = Signal(object)  # RunState

    def __init__(self, parent: QObject, *, make_runner: RunnerFactory = make_trainer) -> None:
        super().__init__(parent)
        self.bridge = TrainingBridge(self)
        self.state = RunState.IDLE
        self._make_runner = make_runner
        self._control: TrainingControl | None = None
        self._thread: TrainingThread | None = None
        self.bridge.started.connect(self._run_started)

    @property
    def active(self) -> bool:
        return self.state is not RunState.IDLE

    def start(self, job: TrainingJob) -> None:
        """Begin; the bridge tells the rest. Does nothing while a run is under way."""
        if self.active:
            return
        self._control = job.control
        self._thread = TrainingThread(job, self._make_runner, self)
        # Before the bridge, so that listeners to `finished` find it idle.
        self._thread.finished.connect(self._thread_ended)
        self.bridge.watch(self._thread)
        self._set_state(RunState.STARTING)
        self._thread.start()

    def pause(self) -> None:
        if self._control and self.state is RunState.RUNNING:
            self._control.pause()
            self._set_state(RunState.PAUSED)

    def resume(self) -> None:
        if self._control and self.state is RunState.PAUSED:
            self._control.resume()
            self._set_state(RunState.RUNNING)

    @Slot()
    def toggle_pause(self) -> None:
        if self.state is RunState.PAUSED:
            self.resume()
        else:
            self.pause()

    @Slot()
    def stop(self) -> None:
        """Stop at the next step and keep what was learned."""
        if self._control and self.active:
            self._control.stop()
            self._set_state(RunState.STOPPING)

    @Slot(float)
    def set_gamma(self, gamma: float) -> None:
        """Use `gamma` from the next step on; without a run it does nothing."""
        if self._control and self.active:
            self._control.set(gamma=gamma)

    @Slot(object)
    def show_samples(self, samples: SampleChoice) -> None:
        """Preview these from the next step on; without a run it does nothing."""
        if self._control and self.active:
            self._control.show(samples)

    @Slot()
    def _run_started(self) -> None:
        if self.state is RunState.STARTING:
            self._set_state(RunState.RUNNING)

    @Slot()
    def _thread_ended(self) -> None:
        self.bridge.deliver()  # a short run may have told nothing yet: first what it did, then its end
        if self._thread is not None:
            self._thread.wait()  # it has returned from run(): this is the operating system's part
            self._thread.deleteLater()
        self._thread, self._control = None, None
        self._set_state(RunState.IDLE)

    def _set_state(self, state: RunState) -> None:
        if state is not self.state:
            self.state = state
            self.state_changed.emit(state)
