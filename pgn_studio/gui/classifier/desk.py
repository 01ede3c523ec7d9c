"""Ties the Classifier page to the rest: what is loaded, what is measured of it, where clicks lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from pgn_studio.core.evaluation.selection import Selection
from pgn_studio.gui.classifier.page import ClassifierPage

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Normalisation
    from pgn_studio.core.evaluation.clean import ClassifiedSplit
    from pgn_studio.gui.studio import Studio


class ClassifierDesk(QObject):
    def __init__(self, studio: Studio, parent: QWidget) -> None:
        super().__init__(parent)
        self._studio = studio
        self.page = ClassifierPage(parent)
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
        told = workspace.source.normalisation_given
        problem = workspace.problem() if workspace.dataset and workspace.classifier else ""
        self.page.show_subject(
            workspace.classifier, workspace.dataset, workspace.machine, told=told, problem=problem
        )

    @Slot(object)
    def _tell(self, found: ClassifiedSplit) -> None:
        """The set-up shows the accuracy on test, of a black box once it was asked."""
        if found.split_name == "test":
            self._studio.workspace.accuracy_measured.emit(found.accuracy.value, found.split_name)

    @Slot(object)
    def _use(self, normalisation: Normalisation) -> None:
        if self._studio.session.active:
            self._studio.message.emit("A run is under way: stop it before the classifier is loaded anew.")
            return
        workspace = self._studio.workspace
        workspace.load_classifier(workspace.source.normalised(normalisation))

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
