"""The gallery's rows: one per shown image, nothing computed before a view asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from pgn_studio.core.evaluation.selection import Indices, Outcome, Selected, Selection, select
from pgn_studio.gui.gallery.thumbnails import ImageSource, ThumbnailLoader

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.evaluate import PerImage

THUMBNAIL_SIZES_PX = (64, 96, 128, 192)
THUMBNAIL_PX = 96  # at first
NOTHING = np.empty(0, dtype=np.int64)
AnyIndex = QModelIndex | QPersistentModelIndex


class Role:
    """Roles beside Qt's own (display: file name; decoration: the thumbnail)."""

    IMAGE_INDEX = Qt.ItemDataRole.UserRole + 1  # int: index in the split
    OUTCOME = Qt.ItemDataRole.UserRole + 2  # Outcome
    CAPTION = Qt.ItemDataRole.UserRole + 3  # str: "said before → says now", or "said" with the "(truth)"


@dataclass(frozen=True)
class GalleryContent:
    """What the gallery draws from; arrays and names are those of one split, in its order."""

    per_image: PerImage
    names: Sequence[str]
    classes: tuple[str, ...]
    other: PerImage | None = None  # what another PGN made of the same images


class GalleryModel(QAbstractListModel):
    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._content: GalleryContent | None = None
        self._shown: Indices = NOTHING  # row to image index
        self._rows: Indices = NOTHING  # image index to row, -1 where filtered out
        self._thumbnails = ThumbnailLoader(self, size_px=THUMBNAIL_PX)
        self._thumbnails.ready.connect(self._announce)

    def set_content(self, content: GalleryContent | None, source: ImageSource | None) -> None:
        """Show no rows of `content` yet: `apply` decides which."""
        self.beginResetModel()
        self._content = content
        self._shown = self._rows = NOTHING
        self._thumbnails.set_source(source)
        self.endResetModel()

    def update(self, per_image: PerImage, source: ImageSource | None) -> None:
        """The same images, perturbed otherwise; `apply` shows it. A `source` replaces the thumbnails."""
        if self._content is not None:
            self._content = replace(self._content, per_image=per_image)
        if source is not None:
            self._thumbnails.set_source(source)

    @property
    def thumbnail_px(self) -> int:
        return self._thumbnails.size_px

    def set_thumbnail_px(self, size_px: int) -> None:
        self._thumbnails.set_size(size_px)
        self._repaint_all()

    @property
    def other(self) -> PerImage | None:
        return None if self._content is None else self._content.other

    def compare(self, other: PerImage | None) -> None:
        """Hold the images against those of another PGN from the next `apply` on."""
        if self._content is not None:
            self._content = replace(self._content, other=other)

    def set_source(self, source: ImageSource) -> None:
        """Take thumbnails from elsewhere (original or perturbed); the rows stay."""
        self._thumbnails.set_source(source)
        self._repaint_all()

    def _repaint_all(self) -> None:
        if len(self._shown):
            self.dataChanged.emit(
                self.index(0), self.index(len(self._shown) - 1), [Qt.ItemDataRole.DecorationRole]
            )

    def apply(self, selection: Selection) -> Selected:
        """Filter and sort; returns what is shown and the counts for the filter buttons."""
        if self._content is None:
            return Selected(NOTHING, dict.fromkeys([None, *Outcome], 0))
        content = self._content
        result = select(content.per_image, content.names, selection, content.other)
        self.beginResetModel()
        self._shown = result.indices
        self._rows = np.full(len(self._content.per_image.labels), -1, dtype=np.int64)
        self._rows[self._shown] = np.arange(len(self._shown))
        self.endResetModel()
        return result

    def row_of(self, image_index: int) -> int:
        """The row that shows this image, or -1."""
        return int(self._rows[image_index]) if 0 <= image_index < len(self._rows) else -1

    @property
    def shown(self) -> Indices:
        """Image indices of all rows, in their order."""
        return self._shown

    def image_index(self, row: int) -> int:
        return int(self._shown[row])

    def rowCount(self, parent: AnyIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._shown)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if self._content is None or not 0 <= index.row() < len(self._shown):
            return None
        image = int(self._shown[index.row()])
        if role == Qt.ItemDataRole.DecorationRole:
            return self._thumbnails.get(image)
        if role == Role.OUTCOME:
            return self.outcome(image)
        if role == Role.IMAGE_INDEX:
            return image
        return self._text(image, role)

    def _text(self, image: int, role: int) -> str | None:
        assert self._content is not None
        if role == Qt.ItemDataRole.DisplayRole:
            return PurePath(self._content.names[image]).name
        if role == Role.CAPTION:
            return self._caption(image)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            truth = self._content.classes[self._content.per_image.labels[image]]
            return (
                f"{self._content.names[image]}\nTrue class: {truth}\n"
                f"{self.outcome(image).value.capitalize()}: {self._predictions(image)}"
            )
        return None

    def _predictions(self, image: int) -> str:
        assert self._content is not None
        per_image, classes = self._content.per_image, self._content.classes
        before = classes[per_image.clean_prediction[image]]
        after = classes[per_image.perturbed_prediction[image]]
        return f"{before} → {after}"

    def _caption(self, image: int) -> str:
        assert self._content is not None
        outcome = self.outcome(image)
        per_image, classes = self._content.per_image, self._content.classes
        truth: str = classes[per_image.labels[image]]
        if outcome is Outcome.BOTH_RIGHT:
            return truth
        if per_image.clean_prediction[image] == per_image.perturbed_prediction[image]:
            return f"{classes[per_image.clean_prediction[image]]} ({truth})"
        return self._predictions(image)

    def outcome(self, image: int) -> Outcome:
        assert self._content is not None
        per_image = self._content.per_image
        truth = per_image.labels[image]
        return Outcome.of(
            before=bool(per_image.clean_prediction[image] == truth),
            after=bool(per_image.perturbed_prediction[image] == truth),
        )

    def _announce(self, images: list[int]) -> None:
        for image in images:
            row = self.row_of(image)
            if row >= 0:
                index = self.index(row)
                self.dataChanged.emit(index, index, [Qt.ItemDataRole.DecorationRole])
