"""Paints one gallery cell: thumbnail, outcome badge, file name, what was said before and after.

Colors are Okabe and Ito's blue and vermilion, told apart by color-blind people too; the
symbols (tick, cross) say the same again without color.
"""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QFontMetricsF, QImage, QPainter, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from pgn_studio.core.evaluation.selection import Outcome
from pgn_studio.gui.gallery.model import THUMBNAIL_PX, Role
from pgn_studio.gui.widgets.compact import elided_change

RIGHT_COLOR = QColor(0x00, 0x72, 0xB2)
WRONG_COLOR = QColor(0xD5, 0x5E, 0x00)
PADDING_PX = 6
BADGE_PX = 18  # a side of each of the badge's two halves


class GalleryDelegate(QStyledItemDelegate):
    thumbnail_px = THUMBNAIL_PX

    def cell_size(self, metrics: QFontMetrics) -> QSize:
        """The same for every cell, so that the view never asks row by row."""
        text_px = 2 * metrics.lineSpacing()
        side = self.thumbnail_px + 4 * PADDING_PX
        return QSize(side, side + text_px)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return self.cell_size(option.fontMetrics)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        cell: QRect = option.rect.adjusted(2, 2, -2, -2)
        palette: QPalette = option.palette
        state: QStyle.StateFlag = option.state
        metrics: QFontMetrics = option.fontMetrics
        selected = bool(state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ground(painter, cell, palette, state)
        side = self.thumbnail_px
        picture = QRect(cell.center().x() - side // 2, cell.top() + PADDING_PX, side, side)
        _paint_picture(painter, picture, index.data(Qt.ItemDataRole.DecorationRole), palette)
        outcome = index.data(Role.OUTCOME)
        if outcome is not None:
            corner = QPointF(picture.right() - 2 * BADGE_PX - 2, picture.top() + 3)
            paint_badge(painter, corner, outcome)
        text = cell.adjusted(4, 0, -4, 0)
        text.setTop(picture.bottom() + PADDING_PX)
        role = QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text
        self._paint_text(painter, text, metrics, palette.color(role), index)
        painter.restore()

    def _paint_ground(
        self, painter: QPainter, cell: QRect, palette: QPalette, state: QStyle.StateFlag
    ) -> None:
        if state & QStyle.StateFlag.State_Selected:
            painter.setBrush(palette.highlight())
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(palette.midlight() if _is_light(palette) else palette.alternateBase())
        else:
            painter.setBrush(Qt.BrushStyle.NoBrush)
        focused = bool(state & QStyle.StateFlag.State_HasFocus)
        painter.setPen(QPen(palette.color(QPalette.ColorRole.Text), 1) if focused else Qt.PenStyle.NoPen)
        painter.drawRoundedRect(QRectF(cell).adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)

    def _paint_text(
        self,
        painter: QPainter,
        area: QRect,
        metrics: QFontMetrics,
        color: QColor,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        center = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
        painter.setPen(color)
        caption = elided_change(QFontMetricsF(metrics), "", index.data(Role.CAPTION), area.width())
        painter.drawText(area, center, caption)
        area.setTop(area.top() + metrics.lineSpacing())
        faint = QColor(color)
        faint.setAlphaF(0.65)
        painter.setPen(faint)
        name = index.data(Qt.ItemDataRole.DisplayRole)
        painter.drawText(area, center, metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, area.width()))


def paint_badge(painter: QPainter, corner: QPointF, outcome: Outcome) -> None:
    """Two halves, before and after: blue with a tick for right, vermilion with a cross for wrong."""
    before = QRectF(corner.x(), corner.y(), BADGE_PX, BADGE_PX)
    after = before.translated(BADGE_PX, 0)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor("white"), 3))
    painter.drawRect(before.united(after))  # a white rim, so that it stands out on any picture
    for half, right in ((before, outcome.right_before), (after, outcome.right_after)):
        painter.fillRect(half, RIGHT_COLOR if right else WRONG_COLOR)
        _paint_symbol(painter, half.center(), right=right)


def _paint_symbol(painter: QPainter, center: QPointF, *, right: bool) -> None:
    pen = QPen(QColor("white"), 2.2)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    if right:
        tick = [QPointF(-4.5, 0.5), QPointF(-1.5, 3.8), QPointF(4.5, -4)]
        painter.drawPolyline(QPolygonF([center + point for point in tick]))
        return
    arm = QPointF(3.8, 3.8)
    other = QPointF(3.8, -3.8)
    painter.drawLine(center - arm, center + arm)
    painter.drawLine(center - other, center + other)


def _paint_picture(painter: QPainter, area: QRect, image: QImage | None, palette: QPalette) -> None:
    if image is None or image.isNull():
        painter.fillRect(area, palette.color(QPalette.ColorRole.AlternateBase))
        painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "…" if image is None else "unreadable")
        return
    target = QRect(area.topLeft(), image.size())
    target.moveCenter(area.center())
    painter.drawImage(target, image)


def _is_light(palette: QPalette) -> bool:
    return palette.color(QPalette.ColorRole.Base).lightness() > 127
