"""What part of an image is seen: shared by the three views, which ties their zoom and pan."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPointF, Signal

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
