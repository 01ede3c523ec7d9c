"""Going on with a run: where it was stopped, with more epochs, or after its process died."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.run_records import RunSummary, list_runs
from pgn_studio.gui.dialogs.questions import MoreEpochsDialog
from pgn_studio.gui.operations import run_in_background
from pgn_studio.gui.pages.train.run_header import InterruptedOffer
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.project import Project
from pgn_studio.gui.reporter import Reporter
from pgn_studio.gui.training.controller import TrainingController
from pgn_studio.gui.training.shown_run import ShownRun

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ContinuedRun:
    """A run that goes on now, with the images and the classifier that are loaded."""

    folder: str
    settings: TrainingSettings  # with the epochs that it shall have done in the end
    history: Sequence[dict[str, Any]]  # metrics.jsonl


class Continuation(QObject):
    """Of the run that is shown; offers an interrupted one at the start."""

    continued = Signal(object)  # ContinuedRun
    open_requested = Signal(object)  # Path of an interrupted run that is only to be looked at

    def __init__(
        self,
        project: Project,
        training: TrainingController,
        shown: ShownRun,
        reporter: Reporter,
        preferences: Preferences,
        window: QWidget,
        *,
        epochs_set: Callable[[], int],
    ) -> None:
        """`epochs_set`: as the set-up has them; 0 where it has none."""
        super().__init__(window)
        self._project, self._training, self._shown = project, training, shown
        self._reporter, self._preferences, self._window = reporter, preferences, window
        self._epochs_set = epochs_set
        self._awaited = ""  # the run that shall go on once it is open
        self.dialog: MoreEpochsDialog | None = None
        self._asked_for = ""  # the run that the dialog is about
        self.offer = InterruptedOffer(window)
        self.offer.continue_requested.connect(self._continue_offered)
        self.offer.show_requested.connect(self._show_offered)
        self.offer.declined.connect(self._decline)
        project.failed.connect(self._give_up)
        shown.changed.connect(self._withdraw)
        shown.changed.connect(self._close_dialog)

    # ------------------------------------------------------------------ the run that is open

    @Slot()
    def ask(self) -> None:
        """Go on; a run that has done its epochs asks how many more, unless the set-up says so."""
        if self._training.active or not self._possible() or self._project.problem():
            return
        if self._project.loading:  # another run, perhaps
            self._reporter.refuse("Still loading: continue afterwards.")
            return
        try:
            done = self._epochs_done()
        except PgnStudioError as error:
            self._reporter.show_problem("The run cannot be continued", error)
            return
        if done is None or self._epochs_set() > done:
            self.go_on()
            return
        self.dialog, self._asked_for = MoreEpochsDialog(done, self._window), self._shown.folder
        self.dialog.chosen.connect(self._go_on_with_more)
        self.dialog.finished.connect(self._dialog_closed)
        self.dialog.open()

    @Slot(int)
    def _go_on_with_more(self, epochs: int) -> None:
        """What was asked for one run is nothing to do with another."""
        if self._asked_for == self._shown.folder and not self._project.loading:
            self.go_on(epochs)

    @Slot()
    def _close_dialog(self) -> None:
        """It counts the epochs of a run that is shown no longer, or cannot go on now."""
        same = self._asked_for == self._shown.folder and self._possible()
        if self.dialog is not None and self.dialog.isVisible() and not same:
            self.dialog.reject()

    @Slot()
    def _dialog_closed(self) -> None:
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.deleteLater()

    @property
    def asks(self) -> bool:
        """Whether `ask` opens a dialog."""
        if not self._possible():
            return False
        try:
            done = self._epochs_done()
        except PgnStudioError:  # told when it is tried
            return False
        return done is not None and self._epochs_set() <= done

    def _epochs_done(self) -> int | None:
        """Of a run that has done all of its epochs. Raises PgnStudioError."""
        from pgn_studio.core.runs import RunFolder

        run = RunFolder.open(Path(self._shown.folder))
        return (run.settings.epochs or 0) if run.run_json.get("status") == "completed" else None

    @Slot(int)
    def go_on(self, epochs: int = 0) -> None:
        """Up to `epochs`, or to what the run or the set-up says if that is more."""
        classifier = self._project.classifier
        if self._training.active or not self._possible() or classifier is None:
            return
        from pgn_studio.core.runs import RunFolder

        try:
            run = RunFolder.open(Path(self._shown.folder))
            run.check_free()
            run.check_classifier(classifier.info.sha256)
            settings, history = run.settings, run.read_metrics()
            epochs_in_all = max(settings.epochs or 0, self._epochs_set(), epochs) or None
            run.check_unfinished(epochs_in_all)
            settings = settings.updated(epochs=epochs_in_all)
        except PgnStudioError as error:
            self._shown.reread()  # another process may have it by now
            self._reporter.show_problem("The run cannot be continued", error)
            return
        self.continued.emit(ContinuedRun(str(run.path), settings, history))

    def _possible(self) -> bool:
        return self._shown.continuable(self._project.subject)

    # ------------------------------------------------------------------ the one that was interrupted

    def look_for_interrupted(self) -> None:
        """In the background: the newest run whose process died, unless it was declined."""
        declined = self._preferences.declined_runs
        run_in_background(self, partial(_newest_interrupted, declined), self._found, self._not_found)

    def _found(self, run: RunSummary | None) -> None:
        if run is not None and not self._training.active:
            self.offer.show_run(run)
            self._withdraw()

    @Slot()
    def _withdraw(self) -> None:
        """The run that is shown needs no offer: Continue goes on with it."""
        if self.offer.run is not None and str(self.offer.run.path) == self._shown.folder:
            self.offer.hide()

    def _not_found(self, error: Exception) -> None:
        log.warning("The runs could not be looked through: %s", error)  # no reason to disturb anybody

    @Slot()
    def _continue_offered(self) -> None:
        self._open_offered(go_on=True)

    @Slot()
    def _show_offered(self) -> None:
        self._open_offered(go_on=False)

    def _open_offered(self, *, go_on: bool) -> None:
        run = self.offer.run
        self.offer.hide()
        if run is None or self._training.active:
            return
        self._awaited = str(run.path) if go_on else ""
        if go_on:
            self._project.reopen_run(run.path)
        else:
            self.open_requested.emit(run.path)

    @Slot()
    def _decline(self) -> None:
        if self.offer.run is not None:
            self._preferences.decline_run(key_of(self.offer.run))
        self.offer.hide()

    def run_opened(self, folder: str) -> None:
        """It is shown: go on with it where that was asked for."""
        awaited, self._awaited = self._awaited, ""
        if awaited == folder:
            self.go_on()

    @Slot()
    def _give_up(self) -> None:
        self._awaited = ""


def going_on(settings: Mapping[str, Any], history: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The settings with which a run goes on: one γ is the one that it used last, a range stays."""
    gamma = settings["gamma"]
    return {**settings, "gamma": last_gamma(history, gamma) if isinstance(gamma, (int, float)) else gamma}


def last_gamma(history: Sequence[dict[str, Any]], first: float) -> float:
    used = (line.get("gamma") for line in reversed(history) if line.get("event") == "StepCompleted")
    return next((gamma for gamma in used if isinstance(gamma, int | float)), first)


def key_of(run: RunSummary) -> str:
    """Folder and time of making: another run may come to lie in the same place."""
    return f"{run.path}|{run.created.isoformat()}"


def _newest_interrupted(declined: Sequence[str], _progress: Any) -> RunSummary | None:
    for run in list_runs():
        if run.status == "interrupted" and key_of(run) not in declined:
            return run
    return None
