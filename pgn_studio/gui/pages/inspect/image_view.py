"""One of the linked views, and what part of the image all of them show."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

MAX_ZOOM = 64.0
HOME = QPointF(0.5, 0.5)


class Viewport(QObject):
    """`zoom` is relative to the whole image fitting the view (1); `center` is the image point,
    in fractions of its sides, at the view's middle. Independent of the views' sizes.
    """

    changed = Signal()
    pointed = Signal(object)  # QPointF in fractions of the image's sides, or None

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._zoom = 1.0
        self._center = QPointF(HOME)
        self._pointer: QPointF | None = None

    @property
    def zoom(self) -> float:
        return self._zoom

    @property
    def center(self) -> QPointF:
        return QPointF(self._center)

    @property
    def pointer(self) -> QPointF | None:
        """Where the mouse is over the image, the same point in all views."""
        return self._pointer

    def fit(self) -> None:
        self._set(1.0, HOME)

    def zoom_about(self, factor: float, anchor: QPointF) -> None:
        """Zoom by `factor` while the image point `anchor` stays where it is on the screen."""
        zoom = min(max(self._zoom * factor, 1.0), MAX_ZOOM)
        self._set(zoom, anchor + (self._center - anchor) * (self._zoom / zoom))

    def pan(self, delta: QPointF) -> None:
        """Move the image by `delta`, in fractions of its sides."""
        self._set(self._zoom, self._center - delta)

    def point_at(self, point: QPointF | None) -> None:
        if point != self._pointer:
            self._pointer = point
            self.pointed.emit(point)

    def _set(self, zoom: float, center: QPointF) -> None:
        # Keep the image on the screen: its edge may come to the middle of what fits, no further.
        margin = 0.5 / zoom
        kept = QPointF(
            min(max(center.x(), margin), 1 - margin),
            min(max(center.y(), margin), 1 - margin),
        )
        if zoom != self._zoom or kept != self._center:
            self._zoom, self._center = zoom, kept
            self.changed.emit()


WHEEL_STEP = 1.25  # zoom factor per notch
KEY_STEP = 1.5
LINE_PX = 8  # so near to the line of a wipe the mouse takes it
LINE_KEYS = {Qt.Key.Key_BracketLeft: -0.05, Qt.Key.Key_BracketRight: 0.05}


class ImageView(QWidget):
    """Wheel zooms around the cursor, dragging pans, double click or 0 fits, + and - zoom.

    Keys that it has no use for, the arrows among them, go on to the page.
    """

    blink = Signal(bool)  # the space bar went down or up: compare original and perturbed

    def __init__(self, viewport: Viewport, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewport = viewport
        self._image: QImage | None = None
        self._over: QImage | None = None
        self._line = 0.5  # where the other image begins, as a fraction of the width
        self._drag_from: QPointF | None = None
        self._drags_line = False
        self.setObjectName(f"view-{name}")
        self.setAccessibleName(f"{name.capitalize()} image")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        viewport.changed.connect(self.update)
        viewport.pointed.connect(self.update)

    @property
    def image(self) -> QImage | None:
        return self._image

    def show_image(self, image: QImage | None) -> None:
        self._image = image
        self.update()

    @property
    def line(self) -> float:
        """Where the image that is wiped over begins, as a fraction of the width."""
        return self._line

    def show_over(self, image: QImage | None) -> None:
        """Draw another image of the same size over this one, to the right of a line that can be moved."""
        self._over = image
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, 240)

    def minimumSizeHint(self) -> QSize:
        return QSize(96, 96)

    def image_rect(self) -> QRectF:
        """Where the whole image lies, in this widget's coordinates; parts may be outside."""
        if self._image is None or self._image.isNull():
            return QRectF()
        scale = self._viewport.zoom * min(
            self.width() / self._image.width(), self.height() / self._image.height()
        )
        width, height = self._image.width() * scale, self._image.height() * scale
        center = self._viewport.center
        return QRectF(
            self.width() / 2 - center.x() * width, self.height() / 2 - center.y() * height, width, height
        )

    def to_image(self, position: QPointF) -> QPointF:
        """A widget position as fractions of the image's sides."""
        rect = self.image_rect()
        if rect.isEmpty():
            return QPointF(HOME)
        return QPointF((position.x() - rect.x()) / rect.width(), (position.y() - rect.y()) / rect.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Window))
        if self._image is not None and not self._image.isNull():
            target = self.image_rect()
            enlarged = target.width() > self._image.width()
            # Enlarged: every pixel as it is, no smoothing.
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not enlarged)
            painter.drawImage(target, self._image, QRectF(self._image.rect()))
            self._paint_over(painter, target)
            self._paint_pointer(painter, target)
        if self.hasFocus():
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Highlight), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    def _paint_over(self, painter: QPainter, target: QRectF) -> None:
        if self._over is None:
            return
        x = target.x() + self._line * target.width()
        painter.save()
        painter.setClipRect(QRectF(x, target.y(), target.right() - x, target.height()))
        painter.drawImage(target, self._over, QRectF(self._over.rect()))
        painter.restore()
        for color, width in ((Qt.GlobalColor.black, 3), (Qt.GlobalColor.white, 1)):
            painter.setPen(QPen(color, width))
            painter.drawLine(QPointF(x, target.y()), QPointF(x, target.bottom()))

    def _move_line(self, line: float) -> None:
        self._line = min(max(line, 0.0), 1.0)
        self.update()

    def _near_line(self, position: QPointF) -> bool:
        rect = self.image_rect()
        return self._over is not None and abs(rect.x() + self._line * rect.width() - position.x()) <= LINE_PX

    def _paint_pointer(self, painter: QPainter, target: QRectF) -> None:
        """Outline the pixel under the mouse, in every view."""
        pointer = self._viewport.pointer
        if pointer is None or self._image is None:
            return
        columns, rows = self._image.width(), self._image.height()
        side = target.width() / columns
        column, row = int(pointer.x() * columns), int(pointer.y() * rows)
        pixel = QRectF(target.x() + column * side, target.y() + row * side, side, side)
        if side < 5:  # too small to outline: a ring around it
            center = pixel.center()
            pixel = QRectF(center.x() - 4, center.y() - 4, 8, 8)
        painter.setPen(QPen(Qt.GlobalColor.black, 3))
        painter.drawRect(pixel)
        painter.setPen(QPen(Qt.GlobalColor.white, 1))
        painter.drawRect(pixel)

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = event.angleDelta().y() / 120
        self._viewport.zoom_about(WHEEL_STEP**notches, self.to_image(event.position()))
        self._point(event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag_from = event.position()
            self._drags_line = self._near_line(event.position())
            shape = Qt.CursorShape.SplitHCursor if self._drags_line else Qt.CursorShape.ClosedHandCursor
            self.setCursor(shape)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        rect = self.image_rect()
        if self._drags_line:
            self._move_line(self.to_image(event.position()).x())
        elif self._drag_from is not None and not rect.isEmpty():
            moved = event.position() - self._drag_from
            self._drag_from = event.position()
            self._viewport.pan(QPointF(moved.x() / rect.width(), moved.y() / rect.height()))
        self._point(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag_from = None
        self._drags_line = False
        self.setCursor(Qt.CursorShape.CrossCursor)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._viewport.fit()

    def enterEvent(self, event: QEnterEvent) -> None:
        self._point(event.position())

    def leaveEvent(self, event: QEvent) -> None:
        self._viewport.point_at(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_0:
            self._viewport.fit()
        elif event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self._viewport.zoom_about(KEY_STEP, self._viewport.center)
        elif event.key() == Qt.Key.Key_Minus:
            self._viewport.zoom_about(1 / KEY_STEP, self._viewport.center)
        elif event.key() in LINE_KEYS and self._over is not None:
            self._move_line(self._line + LINE_KEYS[Qt.Key(event.key())])
        elif event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self.blink.emit(True)
        else:
            super().keyPressEvent(event)  # ignores it, so that the parent gets it

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self.blink.emit(False)
        else:
            super().keyReleaseEvent(event)

    def _point(self, position: QPointF) -> None:
        point = self.to_image(position)
        inside = not self.image_rect().isEmpty() and 0 <= point.x() < 1 and 0 <= point.y() < 1
        self._viewport.point_at(point if inside else None)
