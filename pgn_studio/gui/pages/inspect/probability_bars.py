"""The top classes with their probabilities before and after, as paired bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget

from pgn_studio.gui.widgets.row_table import percent

TOP = 5
LONG, SHORT = "100.0 % → 100.0 %", "100 % → 100 %"  # figures with room and without
LEAST_BAR_PX, LEAST_NAME_PX = 60, 40
GAP_PX = 8
AFTER_COLOR = QColor(0x00, 0x9E, 0x73)  # Okabe and Ito's green: blue and vermilion mean right and wrong


@dataclass(frozen=True)
class ProbabilityRow:
    name: str
    before: float
    after: float
    is_truth: bool


def top_rows(
    classes: tuple[str, ...], before: npt.NDArray[np.float32], after: npt.NDArray[np.float32], truth: int
) -> list[ProbabilityRow]:
    """The TOP classes by the larger of both probabilities; the true class (-1: unknown) is always there."""
    order = np.argsort(-np.maximum(before, after), kind="stable")[:TOP].tolist()
    if truth >= 0 and truth not in order:
        order[-1] = truth
    return [ProbabilityRow(classes[k], float(before[k]), float(after[k]), k == truth) for k in order]


class ProbabilityBars(QWidget):
    """One line per class: its name, a bar before over a bar after, both as percentages."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[ProbabilityRow] = []
        self._after = "after"
        self.setObjectName("probabilities")
        self.setAccessibleName("Class probabilities before and after")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def rows(self) -> list[ProbabilityRow]:
        return list(self._rows)

    def show_rows(self, rows: list[ProbabilityRow], after: str = "after") -> None:
        """`after`: what the second bar of each row is called."""
        self._rows, self._after = rows, after
        lines = [f"{row.name}: {percent(row.before)} before, {percent(row.after)} {after}" for row in rows]
        self.setAccessibleDescription("; ".join(lines))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._advance(LONG) + 200, self._line_px() * (TOP + 1))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._advance(SHORT) + LEAST_BAR_PX + LEAST_NAME_PX, self.sizeHint().height())

    def _advance(self, text: str) -> int:
        return self.fontMetrics().horizontalAdvance(text) + GAP_PX

    def _name_px(self) -> int:
        room = max(self.width() - self._advance(SHORT) - LEAST_BAR_PX, LEAST_NAME_PX)
        return min(self.width() // 3, self._widest_name() + GAP_PX, room)

    @property
    def exact(self) -> bool:
        """Whether there is room for a digit after the point."""
        return self.width() - self._name_px() - self._advance(LONG) >= LEAST_BAR_PX

    def _line_px(self) -> int:
        return self.fontMetrics().height() + GAP_PX

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._rows:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        name_px, figures_px = self._name_px(), self._advance(LONG if self.exact else SHORT)
        bars = QRectF(name_px, 0, max(self.width() - name_px - figures_px, 20), self._line_px())
        self._paint_legend(painter, bars)
        for number, row in enumerate(self._rows, start=1):
            self._paint_row(painter, row, bars.translated(0, number * self._line_px()))

    def _widest_name(self) -> int:
        # The true class is bold, and a little wider than measured here.
        return max(int(self.fontMetrics().horizontalAdvance(row.name) * 1.15) for row in self._rows)

    def _before_color(self) -> QColor:
        color = QColor(self.palette().color(QPalette.ColorRole.WindowText))
        color.setAlphaF(0.45)
        return color

    def _paint_legend(self, painter: QPainter, bars: QRectF) -> None:
        metrics = self.fontMetrics()
        x = bars.x()
        for text, color in (("before", self._before_color()), (self._after, AFTER_COLOR)):
            painter.fillRect(QRectF(x, bars.center().y() - 4, 10, 8), color)
            x += 14
            painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
            width = metrics.horizontalAdvance(text)
            painter.drawText(
                QRectF(x, bars.y(), width + 2, bars.height()), Qt.AlignmentFlag.AlignVCenter, text
            )
            x += width + 14

    def _paint_row(self, painter: QPainter, row: ProbabilityRow, bars: QRectF) -> None:
        font = QFont(self.font())
        font.setBold(row.is_truth)
        painter.setFont(font)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        width = int(bars.x()) - GAP_PX
        name = painter.fontMetrics().elidedText(row.name, Qt.TextElideMode.ElideRight, width)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(0, bars.y(), width, bars.height()), right, name)
        painter.setFont(self.font())
        track = QColor(self.palette().color(QPalette.ColorRole.WindowText))
        track.setAlphaF(0.07)
        height = (bars.height() - 6) / 2
        for line, (value, color) in enumerate(((row.before, self._before_color()), (row.after, AFTER_COLOR))):
            bar = QRectF(bars.x(), bars.y() + 3 + line * height, bars.width(), height - 1)
            painter.fillRect(bar, track)
            bar.setWidth(bars.width() * min(max(value, 0.0), 1.0))
            painter.fillRect(bar, color)
        figures = QRectF(bars.right() + GAP_PX, bars.y(), self.width() - bars.right() - GAP_PX, bars.height())
        digits = 1 if self.exact else 0
        painter.drawText(figures, right, f"{percent(row.before, digits)} → {percent(row.after, digits)}")
