"""Ties the Classifier page to the rest: what is loaded, what is measured of it, where clicks lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QUndoCommand
from PySide6.QtWidgets import QWidget

from pgn_studio.core.evaluation.selection import Selection
from pgn_studio.gui.classifier.page import ClassifierPage

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Normalization
    from pgn_studio.core.evaluation.classifier_accuracy import ClassifiedSplit
    from pgn_studio.core.project.source import ClassifierSource
    from pgn_studio.gui.studio import Studio


class NormalizationStep(QUndoCommand):
    """The classifier loaded with another normalization; undo loads it with the one that it had."""

    def __init__(self, studio: Studio, before: ClassifierSource, after: ClassifierSource) -> None:
        super().__init__("Use this normalization")
        self._studio, self._before, self._after = studio, before, after

    def redo(self) -> None:
        self._load(self._before, self._after)

    def undo(self) -> None:
        self._load(self._after, self._before)

    def _load(self, old: ClassifierSource, new: ClassifierSource) -> None:
        workspace = self._studio.workspace
        if workspace.source == old:
            workspace.load_classifier(new)
        else:
            self._studio.message.emit("Another classifier was loaded since: its normalization stays.")


class ClassifierController(QObject):
    def __init__(self, studio: Studio, parent: QWidget) -> None:
        super().__init__(parent)
        self._studio = studio
        self.page = ClassifierPage(parent)
        self.page.put_above(studio.classifier_training.strip)
        workspace = studio.workspace
        workspace.dataset_changed.connect(self._follow)
        workspace.classifier_changed.connect(self._follow)
        workspace.split_classified.connect(self.page.measuring.take)
        self.page.measuring.measured.connect(self._tell)
        self.page.measuring.failed.connect(studio.show_problem)
        self.page.use_wanted.connect(self._use)
        self.page.wanted.connect(self._show_images)

    @Slot()
    def _follow(self) -> None:
        """Another classifier or other images: nothing that was measured holds any longer."""
        workspace = self._studio.workspace
        told = workspace.source.normalization_given
        problem = workspace.problem() if workspace.dataset and workspace.classifier else ""
        self.page.show_subject(
            workspace.classifier, workspace.dataset, workspace.chosen_device, told=told, problem=problem
        )

    @Slot(object)
    def _tell(self, found: ClassifiedSplit) -> None:
        """The set-up shows the accuracy on test, of a black box once it was asked."""
        if found.split_name == "test":
            self._studio.workspace.accuracy_measured.emit(found.accuracy.value, found.title)

    @Slot(object)
    def _use(self, normalization: Normalization) -> None:
        if self._studio.session.active:
            self._studio.refused.emit("A run is under way: stop it before the classifier is loaded anew.")
            return
        source = self._studio.workspace.source
        step = NormalizationStep(self._studio, source, source.normalized(normalization))
        self._studio.setup.undo.push(step)  # which does it

    @Slot(object)
    def _show_images(self, selection: Selection) -> None:
        workspace, inspection = self._studio.workspace, self._studio.inspection
        if inspection.is_about(workspace.classifier, workspace.dataset, self.page.chosen):
            inspection.browser.show_images(selection)
            self._studio.inspect_shown.emit()
        else:
            self._studio.message.emit(
                f"Inspect shows no PGN of this classifier on {self.page.chosen}: open or train one to see "
                "these images."
            )
