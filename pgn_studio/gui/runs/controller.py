"""Ties the Runs page to the rest: opening, comparing, and knowing what is being trained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from pgn_studio.core.data import DATASETS
from pgn_studio.core.errors import RunError
from pgn_studio.core.run_records import RunRecord
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.events import RunStarted
from pgn_studio.gui.operations import run_in_background
from pgn_studio.gui.runs.page import RunsPage
from pgn_studio.gui.training.controller import RunState

if TYPE_CHECKING:
    from pgn_studio.gui.studio import Studio
    from pgn_studio.gui.training.reopening import ReopenedRun
    from pgn_studio.gui.workspace import MeasuredPgn

Loaded = list[tuple[RunRecord, list[dict[str, Any]]]]


class RunsController(QObject):
    def __init__(self, studio: Studio, parent: QWidget) -> None:
        super().__init__(parent)
        self._studio = studio
        self.page = RunsPage(parent)
        self.page.open_wanted.connect(self._open)
        self.page.compare_wanted.connect(self._compare)
        self.page.failed.connect(studio.show_problem)
        self.page.annotated.connect(studio.shown.reread)
        self.page.deleted.connect(self._deleted)
        studio.session.bridge.started.connect(self._run_started)
        studio.session.state_changed.connect(self._state_changed)
        studio.workspace.pgn_opened.connect(self._run_shown)
        studio.workspace.run_reopened.connect(self._reopened)
        studio.workspace.dataset_changed.connect(self._dataset_changed)

    @Slot(object)
    def _open(self, path: Path) -> None:
        self._studio.open_path(path)

    @Slot(list)
    def _deleted(self, paths: list[Path]) -> None:
        if self._studio.shown.folder in map(str, paths):
            self._studio.training.replay(())
            self._studio.shown.clear()

    @Slot(list)
    def _compare(self, records: list[RunRecord]) -> None:
        run_in_background(self, partial(_read_metrics, records), self._show_compared, self._failed)

    def _show_compared(self, loaded: Loaded) -> None:
        training, left_out = self._studio.training, []
        for record, lines in loaded:
            reason = self._in_the_way(record)
            if not reason and not training.compare(record.name, str(record.path), lines, _dataset_of(record)):
                reason = "no more can be told apart"
            if reason:
                left_out.append(f"{record.name} is not drawn for comparison: {reason}.")
        if left_out:
            self._studio.message.emit(" ".join(left_out))
        self._studio.training_shown.emit()

    def _in_the_way(self, record: RunRecord) -> str:
        """Why a run cannot be compared with the one that is shown."""
        if str(record.path) in (self.page.active_folder, self._studio.shown.folder):
            return "it is the run that is shown"
        if self._studio.workspace.dataset is not None and not self._is_loaded(_dataset_of(record)):
            return "it is of another data set"
        return ""

    def _is_loaded(self, dataset: str) -> bool:
        return _place(dataset) == _place(self._studio.workspace.data_settings.dataset)

    @Slot(object)
    def _run_shown(self, opened: MeasuredPgn) -> None:
        self._studio.training.stop_comparing(opened.run_folder)

    @Slot(object)
    def _reopened(self, run: ReopenedRun) -> None:
        self._studio.training.stop_comparing(run.folder)

    @Slot()
    def _dataset_changed(self) -> None:
        """Curves on other images are no comparison."""
        for run in self._studio.training.compared:
            if not self._is_loaded(run.dataset):
                self._studio.training.stop_comparing(run.folder)

    def _failed(self, error: Exception) -> None:
        self._studio.show_problem("The runs cannot be compared", error)

    @Slot(object)
    def _run_started(self, event: RunStarted) -> None:
        self.page.active_folder = event.run_folder
        self._studio.training.stop_comparing(event.run_folder)

    @Slot(object)
    def _state_changed(self, state: RunState) -> None:
        paused = state is RunState.PAUSED
        changed = paused != bool(self.page.active_status)
        self.page.active_status = "paused" if paused else ""
        if state is RunState.IDLE:
            self.page.active_folder = ""
        if (changed or state is RunState.IDLE) and self.page.isVisible():
            self.page.refresh()


def _dataset_of(record: RunRecord) -> str:
    return str(record.settings.get("dataset", ""))


def _place(dataset: str) -> str:
    """One spelling of a data set's folder; a named one has only its name."""
    return dataset if dataset in DATASETS else str(Path(dataset).expanduser().absolute())


def _read_metrics(records: Sequence[RunRecord], progress: Any) -> Loaded:
    loaded: Loaded = []
    for done, record in enumerate(records):
        progress(done, len(records))
        lines = RunFolder.open(record.path).read_metrics()
        if not any(line.get("event") == "StepCompleted" for line in lines):
            raise RunError(f"{record.name} has no curves yet.", hint="Choose runs that have made a step.")
        loaded.append((record, lines))
    return loaded
