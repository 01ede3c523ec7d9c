"""Closing the window: what is being trained is stopped and kept first."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QWidget

from pgn_studio.gui.dialogs.questions import ClosingDialog
from pgn_studio.gui.pages.classifier.training import ClassifierTraining
from pgn_studio.gui.reporter import Reporter
from pgn_studio.gui.training.controller import TrainingController


class Closing(QObject):
    """Asks about a run; a classifier is kept without asking."""

    decided = Signal()  # the window is to close: whatever ends now opens nothing

    def __init__(
        self,
        training: TrainingController,
        classifier_training: ClassifierTraining,
        reporter: Reporter,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._training, self._classifier_training = training, classifier_training
        self._reporter, self._window = reporter, window
        self.dialog: ClosingDialog | None = None
        self._decided = False
        self._waits_for_classifier = False
        training.bridge.finished.connect(self._run_ended)
        training.bridge.failed.connect(self._run_ended)

    def may_close(self) -> bool:
        """Whether nothing is being trained; else it is asked about, or stopped and kept."""
        if self._training.active:
            self._ask()
            return False
        if self._classifier_training.active:
            self._keep_the_classifier()
            return False
        return True

    def _decide(self, message: str) -> None:
        self._decided = True
        self.decided.emit()
        self._reporter.say(message)

    def _keep_the_classifier(self) -> None:
        """It is what somebody has waited for."""
        if not self._waits_for_classifier:
            self._waits_for_classifier = True
            self._decide("Saving the classifier in training, then closing …")
            self._classifier_training.ended.connect(self._window.close, Qt.ConnectionType.QueuedConnection)
            self._classifier_training.stop_and_keep()

    def _ask(self) -> None:
        if self._decided or self.dialog is not None:
            return
        self.dialog = ClosingDialog(self._window)
        self.dialog.finished.connect(self._answered)
        self.dialog.open()

    @Slot()
    def _answered(self) -> None:
        dialog, self.dialog = self.dialog, None
        if dialog is None:
            return
        stop = dialog.clickedButton() is dialog.stop_button
        dialog.deleteLater()
        if not stop:
            return
        self._decide("Stopping at the next step, then closing …")
        self._training.stop()
        if not self._training.active:  # it ended while the question stood
            self._window.close()

    @Slot()
    def _run_ended(self) -> None:
        if self._decided:
            self._window.close()
        elif self.dialog is not None:
            self.dialog.reject()  # nothing is under way: there is nothing to ask
