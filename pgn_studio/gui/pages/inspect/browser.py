"""The left half of the Inspect page: the gallery, or the classes as a table and a confusion matrix."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QEvent, QModelIndex, QPoint, QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
)
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QSizePolicy,
    QSplitter,
    QTabWidget,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.amounts import percent
from pgn_studio.core.evaluation.selection import Outcome, Selection
from pgn_studio.gui.gallery.model import GalleryContent
from pgn_studio.gui.gallery.panel import GalleryPanel
from pgn_studio.gui.pages.inspect.perturbation_view import diverging
from pgn_studio.gui.pictures import to_qimage
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.widgets.row_table import Column, RowTable, count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.gui.gallery.thumbnails import ImageSource


Counts = npt.NDArray[np.int64]  # (K, K): rows are true classes, columns predicted ones
TEXT_CELL_PX = 26  # smaller cells show no number
NAME_CELL_PX = 13  # smaller cells show no class names
LONGEST_NAME_PX = 90
STEPS = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}


class Side(Enum):
    BEFORE = "Before"
    AFTER = "After"
    CHANGE = "Change"


class ConfusionView(QWidget):
    """`chosen` carries (true class, predicted class) of the cell that was clicked, or Enter pressed on."""

    chosen = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts: Counts = np.zeros((0, 0), dtype=np.int64)
        self._classes: tuple[str, ...] = ()
        self._side = Side.AFTER
        self._picture = QImage()
        self._cell: tuple[int, int] | None = None  # under the keyboard
        self.setObjectName("confusion")
        self.setAccessibleName("Confusion matrix: true classes down, predicted classes across")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        current_theme().changed.connect(self._color)

    def show_counts(self, counts: Counts, classes: tuple[str, ...], side: Side) -> None:
        """`counts` (K, K): images, or for Change how many more there are after."""
        self._counts, self._classes, self._side = counts, classes, side
        self._cell = None
        self._color()

    @Slot()
    def _color(self) -> None:
        """An empty cell has the color of the theme's ground."""
        none = QColor(current_theme().colors.background)
        zero = np.array((none.red(), none.green(), none.blue()), dtype=np.float32)
        empty = self._counts.size == 0
        self._picture = QImage() if empty else to_qimage(_colors(self._counts, self._side, zero))
        self.update()

    def clear(self) -> None:
        self.show_counts(np.zeros((0, 0), dtype=np.int64), (), self._side)

    def describe(self, cell: tuple[int, int]) -> str:
        true, predicted = cell
        count = f"{self._counts[true, predicted]:{'+' if self._side is Side.CHANGE else ''},d}"
        return f"true {self._classes[true]}, predicted {self._classes[predicted]}: {count}"

    def cell_at(self, position: QPoint) -> tuple[int, int] | None:
        area, number = self._area(), len(self._classes)
        if not number or not area.contains(position):
            return None
        column = (position.x() - area.x()) * number // area.width()
        row = (position.y() - area.y()) * number // area.height()
        return row, column

    def cell_rect(self, cell: tuple[int, int]) -> QRectF:
        area, number = self._area(), max(len(self._classes), 1)
        side = area.width() / number
        return QRectF(area.x() + cell[1] * side, area.y() + cell[0] * side, side, side)

    def sizeHint(self) -> QSize:
        return QSize(320, 320)

    def minimumSizeHint(self) -> QSize:
        return QSize(140, 140)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            cell = self.cell_at(event.pos())
            QToolTip.showText(event.globalPos(), self.describe(cell) if cell else "", self)
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        cell = self.cell_at(event.position().toPoint())
        if cell is not None and event.button() == Qt.MouseButton.LeftButton:
            self._move_to(cell)
            self.chosen.emit(*cell)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        last = len(self._classes) - 1
        if event.key() in STEPS and last >= 0:
            down, right = STEPS[Qt.Key(event.key())]
            row, column = self._cell or (0, 0)
            self._move_to((min(max(row + down, 0), last), min(max(column + right, 0), last)))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._cell is not None:
            self.chosen.emit(*self._cell)
        else:
            super().keyPressEvent(event)

    def _move_to(self, cell: tuple[int, int]) -> None:
        self._cell = cell
        self.setAccessibleDescription(self.describe(cell))
        self.update()

    def _area(self) -> QRect:
        """The square of the matrix: beside the names, where there is room for any."""
        line = self.fontMetrics().height()
        left = line + (self._names_px() if self._shows_names() else 0)
        side = max(min(self.width() - left, self.height() - left), 1)
        return QRect(left, left, side, side)

    def _shows_names(self) -> bool:
        """Decided by the room without names, so that showing them cannot take it away again and again."""
        room = min(self.width(), self.height()) - self._names_px() - self.fontMetrics().height()
        return bool(self._classes) and room / len(self._classes) >= NAME_CELL_PX

    def _names_px(self) -> int:
        widest = max((self.fontMetrics().horizontalAdvance(name) for name in self._classes), default=0)
        return min(widest, LONGEST_NAME_PX) + 4

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._picture.isNull():
            return
        painter = QPainter(self)
        area = self._area()
        painter.drawImage(area, self._picture)
        painter.setPen(self.palette().color(QPalette.ColorRole.Mid))
        painter.drawRect(area)
        self._paint_axes(painter, area)
        if self._shows_names():
            self._paint_names(painter, area)
        if area.width() / len(self._classes) >= TEXT_CELL_PX:
            self._paint_numbers(painter)
        if self._cell is not None:
            for color, width in ((Qt.GlobalColor.black, 3), (Qt.GlobalColor.white, 1)):
                painter.setPen(QPen(color, width))
                painter.drawRect(self.cell_rect(self._cell))

    def _paint_axes(self, painter: QPainter, area: QRect) -> None:
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        line = self.fontMetrics().height()
        painter.drawText(
            QRect(area.x(), 0, area.width(), line), Qt.AlignmentFlag.AlignHCenter, "predicted class →"
        )
        painter.save()
        painter.translate(0, area.bottom())
        painter.rotate(-90)
        painter.drawText(QRect(0, 0, area.height(), line), Qt.AlignmentFlag.AlignHCenter, "← true class")
        painter.restore()

    def _paint_names(self, painter: QPainter, area: QRect) -> None:
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        metrics, room = self.fontMetrics(), self._names_px() - 4
        middle = Qt.AlignmentFlag.AlignVCenter
        for number, name in enumerate(self._classes):
            short = metrics.elidedText(name, Qt.TextElideMode.ElideRight, room)
            cell = self.cell_rect((number, number))
            beside = QRectF(area.x() - room - 3, cell.y(), room, cell.height())
            painter.drawText(beside, middle | Qt.AlignmentFlag.AlignRight, short)
            painter.save()
            painter.translate(cell.x(), area.y() - 3)
            painter.rotate(-90)
            painter.drawText(QRectF(0, 0, room, cell.width()), middle | Qt.AlignmentFlag.AlignLeft, short)
            painter.restore()

    def _paint_numbers(self, painter: QPainter) -> None:
        sign = "+" if self._side is Side.CHANGE else ""
        for row, column in np.argwhere(self._counts != 0).tolist():
            pixel = QColor(self._picture.pixelColor(column, row))
            painter.setPen(Qt.GlobalColor.black if pixel.lightness() > 130 else Qt.GlobalColor.white)
            text = f"{self._counts[row, column]:{sign}d}"
            painter.drawText(self.cell_rect((row, column)), Qt.AlignmentFlag.AlignCenter, text)


