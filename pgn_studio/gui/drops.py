"""Files dropped on the window, wherever the pointer is; kept while there is nobody to open them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QWidget


class FileDrops(QObject):
    """Takes the drops of a window."""

    dropped = Signal(str)  # a path, once `ready`
    waiting_changed = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.waiting: list[str] = []  # dropped before the window was ready
        self.ready = False
        self.refused = False  # the window will never be able to open anything
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def open_waiting(self) -> None:
        waiting, self.waiting = self.waiting, []
        for path in waiting:
            self.dropped.emit(path)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QDragEnterEvent):
            if _files(event) and not self.refused:
                event.acceptProposedAction()
            return True
        if isinstance(event, QDropEvent) and event.type() is QEvent.Type.Drop:
            event.acceptProposedAction()
            self._take(_files(event))
            return True
        return super().eventFilter(watched, event)

    def _take(self, paths: list[str]) -> None:
        self.waiting += paths
        if self.ready:
            self.open_waiting()
        else:
            self.waiting_changed.emit()


def _files(event: QDropEvent) -> list[str]:
    return [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
