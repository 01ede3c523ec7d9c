"""One of the tied views: paints an image through the shared viewport."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
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

from pgn_studio.gui.inspection.viewport import HOME, Viewport

WHEEL_STEP = 1.25  # zoom factor per notch
KEY_STEP = 1.5


class ImageView(QWidget):
    """Wheel zooms around the cursor, dragging pans, double click or 0 fits, + and - zoom.

    Keys that it has no use for, the arrows among them, go on to the page.
    """

    blink = Signal(bool)  # the space bar went down or up: compare original and perturbed

    def __init__(self, viewport: Viewport, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewport = viewport
        self._image: QImage | None = None
        self._drag_from: QPointF | None = None
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
        centre = self._viewport.centre
        return QRectF(
            self.width() / 2 - centre.x() * width, self.height() / 2 - centre.y() * height, width, height
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
            self._paint_pointer(painter, target)
        if self.hasFocus():
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Highlight), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

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
            centre = pixel.center()
            pixel = QRectF(centre.x() - 4, centre.y() - 4, 8, 8)
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
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        rect = self.image_rect()
        if self._drag_from is not None and not rect.isEmpty():
            moved = event.position() - self._drag_from
            self._drag_from = event.position()
            self._viewport.pan(QPointF(moved.x() / rect.width(), moved.y() / rect.height()))
        self._point(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag_from = None
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
            self._viewport.zoom_about(KEY_STEP, self._viewport.centre)
        elif event.key() == Qt.Key.Key_Minus:
            self._viewport.zoom_about(1 / KEY_STEP, self._viewport.centre)
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
