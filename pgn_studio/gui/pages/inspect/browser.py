"""The left half of the inspection page: the images, or their classes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QTabWidget, QWidget

from pgn_studio.core.evaluation.selection import Selection
from pgn_studio.gui.gallery.model import GalleryContent
from pgn_studio.gui.gallery.panel import GalleryPanel
from pgn_studio.gui.pages.inspect.classes_panel import ClassesPanel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.gui.gallery.thumbnails import ImageSource


class Browser(QTabWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("browser")
        self.setDocumentMode(True)
        self.tabBar().setDrawBase(False)
        self.gallery = GalleryPanel(self)
        self.classes = ClassesPanel(self)
        self.addTab(self.gallery, "Images")
        self.addTab(self.classes, "Classes")
        self.classes.wanted.connect(self.show_images)

    def show_evaluation(self, evaluation: Evaluation, names: Sequence[str], source: ImageSource) -> None:
        self.classes.show_evaluation(evaluation)
        content = GalleryContent(evaluation.per_image, names, evaluation.classes)
        self.gallery.show_content(content, source)

    def show_turned(self, evaluation: Evaluation, source: ImageSource | None, chosen: int) -> None:
        """The same images at another γ; a `source` replaces the thumbnails."""
        self.classes.show_evaluation(evaluation)
        self.gallery.update_content(evaluation.per_image, source, chosen)

    def clear(self) -> None:
        self.gallery.clear()
        self.classes.show_evaluation(None)

    def show_images(self, selection: Selection) -> None:
        """Bring the gallery to the front with these images, in the order that it had."""
        filters = self.gallery.filters
        shown = filters.selection
        filters.set_selection(replace(selection, sort=shown.sort, descending=shown.descending))
        self.setCurrentWidget(self.gallery)
