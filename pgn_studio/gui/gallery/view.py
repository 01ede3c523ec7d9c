"""The list of thumbnails; stays quick at 100,000 rows because every cell has the same size."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QWidget

from pgn_studio.gui.gallery.delegate import GalleryDelegate
from pgn_studio.gui.gallery.model import THUMBNAIL_SIZES_PX, GalleryModel

NAVIGATION_KEYS = frozenset(
    {
        Qt.Key.Key_Left,
        Qt.Key.Key_Right,
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
        Qt.Key.Key_Home,
        Qt.Key.Key_End,
    }
)


class GalleryView(QListView):
    """`chosen` carries the image index of the current row, -1 when there is none."""

    chosen = Signal(int)
    opened = Signal()  # Enter or double click: look closer

    def __init__(self, model: GalleryModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._gallery = model
        self._delegate = GalleryDelegate(self)
        self.setObjectName("gallery")
        self.setAccessibleName("Images")
        self.setAccessibleDescription("Plus and minus make the images larger and smaller")
        self.setItemDelegate(self._delegate)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setLayoutMode(QListView.LayoutMode.Batched)
        self.setBatchSize(2000)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSelectionRectVisible(True)
        # Always there, so that filling the width cannot make it come and go.
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setMouseTracking(True)  # the delegate shows which cell the mouse is over
        self._anchor: tuple[int, int] | None = None  # a row, and its distance from the view's upper edge
        self.setModel(model)
        self._fit_grid()
        model.modelReset.connect(self._let_go)
        bar = self.verticalScrollBar()
        bar.actionTriggered.connect(self._let_go)
        bar.rangeChanged.connect(self._keep_place)  # the layout of many rows comes in batches
        self.verticalScrollBar().setSingleStep(self.gridSize().height() // 3)

    def choose(self, image_index: int) -> None:
        """Make this image the current and only selected one, if it is shown."""
        row = self._gallery.row_of(image_index)
        if row >= 0:
            index = self._gallery.index(row)
            self._let_go()
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self.scrollTo(index)

    def select_also(self, images: Sequence[int]) -> None:
        """Beside the current one."""
        for row in (self._gallery.row_of(image) for image in images):
            if row >= 0:
                self.selectionModel().select(
                    self._gallery.index(row), QItemSelectionModel.SelectionFlag.Select
                )

    def choose_first(self) -> None:
        if self._gallery.rowCount():
            self.choose(self._gallery.image_index(0))

    def selected_images(self) -> list[int]:
        """Image indices of the selected rows, in the order shown."""
        rows = sorted(index.row() for index in self.selectionModel().selectedIndexes())
        return [self._gallery.image_index(row) for row in rows]

    @property
    def thumbnail_px(self) -> int:
        return self._delegate.thumbnail_px

    def set_thumbnail_px(self, size_px: int) -> None:
        """The nearest of THUMBNAIL_SIZES_PX; what is looked at stays in view."""
        nearest = min(THUMBNAIL_SIZES_PX, key=lambda size: abs(size - size_px))
        if nearest == self.thumbnail_px:
            return
        if self._anchor is None:
            self._anchor = self._find_anchor()
        self._delegate.thumbnail_px = nearest
        self._gallery.set_thumbnail_px(nearest)
        self._fit_grid()
        self._keep_place()

    def zoom(self, steps: int) -> None:
        """Larger thumbnails (smaller, where negative) by so many sizes."""
        place = THUMBNAIL_SIZES_PX.index(self.thumbnail_px) + steps
        self.set_thumbnail_px(THUMBNAIL_SIZES_PX[min(max(place, 0), len(THUMBNAIL_SIZES_PX) - 1)])

    def navigate(self, event: QKeyEvent) -> None:
        """Handle an arrow or page key that another widget of the page received."""
        self.keyPressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self._let_go()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit()
            return
        if event.text() in ("+", "-"):
            self.zoom(1 if event.text() == "+" else -1)
            return
        super().keyPressEvent(event)

    def moveCursor(
        self, action: QAbstractItemView.CursorAction, modifiers: Qt.KeyboardModifier
    ) -> QModelIndex:
        """Left and right go on over the ends of a line; Qt's icon mode stops there."""
        step = {
            QAbstractItemView.CursorAction.MoveLeft: -1,
            QAbstractItemView.CursorAction.MoveRight: 1,
        }.get(action)
        if step is None or not self.currentIndex().isValid():
            return super().moveCursor(action, modifiers)
        last = self._gallery.rowCount() - 1
        return self._gallery.index(min(max(self.currentIndex().row() + step, 0), last))

    def currentChanged(
        self, current: QModelIndex | QPersistentModelIndex, previous: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().currentChanged(current, previous)
        self.chosen.emit(self._gallery.image_index(current.row()) if current.isValid() else -1)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit_grid()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(1 if event.angleDelta().y() > 0 else -1)
            event.accept()
            return
        self._let_go()
        super().wheelEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """What was looked at stays in view, however many columns there are now."""
        if self._anchor is None:
            self._anchor = self._find_anchor()
        self._fit_grid()
        super().resizeEvent(event)
        self._keep_place()

    def _find_anchor(self) -> tuple[int, int] | None:
        """The current row where it is in view, else the first row in view."""
        if self.verticalScrollBar().value() == 0:
            return None
        current = self.currentIndex()
        if not (current.isValid() and self.viewport().rect().intersects(self.visualRect(current))):
            current = self.indexAt(QPoint(self.gridSize().width() // 2, self.gridSize().height() // 2))
        return (current.row(), self.visualRect(current).top()) if current.isValid() else None

    def _keep_place(self) -> None:
        """Once the row is laid out again; an empty rectangle says that it is not yet."""
        if self._anchor is not None:
            row, distance = self._anchor
            place = self.visualRect(self._gallery.index(row))
            if not place.isEmpty():
                bar = self.verticalScrollBar()
                bar.setValue(bar.value() + place.top() - distance)

    def _let_go(self) -> None:
        """Somebody scrolls: there is no place to go back to."""
        self._anchor = None

    def _fit_grid(self) -> None:
        """As many columns as fit, sharing the whole width."""
        cell = self._delegate.cell_size(self.fontMetrics())
        width = self.viewport().width() - 2
        columns = max(1, width // cell.width())
        grid = QSize(max(cell.width(), width // columns), cell.height())
        if grid != self.gridSize():
            self.setGridSize(grid)
