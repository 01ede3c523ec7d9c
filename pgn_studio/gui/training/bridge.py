"""From the training thread's queue to signals on the GUI thread."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal, Slot

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
from pgn_studio.gui.training.preview import PreviewImages
from pgn_studio.gui.training.worker import GuiEvent, TrainingThread

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
