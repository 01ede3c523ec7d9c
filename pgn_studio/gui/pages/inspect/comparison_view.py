"""One image under several perturbers, side by side: what each adds, what comes out, what is predicted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QImage, QPainter, QPaintEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from pgn_studio.core.amounts import percent
from pgn_studio.gui.gallery.delegate import RIGHT_COLOR, WRONG_COLOR
from pgn_studio.gui.pages.inspect.perturbation_view import MAX_GAIN, perturbation_picture
from pgn_studio.gui.pictures import to_qimage

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent

    from pgn_studio.core.export.comparison import Columns
    from pgn_studio.core.export.triptych import TriptychRow

CELL_PX, LARGEST_CELL_PX, GAP_PX = 112, 224, 10


@dataclass(frozen=True)
class ComparisonColumn:
    """Ready to be painted."""

    title: str
    perturbation: QImage | None  # None of the original
    size: str  # RMS per value
    perturbed: QImage | None  # None where the column is a difference
    said: str = ""
    right: bool = False


def painted_columns(columns: Columns) -> list[ComparisonColumn]:
    """Pictures of a comparison's columns, all perturbations at one scale; callable in any thread."""
    largest = max((row.scale for _title, row in columns), default=0.0)
    gain = min(0.5 / largest, MAX_GAIN) if largest > 0 else 1.0
    made = [_original(columns[0][1])] if columns else []
    for title, row in columns:
        picture = to_qimage(perturbation_picture(row.perturbation, gain))
        size = f"RMS {row.rms:.3f}"
        if row.difference:
            made.append(ComparisonColumn(title, picture, size, None))
            continue
        said, right = _said(row.perturbed_label, row.perturbed_confidence, row.true_label)
        made.append(ComparisonColumn(title, picture, size, to_qimage(row.perturbed), said, right))
    return made


def _original(row: TriptychRow) -> ComparisonColumn:
    said, right = _said(row.clean_label, row.clean_confidence, row.true_label)
    return ComparisonColumn("Original", None, "", to_qimage(row.original), said, right)


def _said(label: str, confidence: float, truth: str) -> tuple[str, bool]:
    share = "" if math.isnan(confidence) else f" {percent(confidence, 0)}"
    return f"{label}{share} {'✓' if label == truth else '✗'}", label == truth


class ComparisonView(QWidget):
    """As many columns in a line as fit; the rest below. Put it into a scroll area."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.columns: list[ComparisonColumn] = []
        self.setObjectName("comparison_view")
        self.setAccessibleName("The image under each PGN and baseline")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)

    def show_columns(self, columns: list[ComparisonColumn]) -> None:
        self.columns = columns
        self.setAccessibleDescription("; ".join(map(_described, columns)))
        self._fit()
        self.update()

    def sizeHint(self) -> QSize:
        lines = -(-len(self.columns) // self._per_line())
        return QSize(2 * (self._least_px() + GAP_PX), max(lines * self._block_px(), 60))

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            column = self._at(event.pos())
            QToolTip.showText(event.globalPos(), "" if column is None else _described(column), self)
            return True
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        for number, column in enumerate(self.columns):
            self._paint(painter, self._place(number), column)

    def _fit(self) -> None:
        self.setMinimumHeight(self.sizeHint().height())

    def _per_line(self) -> int:
        return max(1, (self.width() + GAP_PX) // (self._least_px() + GAP_PX))

    def _least_px(self) -> int:
        """Of a cell: its texts are read."""
        return max(CELL_PX, self.fontMetrics().horizontalAdvance("RMS per 0.000"))

    def _line_px(self) -> int:
        return self.fontMetrics().height() + 2

    def _cell_px(self) -> int:
        """As large as the line has room for."""
        number = min(self._per_line(), max(len(self.columns), 1))
        return max(self._least_px(), min((self.width() + GAP_PX) // number - GAP_PX, LARGEST_CELL_PX))

    def _block_px(self) -> int:
        return 2 * self._cell_px() + 3 * self._line_px() + 2 * GAP_PX

    def _place(self, number: int) -> QRect:
        line, column = divmod(number, self._per_line())
        cell, block = self._cell_px(), self._block_px()
        return QRect(column * (cell + GAP_PX), line * block, cell, block)

    def _at(self, position: QPoint) -> ComparisonColumn | None:
        places = enumerate(self.columns)
        return next((item for number, item in places if self._place(number).contains(position)), None)

    def _paint(self, painter: QPainter, place: QRect, column: ComparisonColumn) -> None:
        text = self.palette().color(QPalette.ColorRole.WindowText)
        muted = self.palette().color(QPalette.ColorRole.PlaceholderText)
        line, y, cell = self._line_px(), place.y(), place.width()
        self._write(painter, place, y, column.title, text)
        y += line
        if column.perturbation is not None:
            _draw(painter, QRectF(place.x(), y, cell, cell), column.perturbation, muted)
        y += cell
        self._write(painter, place, y, column.size, muted)
        y += line + 2
        if column.perturbed is not None:
            edge = RIGHT_COLOR if column.right else WRONG_COLOR
            _draw(painter, QRectF(place.x(), y, cell, cell), column.perturbed, edge)
            self._write(painter, place, y + cell, column.said, text)

    def _write(self, painter: QPainter, place: QRect, y: int, text: str, color: QColor) -> None:
        painter.setPen(color)
        short = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, place.width())
        area = QRect(place.x(), y, place.width(), self._line_px())
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, short)


def _draw(painter: QPainter, place: QRectF, image: QImage, edge: QColor) -> None:
    shrinking = image.width() > place.width()
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, shrinking)  # else pixels stay pixels
    painter.drawImage(place, image)
    painter.setPen(edge)
    painter.drawRect(place.adjusted(0, 0, -1, -1))


def _described(column: ComparisonColumn) -> str:
    return ", ".join(part for part in (column.title, column.size, column.said) if part)