def _colors(counts: Counts, side: Side, zero: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """(K, K, 3): shares of each true class's images, blue where right and vermilion where wrong.

    A change is good, and blue, where there is more on the diagonal or less beside it.
    """
    largest = max(int(np.abs(counts).max()), 1)
    share = np.asarray(counts / largest, dtype=np.float32)
    if side is not Side.CHANGE:
        images = counts.sum(axis=1, keepdims=True)
        share = np.asarray(counts / np.maximum(images, 1), dtype=np.float32)
    good = np.where(np.eye(len(counts), dtype=bool), -1, 1).astype(np.float32)
    return diverging(np.sqrt(np.abs(share)) * np.sign(share) * good, zero)  # the root: few are seen too


COLUMNS = (
    Column("Class", "class"),
    Column("n", "n", count),
    Column("Before", "clean_accuracy", percent),
    Column("After", "perturbed_accuracy", percent),
    Column("Change", "change", lambda value: f"{100 * value:+.1f}".replace("-", "−")),
    Column("Fixed", "fixed", count),
    Column("Broken", "broken", count),
)
HEADS = tuple(column.head for column in COLUMNS)
FIELDS = tuple(column.field for column in COLUMNS)
OUTCOMES = {"fixed": Outcome.FIXED, "broken": Outcome.BROKEN}


class ClassesPanel(QWidget):
    """`images_requested` carries the Selection of the images behind what was clicked."""

    images_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._evaluation: Evaluation | None = None
        self.table = RowTable(COLUMNS, self)
        self.confusion = ConfusionView(self)
        self._side = QComboBox(self)
        self._build()
        self.table.clicked.connect(self._table_clicked)
        self.table.activated.connect(self._table_clicked)
        self.confusion.chosen.connect(self._cell_clicked)
        self._side.currentIndexChanged.connect(self._show_confusion)

    @property
    def side(self) -> Side:
        return Side(self._side.currentText())

    def show_evaluation(self, evaluation: Evaluation | None) -> None:
        self._evaluation = evaluation
        rows = [] if evaluation is None else evaluation.per_class()
        for row in rows:
            row["change"] = row["perturbed_accuracy"] - row["clean_accuracy"]
        self.table.rows.show_rows(rows)
        self._show_confusion()

    def _build(self) -> None:
        self.table.setObjectName("class-table")
        self.table.setAccessibleName("Accuracy of each class")
        self.table.setToolTip("Click a row to see its images, or its Fixed or Broken cell to see only those")
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)  # all seven fit, however narrow
        header.setMinimumSectionSize(40)
        self._side.setObjectName("confusion-side")
        self._side.setAccessibleName("Which confusion")
        self._side.setToolTip("Before or after the perturbation, or how the counts changed")
        for side in Side:
            self._side.addItem(side.value)
        self._side.setCurrentText(Side.AFTER.value)
        below = QWidget(self)
        column = QVBoxLayout(below)
        column.setContentsMargins(0, 0, 0, 0)
        line = QHBoxLayout()
        line.addWidget(QLabel("Confusion", below))
        line.addWidget(self._side)
        line.addStretch(1)
        column.addLayout(line)
        column.addWidget(self.confusion, 1)
        splitter = QSplitter(Qt.Orientation.Vertical, self)
        splitter.setObjectName("classes-splitter")
        splitter.addWidget(self.table)
        splitter.addWidget(below)
        splitter.setStretchFactor(0, 2)
        splitter.setStretchFactor(1, 3)
        splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(splitter)

    def _show_confusion(self) -> None:
        if self._evaluation is None:
            self.confusion.clear()
            return
        from pgn_studio.core.evaluation.metrics import confusion

        image, classes = self._evaluation.per_image, self._evaluation.classes
        before, after = (
            confusion(image.labels, said, len(classes))
            for said in (image.clean_prediction, image.perturbed_prediction)
        )
        counts = {Side.BEFORE: before, Side.AFTER: after, Side.CHANGE: after - before}[self.side]
        self.confusion.show_counts(counts, classes, self.side)

    def _table_clicked(self, index: QModelIndex) -> None:
        row = self.table.row_of(index)
        assert self._evaluation is not None
        label = self._evaluation.classes.index(row["class"])
        self.images_requested.emit(Selection(label=label, outcome=OUTCOMES.get(FIELDS[index.column()])))

    def _cell_clicked(self, true: int, predicted: int) -> None:
        if self.side is Side.BEFORE:
            self.images_requested.emit(Selection(label=true, before=predicted))
        else:
            self.images_requested.emit(Selection(label=true, after=predicted))


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
        self.classes.images_requested.connect(self.show_images)

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
