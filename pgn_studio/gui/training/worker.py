"""The thread that runs a Trainer, and the queue through which its events leave that thread."""

from __future__ import annotations

import logging
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import QObject, QThread

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.events import Event, EventSink, PreviewReady, RunFailed
from pgn_studio.gui.pictures import PreviewImages, preview_images

if TYPE_CHECKING:
    from pgn_studio.core.classifiers.classifier import Classifier
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.core.project.training_run import TrainingRun

log = logging.getLogger(__name__)

GuiEvent = Event | PreviewImages


@dataclass(frozen=True)
class TrainingJob:
    """One run as the window asks for it."""

    settings: TrainingSettings
    dataset: ImageDataset
    classifier: Classifier
    control: TrainingControl
    resume: str = ""  # the run folder to go on with; empty: a new one


class Runner(Protocol):
    def run(self) -> Any: ...


RunnerFactory = Callable[[TrainingJob, EventSink], Runner]


def make_trainer(job: TrainingJob, sink: EventSink) -> Runner:
    """The real thing: a Trainer on a new run folder, or on the one that is to be continued."""
    from pathlib import Path

    from pgn_studio.core.device import use_cpu_threads
    from pgn_studio.core.project.training_run import check_new_run, resume_run, start_run
    from pgn_studio.core.runs import RunFolder

    use_cpu_threads(spare=1)  # the event loop needs a core
    what = (job.settings, job.classifier, job.dataset)
    if job.resume:
        run = resume_run(RunFolder.open(Path(job.resume)), *what, counts_earlier=True)
    else:
        check_new_run(job.settings, None)
        run = start_run(*what, None)
    return _Training(run, job.control, sink)


@dataclass(frozen=True)
class _Training:
    training_run: TrainingRun
    control: TrainingControl
    sink: EventSink

    def run(self) -> None:
        self.training_run.train(self.control, self.sink)


class EventQueue:
    """Thread-safe: the trainer's thread puts, the GUI thread takes about ten times a second.

    A queue that is polled keeps the cost on the event loop independent of how fast the
    trainer steps, and holds nothing back while it is paused.
    """

    def __init__(self) -> None:
        self._events: deque[GuiEvent] = deque()

    def put(self, event: Event) -> None:
        self._events.append(preview_images(event) if isinstance(event, PreviewReady) else event)

    def take(self) -> list[GuiEvent]:
        taken = []
        while self._events:
            taken.append(self._events.popleft())
        return taken


class TrainingThread(QThread):
    """Runs one job from start to end; whatever goes wrong arrives as a RunFailed."""

    def __init__(self, job: TrainingJob, make_runner: RunnerFactory, parent: QObject) -> None:
        super().__init__(parent)
        self.setObjectName("training")
        self.events = EventQueue()
        self._job: TrainingJob | None = job
        self._make_runner = make_runner

    def run(self) -> None:
        job, self._job = self._job, None  # let go of the data set and the classifier at the end
        if job is None:
            return
        try:
            self._make_runner(job, self.events.put).run()
        except PgnStudioError as error:
            self.events.put(RunFailed(0, "", error.message, error.hint, error.details))
        except Exception as error:  # the thread's last line: nobody above would see it
            log.exception("The training thread failed.")
            hint = "This is a bug in PGN Studio. See the details and the log."
            message = f"{type(error).__name__}: {error}"
            self.events.put(RunFailed(0, "", message, hint, traceback.format_exc()))
