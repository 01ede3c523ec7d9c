"""The same few images, one column each: original, perturbation, perturbed, as training goes on."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.training.preview import PreviewImages, Triptych

ROWS = ("original", "perturbation", "perturbed")
GAP = 4.0
CAPTION_HEIGHT = 18.0
MARKS = {"fixed": "✓", "broken": "✗", "both right": "", "both wrong": ""}


class PreviewStrip(QWidget):
    """Paints what it is given; one widget for all images."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("preview_strip")
        self.setAccessibleName("Preview of fixed samples: original, perturbation, perturbed")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._preview: PreviewImages | None = None
        self._classes: tuple[str, ...] = ()

    @property
    def preview(self) -> PreviewImages | None:
        return self._preview

    def set_classes(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)

    def show_preview(self, preview: PreviewImages) -> None:
        self._preview = preview
        self.setToolTip(
            f"Step {preview.step}. Grey in the middle row is no change; "
            f"black and white are ±{preview.perturbation_scale:.3g}."
        )
        self.update()

    def clear(self) -> None:
        self._preview = None
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(600, int(3 * 50 + 2 * GAP + CAPTION_HEIGHT + 4))

    def minimumSizeHint(self) -> QSize:
        return QSize(240, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._preview is None:
            painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
            text = "Samples appear here once training has begun."
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, text)
            return
        metrics = QFontMetricsF(self.font())
        left = max(metrics.horizontalAdvance(row) for row in ROWS) + 12
        side = (self.height() - CAPTION_HEIGHT - 2 * GAP - 4) / 3
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        for row, name in enumerate(ROWS):
            box = QRectF(0, row * (side + GAP), left - 8, side)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, name)
        count = max(1, len(self._preview.triptychs))
        fair = (self.width() - left) / count - GAP
        width = max(side + 3 * GAP, min(fair, 2.5 * side))
        for index, triptych in enumerate(self._preview.triptychs):
            x = left + index * (width + GAP)
            if x + width > self.width():
                break
            self._paint_column(painter, triptych, QRectF(x, 0, width, side))

    def _caption(self, triptych: Triptych) -> str:
        before, after = self._name(triptych.clean_prediction), self._name(triptych.perturbed_prediction)
        change = before if before == after else f"{before} → {after}"
        return f"{MARKS[triptych.outcome]} {change}".strip()

    def _name(self, index: int) -> str:
        return self._classes[index] if 0 <= index < len(self._classes) else str(index)

    def _paint_column(self, painter: QPainter, triptych: Triptych, cell: QRectF) -> None:
        """`cell` is the column's width and one image's height."""
        side = cell.height()
        colors = current_theme().colors
        outlines = {"fixed": colors.good, "broken": colors.bad}
        color = QColor(outlines.get(triptych.outcome, colors.muted))
        x = cell.x() + (cell.width() - side) / 2
        images: tuple[QImage, ...] = (triptych.original, triptych.perturbation, triptych.perturbed)
        for row, image in enumerate(images):
            target = QRectF(QPointF(x, row * (side + GAP)), cell.size())
            target.setWidth(side)
            painter.drawImage(target, image)  # not smoothed: pixels are what this is about
            if row == 2 and triptych.outcome in outlines:
                painter.setPen(QPen(color, 2))
                painter.drawRect(target)
        caption = QRectF(cell.x(), 3 * side + 2 * GAP + 2, cell.width(), CAPTION_HEIGHT)
        painter.setPen(color)
        metrics = QFontMetricsF(self.font())
        text = metrics.elidedText(self._caption(triptych), Qt.TextElideMode.ElideRight, cell.width())
        painter.drawText(caption, Qt.AlignmentFlag.AlignCenter, text)
