"""Training a classifier beside everything else: one dialog, and a strip while that is put aside."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.gui.dialogs.train_classifier import TrainClassifierDialog
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.project import Project
from pgn_studio.gui.reporter import Reporter
from pgn_studio.gui.training.controller import TrainingController


class TrainingStrip(QFrame):
    """Hidden while none is trained."""

    show_requested = Signal()
    stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("classifier_training_strip")
        self.setProperty("card", True)
        self.told = QLabel(self)
        self.told.setObjectName("classifier_training_told")
        self.bar = QProgressBar(self)
        self.bar.setObjectName("classifier_training_progress")
        self.bar.setAccessibleName("Progress of the classifier's training")
        self.bar.setTextVisible(False)
        show = QPushButton("Show", self)
        show.setObjectName("show_classifier_training")
        show.setToolTip("Bring the dialog back")
        show.clicked.connect(self.show_requested)
        self.stop = QPushButton("Stop and keep", self)
        self.stop.setObjectName("stop_classifier_training")
        self.stop.setToolTip("Stop at the next step and load the result")
        self.stop.clicked.connect(self.stop_requested)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 4, 6, 4)
        layout.addWidget(self.told, 1)
        layout.addWidget(self.bar, 1)
        layout.addWidget(show)
        layout.addWidget(self.stop)
        self.hide()

    @Slot(int, int, str)
    def show_progress(self, done: int, total: int, text: str) -> None:
        """`total` 0: unknown."""
        self.told.setText(f"Training a classifier. {text}")
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.show()


KEPT_APART = " The run continues with its own classifier. The new one is in File, Recent."


class ClassifierTraining(QObject):
    """What is trained is loaded when it is there, unless a PGN is being trained: that keeps its own."""

    ended = Signal()  # nothing is being trained any more

    def __init__(
        self,
        project: Project,
        training: TrainingController,
        reporter: Reporter,
        preferences: Preferences,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._project, self._training, self._reporter = project, training, reporter
        self._preferences, self._window = preferences, window
        self._loads = True  # what is trained, once it is there
        self.dialog: TrainClassifierDialog | None = None
        self._apart = False  # a run is under way, which has its own
        self.strip = TrainingStrip(window)
        self.strip.show_requested.connect(self.open)
        self.strip.stop_requested.connect(self.stop_and_keep)

    @property
    def active(self) -> bool:
        return self.dialog is not None and self.dialog.training

    @Slot()
    def open(self) -> None:
        """The dialog, or the one that is there already."""
        project = self._project
        if self.active and self.dialog is not None:
            self._show(self.dialog)
            return
        if project.dataset is None:
            error = PgnStudioError("There are no images to train on.", hint="Load a data set first.")
            self._reporter.show_problem("Train a classifier", error)
            return
        if self.dialog is not None:
            self.dialog.close()
        self.dialog = TrainClassifierDialog(
            self._preferences.answered(project.dataset), project.data_settings, self._window
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

    @Slot()
    def expect_closing(self) -> None:
        """The window is to close: what is trained is kept, and not loaded."""
        self._loads = False

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
        self._reporter.say(
            "The classifier is still training. The Classifier page shows the progress; Run, Train a "
            "classifier… brings the dialog back."
        )

    @Slot(str)
    def _end(self, outcome: str) -> None:
        """Whatever was said of it while it was trained is past."""
        self.strip.hide()
        self._reporter.say(outcome + (KEPT_APART if self._apart else ""))
        self._apart = False
        self.ended.emit()

    @Slot(str)
    def _trained(self, path: str) -> None:
        if not self._loads:
            return
        if self._training.active:
            self._preferences.remember_source(ClassifierSource(path))
            self._apart = True
        else:
            self._project.load_classifier(ClassifierSource(path))
