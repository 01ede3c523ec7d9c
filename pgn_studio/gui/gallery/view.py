"""The list of thumbnails; stays quick at 100,000 rows because every cell has the same size."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QWidget

from pgn_studio.gui.gallery.delegate import GalleryDelegate
from pgn_studio.gui.gallery.model import GalleryModel

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
        self.setModel(model)
        self._fit_grid()
        self.verticalScrollBar().setSingleStep(self.gridSize().height() // 3)

    def choose(self, image_index: int) -> None:
        """Make this image the current and only selected one, if it is shown."""
        row = self._gallery.row_of(image_index)
        if row >= 0:
            index = self._gallery.index(row)
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self.scrollTo(index)

    def choose_first(self) -> None:
        if self._gallery.rowCount():
            self.choose(self._gallery.image_index(0))

    def selected_images(self) -> list[int]:
        """Image indices of the selected rows, in the order shown."""
        rows = sorted(index.row() for index in self.selectionModel().selectedIndexes())
        return [self._gallery.image_index(row) for row in rows]

    def navigate(self, event: QKeyEvent) -> None:
        """Handle an arrow or page key that another widget of the page received."""
        self.keyPressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit()
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

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit_grid()
        super().resizeEvent(event)

    def _fit_grid(self) -> None:
        """As many columns as fit, sharing the whole width."""
        cell = self._delegate.cell_size(self.fontMetrics())
        width = self.viewport().width() - 2
        columns = max(1, width // cell.width())
        grid = QSize(max(cell.width(), width // columns), cell.height())
        if grid != self.gridSize():
            self.setGridSize(grid)
