"""Which run the window shows: the one source for page, title, status bar, set-up and Continue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication

from pgn_studio.core.annotations import read_annotations
from pgn_studio.core.errors import PgnStudioError, RunError
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.events import RunFailed, RunFinished, RunStarted
from pgn_studio.gui.training.controller import RunState

APPLICATION = "PGN Studio"
Subject = tuple[object, ...]  # images and classifier: equal where a run of one can go on with the other


class RunStatus(Enum):
    """As the window words it."""

    STARTING = "Starting"
    RUNNING = "Running"
    PAUSED = "Paused"
    STOPPING = "Stopping"
    FINISHED = "Finished"
    STOPPED = "Stopped"
    FAILED = "Failed"
    INTERRUPTED = "Interrupted"
    ELSEWHERE = "Trained by another process"


_OF_TRAINING = {
    RunState.STARTING: RunStatus.STARTING,
    RunState.RUNNING: RunStatus.RUNNING,
    RunState.PAUSED: RunStatus.PAUSED,
    RunState.STOPPING: RunStatus.STOPPING,
}
_OF_DISK = {
    "running": RunStatus.ELSEWHERE,
    "interrupted": RunStatus.INTERRUPTED,
    "completed": RunStatus.FINISHED,
    "stopped": RunStatus.STOPPED,
    "failed": RunStatus.FAILED,
}
_AT_REST = (RunStatus.FINISHED, RunStatus.STOPPED, RunStatus.FAILED, RunStatus.INTERRUPTED)


@dataclass(frozen=True)
class Shown:
    """A run, or (without a status) a PGN's file that belongs to none. All empty: nothing is shown."""

    name: str = ""
    folder: str = ""  # the run's; a new run has none before it has started
    pgn_file: str = ""
    status: RunStatus | None = None
    subject: Subject | None = None  # with which it was trained

    @property
    def headline(self) -> str:
        return f"{self.name} · {self.status.value}" if self.status else self.name


class ShownRun(QObject):
    """Swaps one immutable value; whoever shows anything of it follows `changed`."""

    changed = Signal()
    headline_changed = Signal(str)
    title_changed = Signal(str)  # of the window

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.now = Shown()
        application = QCoreApplication.instance()
        if isinstance(application, QGuiApplication):
            application.applicationStateChanged.connect(self._application_state_changed)

    # ------------------------------------------------------------------ what is shown

    @property
    def folder(self) -> str:
        return self.now.folder

    @property
    def path(self) -> str:
        """What to open to show it again; empty where there is nothing on disk."""
        return self.now.folder or self.now.pgn_file

    def continuable(self, subject: Subject | None) -> bool:
        """Whether it can go on with what is loaded."""
        now = self.now
        return bool(now.folder) and now.status in _AT_REST and subject is not None and now.subject == subject

    def continuing(self, subject: Subject | None) -> str:
        """What Continue does, or why it does nothing."""
        now = self.now
        if self.continuable(subject):
            return f"Continue {now.name}: where it stopped, or with more epochs"
        if not now.folder:
            return "No run is shown: open one, or press Start"
        if now.status is RunStatus.ELSEWHERE:
            return f"{now.name} is in training in another process"
        if now.status in _AT_REST:
            return (
                f"{now.name} was trained with other images or another classifier: open it again to continue"
            )
        return f"{now.name} is in progress"

    # ------------------------------------------------------------------ ways in

    def show_run(self, folder: str, status: str, subject: Subject | None) -> None:
        """A run from disk; `status` as its RunFolder has it."""
        self._set(Shown(name_of(folder), folder, "", _OF_DISK.get(status, RunStatus.INTERRUPTED), subject))

    def show_pgn(self, path: str, name: str, subject: Subject | None) -> None:
        """A PGN that belongs to no run."""
        self._set(Shown(name or Path(path).stem, "", path, None, subject))

    def begin(self, folder: str, subject: Subject | None) -> None:
        """A run is about to start; `folder` is that of one that goes on."""
        name = name_of(folder) if folder else "New run"
        self._set(Shown(name, folder, "", RunStatus.STARTING, subject))

    def clear(self) -> None:
        self._set(Shown())

    # ------------------------------------------------------------------ what becomes of it

    @Slot(object)
    def follow_start(self, event: RunStarted) -> None:
        self._set(replace(self.now, name=name_of(event.run_folder), folder=event.run_folder))

    @Slot(object)
    def follow_training(self, state: RunState) -> None:
        """While a run is in progress; how it ended is told by its last event."""
        if state in _OF_TRAINING:
            self._set(replace(self.now, status=_OF_TRAINING[state]))

    @Slot(object)
    def follow_end(self, event: RunFinished | RunFailed) -> None:
        """A run that failed before it had a folder leaves one that was to go on as it was."""
        folder = event.run_folder or self.now.folder
        name = name_of(folder) if folder else self.now.name
        status = RunStatus.FAILED if isinstance(event, RunFailed) else _OF_DISK[event.reason]
        self._set(replace(self.now, name=name, folder=folder, status=status))

    def reread(self) -> None:
        """Its name and status, where it lies on disk and this window does not train it."""
        if not self.now.folder or self.now.status not in (*_AT_REST, RunStatus.ELSEWHERE):
            return
        try:
            status = RunFolder.open(Path(self.now.folder)).status
        except RunError:  # gone or damaged: whoever goes on with it is told so
            return
        known = _OF_DISK.get(status, RunStatus.INTERRUPTED)
        self._set(replace(self.now, name=name_of(self.now.folder), status=known))

    @Slot(Qt.ApplicationState)
    def _application_state_changed(self, state: Qt.ApplicationState) -> None:
        """Somebody may have trained it in a terminal meanwhile."""
        if state is Qt.ApplicationState.ApplicationActive:
            self.reread()

    def _set(self, shown: Shown) -> None:
        if shown == self.now:
            return
        self.now = shown
        self.changed.emit()
        self.title_changed.emit(f"{shown.headline} – {APPLICATION}" if shown.headline else APPLICATION)
        if shown.headline:
            self.headline_changed.emit(shown.headline)


def name_of(folder: str) -> str:
    """The one that somebody gave the run, else its folder's."""
    try:
        return read_annotations(Path(folder)).name or Path(folder).name
    except PgnStudioError:
        return Path(folder).name
