"""Ties the Runs page to the rest: opening, comparing, and knowing what is being trained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from pgn_studio.core.data import DATASETS
from pgn_studio.core.errors import RunError
from pgn_studio.core.run_records import RunRecord
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.events import RunStarted
from pgn_studio.gui.operations import run_in_background
from pgn_studio.gui.pages.runs.page import RunsPage
from pgn_studio.gui.pages.train.page import TrainPage
from pgn_studio.gui.project import MeasuredPgn, Project, ReopenedRun
from pgn_studio.gui.reporter import Reporter
from pgn_studio.gui.training.controller import RunState, TrainingController
from pgn_studio.gui.training.shown_run import ShownRun

Loaded = list[tuple[RunRecord, list[dict[str, Any]]]]


class RunsController(QObject):
    open_requested = Signal(object)  # Path of a run folder
    train_page_requested = Signal()

    def __init__(
        self,
        project: Project,
        training: TrainingController,
        shown: ShownRun,
        train_page: TrainPage,
        reporter: Reporter,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._project, self._shown, self._train_page = project, shown, train_page
        self._reporter = reporter
        self.page = RunsPage(parent)
        self.page.open_requested.connect(self.open_requested)
        self.page.compare_requested.connect(self._compare)
        self.page.failed.connect(reporter.show_problem)
        self.page.annotated.connect(shown.reread)
        self.page.deleted.connect(self._deleted)
        training.bridge.started.connect(self._run_started)
        training.state_changed.connect(self._state_changed)
        project.pgn_opened.connect(self._run_shown)
        project.run_reopened.connect(self._reopened)
        project.dataset_changed.connect(self._dataset_changed)

    @Slot(list)
    def _deleted(self, paths: list[Path]) -> None:
        if self._shown.folder in map(str, paths):
            self._train_page.replay(())
            self._shown.clear()

    @Slot(list)
    def _compare(self, records: list[RunRecord]) -> None:
        run_in_background(self, partial(_read_metrics, records), self._show_compared, self._failed)

    def _show_compared(self, loaded: Loaded) -> None:
        left_out = []
        for record, lines in loaded:
            reason = self._in_the_way(record)
            if not reason and not self._train_page.compare(
                record.name, str(record.path), lines, _dataset_of(record)
            ):
                reason = "too many runs are drawn"
            if reason:
                left_out.append(f"{record.name} is not drawn for comparison: {reason}.")
        if left_out:
            self._reporter.say(" ".join(left_out))
        self.train_page_requested.emit()

    def _in_the_way(self, record: RunRecord) -> str:
        """Why a run cannot be compared with the one that is shown."""
        if str(record.path) in (self.page.active_folder, self._shown.folder):
            return "it is the shown run"
        if self._project.dataset is not None and not self._is_loaded(_dataset_of(record)):
            return "it uses another data set"
        return ""

    def _is_loaded(self, dataset: str) -> bool:
        return _place(dataset) == _place(self._project.data_settings.dataset)

    @Slot(object)
    def _run_shown(self, opened: MeasuredPgn) -> None:
        self._train_page.stop_comparing(opened.run_folder)

    @Slot(object)
    def _reopened(self, run: ReopenedRun) -> None:
        self._train_page.stop_comparing(run.folder)

    @Slot()
    def _dataset_changed(self) -> None:
        """Curves on other images are no comparison."""
        for run in self._train_page.compared:
            if not self._is_loaded(run.dataset):
                self._train_page.stop_comparing(run.folder)

    def _failed(self, error: Exception) -> None:
        self._reporter.show_problem("The runs cannot be compared", error)

    @Slot(object)
    def _run_started(self, event: RunStarted) -> None:
        self.page.active_folder = event.run_folder
        self._train_page.stop_comparing(event.run_folder)

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
            raise RunError(f"{record.name} has no curves yet.", hint="Choose runs with at least one step.")
        loaded.append((record, lines))
    return loaded
