"""Ties the Classifier page to the rest: what is loaded, what is measured of it, where clicks lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QUndoCommand
from PySide6.QtWidgets import QWidget

from pgn_studio.core.evaluation.selection import Selection
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.gui.pages.classifier.page import ClassifierPage
from pgn_studio.gui.pages.inspect.page import InspectPage
from pgn_studio.gui.pages.setup.undo import SettingsUndo
from pgn_studio.gui.project import Project
from pgn_studio.gui.reporter import Reporter
from pgn_studio.gui.training.controller import TrainingController

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Normalization
    from pgn_studio.core.evaluation.classifier_accuracy import ClassifiedSplit


class NormalizationStep(QUndoCommand):
    """The classifier loaded with another normalization; undo loads it with the one that it had."""

    def __init__(
        self, project: Project, reporter: Reporter, before: ClassifierSource, after: ClassifierSource
    ) -> None:
        super().__init__("Use this normalization")
        self._project, self._reporter, self._before, self._after = project, reporter, before, after

    def redo(self) -> None:
        self._load(self._before, self._after)

    def undo(self) -> None:
        self._load(self._after, self._before)

    def _load(self, old: ClassifierSource, new: ClassifierSource) -> None:
        if self._project.source == old:
            self._project.load_classifier(new)
        else:
            self._reporter.say("Another classifier is loaded: its normalization stays.")


class ClassifierController(QObject):
    inspect_requested = Signal()

    def __init__(
        self,
        project: Project,
        training: TrainingController,
        inspect_page: InspectPage,
        undo: SettingsUndo,
        reporter: Reporter,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._project, self._training, self._inspect_page = project, training, inspect_page
        self._undo, self._reporter = undo, reporter
        self.page = ClassifierPage(parent)
        project.dataset_changed.connect(self._follow)
        project.classifier_changed.connect(self._follow)
        project.split_classified.connect(self.page.measuring.take)
        self.page.measuring.measured.connect(self._tell)
        self.page.measuring.failed.connect(reporter.show_problem)
        self.page.use_requested.connect(self._use)
        self.page.images_requested.connect(self._show_images)

    @Slot()
    def _follow(self) -> None:
        """Another classifier or other images: nothing that was measured holds any longer."""
        project = self._project
        told = project.source.normalization_given
        problem = project.problem() if project.dataset and project.classifier else ""
        self.page.show_subject(
            project.classifier, project.dataset, project.chosen_device, told=told, problem=problem
        )

    @Slot(object)
    def _tell(self, found: ClassifiedSplit) -> None:
        """The set-up shows the accuracy on test, of a black box once it was asked."""
        if found.split_name == "test":
            self._project.accuracy_measured.emit(found.accuracy.value, found.title)

    @Slot(object)
    def _use(self, normalization: Normalization) -> None:
        if self._training.active:
            self._reporter.refuse("A run is in progress: stop it before reloading the classifier.")
            return
        source = self._project.source
        step = NormalizationStep(self._project, self._reporter, source, source.normalized(normalization))
        self._undo.push(step)  # which does it

    @Slot(object)
    def _show_images(self, selection: Selection) -> None:
        project, page = self._project, self._inspect_page
        if page.is_about(project.classifier, project.dataset, self.page.chosen):
            page.browser.show_images(selection)
            self.inspect_requested.emit()
        else:
            self._reporter.say(
                f"Inspect shows no PGN of this classifier on {self.page.chosen}: open or train one to see "
                "these images."
            )
