"""Ties the Runs page to the rest: opening, comparing, and knowing what is being trained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from pgn_studio.core.errors import RunError
from pgn_studio.core.run_records import RunRecord
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.events import RunStarted
from pgn_studio.gui.operations import run_in_background
from pgn_studio.gui.runs.page import RunsPage
from pgn_studio.gui.training.session import RunState

if TYPE_CHECKING:
    from pgn_studio.gui.studio import Studio

Loaded = list[tuple[RunRecord, list[dict[str, Any]]]]


class RunsDesk(QObject):
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
        shown = [self._studio.training.compare(item.name, str(item.path), lines) for item, lines in loaded]
        if not all(shown):
            self._studio.message.emit(f"{sum(shown)} runs are compared: no more can be told apart.")
        self._studio.training_shown.emit()

    def _failed(self, error: Exception) -> None:
        self._studio.show_problem("The runs cannot be compared", error)

    @Slot(object)
    def _run_started(self, event: RunStarted) -> None:
        self.page.active_folder = event.run_folder

    @Slot(object)
    def _state_changed(self, state: RunState) -> None:
        if state is RunState.IDLE:
            self.page.active_folder = ""
            if self.page.isVisible():
                self.page.refresh()


def _read_metrics(records: Sequence[RunRecord], progress: Any) -> Loaded:
    loaded: Loaded = []
    for done, record in enumerate(records):
        progress(done, len(records))
        lines = RunFolder.open(record.path).read_metrics()
        if not any(line.get("event") == "StepCompleted" for line in lines):
            raise RunError(f"{record.name} has no curves yet.", hint="Choose runs that have made a step.")
        loaded.append((record, lines))
    return loaded
