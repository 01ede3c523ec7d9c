"""Training a classifier beside everything else: one dialog, never in the way, whose result is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.gui.classifier.training_strip import TrainingStrip
from pgn_studio.gui.dialogs.train_classifier import TrainClassifierDialog

if TYPE_CHECKING:
    from pgn_studio.gui.studio import Studio


KEPT_APART = " The run goes on with its own classifier; the new one is in File, Recent."


class ClassifierTraining(QObject):
    """What is trained is loaded when it is there, unless a PGN is being trained: that keeps its own."""

    ended = Signal()  # nothing is being trained any more

    def __init__(self, studio: Studio, window: QWidget) -> None:
        super().__init__(studio)
        self._studio = studio
        self._window = window
        self.dialog: TrainClassifierDialog | None = None
        self._apart = False  # a run is under way, which has its own
        self.strip = TrainingStrip(window)
        self.strip.show_wanted.connect(self.open)
        self.strip.stop_wanted.connect(self.stop_and_keep)

    @property
    def active(self) -> bool:
        return self.dialog is not None and self.dialog.training

    @Slot()
    def open(self) -> None:
        """The dialog, or the one that is there already."""
        workspace = self._studio.workspace
        if self.active and self.dialog is not None:
            self._show(self.dialog)
            return
        if workspace.dataset is None:
            error = PgnStudioError("There are no images to train on.", hint="Load a data set first.")
            self._studio.show_problem("Train a classifier", error)
            return
        if self.dialog is not None:
            self.dialog.close()
        self.dialog = TrainClassifierDialog(
            self._studio.answered(workspace.dataset), workspace.data_settings, self._window
        )
        self.dialog.trained.connect(self._trained)
        self.dialog.put_aside.connect(self._say_where)
        self.dialog.progressed.connect(self.strip.show_progress)
        self.dialog.ended.connect(self._end)
        self.dialog.finished.connect(self._closed)
        self._show(self.dialog)

    def stop_and_keep(self) -> None:
        """`ended` follows when it is saved."""
        if self.dialog is not None:
            self.dialog.stop()

    def _show(self, dialog: TrainClassifierDialog) -> None:
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    @Slot()
    def _closed(self) -> None:
        if self.dialog is not None:
            self.dialog.deleteLater()
            self.dialog = None

    @Slot()
    def _say_where(self) -> None:
        self._studio.message.emit(
            "The classifier is trained further: the Classifier page shows how far it is, and Run, Train a "
            "classifier… brings its dialog back."
        )

    @Slot(str)
    def _end(self, outcome: str) -> None:
        """Whatever was said of it while it was trained is past."""
        self.strip.hide()
        self._studio.message.emit(outcome + (KEPT_APART if self._apart else ""))
        self._apart = False
        self.ended.emit()

    @Slot(str)
    def _trained(self, path: str) -> None:
        if self._studio.closing:
            return
        if self._studio.session.active:
            self._studio.classifiers.remember(ClassifierSource(path))
            self._apart = True
        else:
            self._studio.workspace.load_classifier(ClassifierSource(path))
