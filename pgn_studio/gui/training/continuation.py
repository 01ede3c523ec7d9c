"""Going on with a run: where it was stopped, with more epochs, or after its process died."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.run_records import RunSummary, list_runs
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.gui.dialogs.more_epochs import MoreEpochsDialog
from pgn_studio.gui.operations import run_in_background
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.training.reopening import ReopenedRun
from pgn_studio.gui.training.worker import TrainingJob
from pgn_studio.gui.widgets.interrupted_offer import InterruptedOffer

if TYPE_CHECKING:
    from pgn_studio.gui.studio import Studio

log = logging.getLogger(__name__)


class Continuation(QObject):
    """Of the run that is shown; offers an interrupted one at the start."""

    def __init__(self, studio: Studio, state: Preferences, window: QWidget) -> None:
        super().__init__(studio)
        self._studio = studio
        self._state = state
        self._window = window
        self._wanted = ""  # the run that shall go on once it is open
        self.dialog: MoreEpochsDialog | None = None
        self._asked_for = ""  # the run that the dialog is about
        self.offer = InterruptedOffer(window)
        self.offer.continue_wanted.connect(self._continue_offered)
        self.offer.show_wanted.connect(self._show_offered)
        self.offer.declined.connect(self._decline)
        studio.workspace.run_reopened.connect(self._reopened)
        studio.workspace.failed.connect(self._give_up)
        studio.shown.changed.connect(self._withdraw)
        studio.shown.changed.connect(self._close_dialog)

    # ------------------------------------------------------------------ the run that is open

    @Slot()
    def ask(self) -> None:
        """Go on; a run that has done its epochs asks how many more, unless the set-up says so."""
        studio = self._studio
        if studio.session.active or not self._possible() or studio.workspace.problem():
            return
        if studio.workspace.loading:  # another run, perhaps
            studio.refused.emit("Still loading: continue once it is there.")
            return
        try:
            done = self._epochs_done()
        except PgnStudioError as error:
            studio.show_problem("The run cannot be continued", error)
            return
        if done is None or self._wished_epochs() > done:
            self.go_on()
            return
        self.dialog, self._asked_for = MoreEpochsDialog(done, self._window), studio.shown.folder
        self.dialog.chosen.connect(self._go_on_with_more)
        self.dialog.finished.connect(self._dialog_closed)
        self.dialog.open()

    @Slot(int)
    def _go_on_with_more(self, epochs: int) -> None:
        """What was asked for one run is nothing to do with another."""
        if self._asked_for == self._studio.shown.folder and not self._studio.workspace.loading:
            self.go_on(epochs)

    @Slot()
    def _close_dialog(self) -> None:
        """It counts the epochs of a run that is shown no longer, or cannot go on now."""
        same = self._asked_for == self._studio.shown.folder and self._possible()
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
        return done is not None and self._wished_epochs() <= done

    def _epochs_done(self) -> int | None:
        """Of a run that has done all of its epochs. Raises PgnStudioError."""
        from pgn_studio.core.runs import RunFolder

        run = RunFolder.open(Path(self._studio.shown.folder))
        return (run.settings.epochs or 0) if run.run_json.get("status") == "completed" else None

    @Slot(int)
    def go_on(self, epochs: int = 0) -> None:
        """Up to `epochs`, or to what the run or the set-up says if that is more."""
        studio = self._studio
        dataset, classifier = studio.workspace.dataset, studio.workspace.classifier
        if studio.session.active or not self._possible() or dataset is None or classifier is None:
            return
        from pgn_studio.core.runs import RunFolder

        try:
            run = RunFolder.open(Path(studio.shown.folder))
            run.check_free()
            run.check_classifier(classifier.info.sha256)
            settings, history = run.settings, run.read_metrics()
            wished = max(settings.epochs or 0, self._wished_epochs(), epochs) or None
            run.check_unfinished(wished)
            settings = settings.updated(epochs=wished)
        except PgnStudioError as error:
            studio.shown.reread()  # another process may have it by now
            studio.show_problem("The run cannot be continued", error)
            return
        self._show_settings(going_on(settings.model_dump(mode="json"), history))
        control = TrainingControl(
            gamma=studio.setup.gamma.shown, gammas=settings.gammas, samples=studio.training.samples.choice
        )
        studio.begin(TrainingJob(settings, dataset, classifier, control, resume=str(run.path)), history)

    def _show_settings(self, settings: dict[str, Any]) -> None:
        """The set-up shows what is trained; what it showed before is a step of undo."""
        name = self._studio.shown.now.name
        self._studio.borrowed.bring(settings, dataset=str(settings["dataset"]), name=name)

    def _possible(self) -> bool:
        return self._studio.shown.continuable(self._studio.workspace.subject)

    def _wished_epochs(self) -> int:
        return int(self._studio.setup.main.values()["epochs"] or 0)

    # ------------------------------------------------------------------ the one that was interrupted

    def look_for_interrupted(self) -> None:
        """In the background: the newest run whose process died, unless it was declined."""
        declined = self._state.declined_runs
        run_in_background(self, partial(_newest_interrupted, declined), self._found, self._not_found)

    def _found(self, run: RunSummary | None) -> None:
        if run is not None and not self._studio.session.active:
            self.offer.show_run(run)
            self._withdraw()

    @Slot()
    def _withdraw(self) -> None:
        """The run that is shown needs no offer: Continue goes on with it."""
        if self.offer.run is not None and str(self.offer.run.path) == self._studio.shown.folder:
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
        if run is None or self._studio.session.active:
            return
        self._wanted = str(run.path) if go_on else ""
        if go_on:
            self._studio.workspace.reopen_run(run.path)
        else:
            self._studio.open_path(run.path)

    @Slot()
    def _decline(self) -> None:
        if self.offer.run is not None:
            self._state.decline_run(key_of(self.offer.run))
        self.offer.hide()

    @Slot(object)
    def _reopened(self, run: ReopenedRun) -> None:
        studio = self._studio
        studio.training.replay(run.history, run.settings.gammas)
        studio.shown.show_run(run.folder, run.status, studio.workspace.subject)
        self._show_settings(going_on(run.settings.model_dump(mode="json"), run.history))
        studio.training.show_gamma(studio.setup.gamma.shown)
        studio.training_shown.emit()
        wanted, self._wanted = self._wanted, ""
        if wanted == run.folder:
            self.go_on()

    @Slot()
    def _give_up(self) -> None:
        self._wanted = ""


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
