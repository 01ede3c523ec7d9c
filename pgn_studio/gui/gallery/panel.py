"""Filter bar, gallery, and words where the gallery would be empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from pgn_studio.core.evaluation.selection import Outcome, Selection
from pgn_studio.gui.gallery.filter_bar import FilterBar
from pgn_studio.gui.gallery.model import GalleryContent, GalleryModel
from pgn_studio.gui.gallery.view import GalleryView

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.evaluate import PerImage
    from pgn_studio.gui.gallery.thumbnails import ImageSource

EMPTY_TEXTS = {
    None: "This split has no images.",
    Outcome.FIXED: "No image was fixed.",
    Outcome.BROKEN: "No image was broken.",
    Outcome.BOTH_RIGHT: "No image is correct both before and after.",
    Outcome.BOTH_WRONG: "No image is misclassified both before and after.",
}


class GalleryPanel(QWidget):
    """`chosen` carries the current image's index in the split, -1 when nothing is shown."""

    chosen = Signal(int)
    opened = Signal()
    list_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = GalleryModel(self)
        self.view = GalleryView(self.model, self)
        self.filters = FilterBar(self)
        self._order = (self.filters.selection.sort, self.filters.selection.descending)
        self._empty_text = QLabel(self)
        self._clear = QPushButton("Clear the filters", self)
        self._stack = QStackedWidget(self)
        self._build()
        self.filters.changed.connect(self._apply)
        self.view.chosen.connect(self.chosen)
        self.view.opened.connect(self.opened)
        self.filters.list_requested.connect(self.list_requested)
        self._clear.clicked.connect(self.filters.clear_filters)

    def show_content(self, content: GalleryContent, source: ImageSource) -> None:
        self.filters.set_classes(content.classes)
        self.model.set_content(content, source)
        self._apply(self.filters.selection, keep_place=False)

    def update_content(self, per_image: PerImage, source: ImageSource | None, chosen: int) -> None:
        """The same images, perturbed otherwise; the `chosen` one stays so, also where a filter hides it."""
        selected = self.view.selected_images()
        self.model.update(per_image, source)
        selection = self.filters.selection
        result = self.model.apply(selection)
        self.filters.show_counts(result.counts)
        self._show_emptiness(selection, len(result.indices))
        self.view.choose(chosen)
        self.view.select_also(selected)

    def compare(self, other: PerImage | None, name: str = "") -> None:
        """Offer the filters against another PGN of this name; None: against none."""
        if other is self.model.other:
            return
        self.model.compare(other)
        self.filters.offer_versus(name if other is not None else "")
        self._apply(self.filters.selection)

    def clear(self) -> None:
        self.model.set_content(None, None)
        self._apply(self.filters.selection, keep_place=False)

    def _build(self) -> None:
        self._empty_text.setObjectName("gallery-empty")
        self._empty_text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty_text.setWordWrap(True)
        self._clear.setObjectName("clear-filters")
        self._clear.setToolTip("Reset class, name and size")
        empty = QWidget(self)
        column = QVBoxLayout(empty)
        column.addStretch(2)
        column.addWidget(self._empty_text)
        column.addWidget(self._clear, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)
        self._stack.addWidget(self.view)
        self._stack.addWidget(empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.filters)
        layout.addWidget(self._stack, 1)

    def _apply(self, selection: Selection, *, keep_place: bool = True) -> None:
        # A new order is looked at from its beginning; under a new filter the image keeps its place.
        keep_place = keep_place and (selection.sort, selection.descending) == self._order
        self._order = (selection.sort, selection.descending)
        current = self.view.currentIndex()
        image = self.model.image_index(current.row()) if keep_place and current.isValid() else -1
        result = self.model.apply(selection)
        self.filters.show_counts(result.counts)
        self._show_emptiness(selection, len(result.indices))
        if self.model.row_of(image) >= 0:
            self.view.choose(image)
        elif len(result.indices):
            self.view.choose_first()
        else:
            self.chosen.emit(-1)

    def _show_emptiness(self, selection: Selection, shown: int) -> None:
        text = EMPTY_TEXTS[selection.outcome]
        if selection.narrows:
            text = "No image matches these filters."
        self._empty_text.setText(text)
        self._clear.setVisible(selection.narrows)
        self._stack.setCurrentIndex(0 if shown else 1)
