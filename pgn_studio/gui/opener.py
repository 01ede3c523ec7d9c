"""Opening whatever is dropped, chosen in a dialog or among the recent ones."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.paths import runs_folder
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.gui.dialogs.open_classifier import ask_for_black_box, ask_whose_weights
from pgn_studio.gui.opening import Kind, kind_of
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.project import Project
from pgn_studio.gui.reporter import Reporter
from pgn_studio.gui.training.controller import TrainingController

CLASSIFIER_FILES = "Classifiers (*.safetensors *.pth *.pt2 *.pt *.onnx);;All files (*)"
PGN_FILES = "PGNs (*.safetensors);;All files (*)"


class FileOpener(QObject):
    """What a classifier's file does not say itself is asked once, and remembered."""

    dataset_requested = Signal(str)  # a folder: the set-up says how it is read
    image_requested = Signal(object)  # Path of an image that belongs to no data set

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
        project.known = preferences.sources

    def is_free(self) -> bool:
        """Whether things may be loaded now; says so when not."""
        if self._training.active:
            self._reporter.refuse("A run is in progress: stop it before loading something else.")
        return not self._training.active

    @Slot(object)
    def open_path(self, path: Path) -> None:
        if not self.is_free():
            return
        try:
            kind = kind_of(path)
        except PgnStudioError as error:
            self._reporter.show_problem("This cannot be opened", error)
            return
        if kind is Kind.DATASET:
            self.dataset_requested.emit(str(path))
        elif kind in (Kind.RUN, Kind.PGN):
            (self._project.open_run if kind is Kind.RUN else self._project.open_pgn)(path)
            self._preferences.add_recent("pgns", path)
        elif kind is Kind.IMAGE:
            self.image_requested.emit(path)
        elif kind is Kind.WEIGHTS:
            known = self._preferences.sources().get(str(path.absolute()))
            ask_whose_weights(path, self._project, known, self._window)
        else:  # a program knows its size
            self._project.load_classifier(ClassifierSource(str(path)))

    def open_recent(self, path: str) -> None:
        """A classifier as it was opened last; anything else as if it were dropped."""
        if not self.is_free():
            return
        known = self._preferences.sources().get(path)
        if known is None:
            self.open_path(Path(path))
        else:
            self._project.load_classifier(known)

    @Slot()
    def open_demo(self) -> None:
        self._project.open_demo()

    @Slot()
    def choose_dataset(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._window, "Open a folder of images")
        if folder:
            self.open_path(Path(folder))

    @Slot()
    def choose_classifier(self) -> None:
        self._choose_file("Open a classifier", CLASSIFIER_FILES)

    @Slot()
    def choose_black_box(self) -> None:
        if self.is_free():
            ask_for_black_box(self._window, self._project)

    @Slot()
    def choose_pgn(self) -> None:
        self._choose_file("Open a PGN", PGN_FILES)

    @Slot()
    def choose_run(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._window, "Open a run folder", str(runs_folder()))
        if folder:
            self.open_path(Path(folder))

    def _choose_file(self, title: str, kinds: str) -> None:
        name, _ = QFileDialog.getOpenFileName(self._window, title, "", kinds)
        if name:
            self.open_path(Path(name))
