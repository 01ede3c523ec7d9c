"""Requests of which only the newest counts: the image that is chosen now, not those on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from pgn_studio.gui.operations import Operation, run_in_background

if TYPE_CHECKING:
    from pgn_studio.core.protocols import Progress


class LatestRequest(QObject):
    """Runs one piece of work at a time in the background; a newer request replaces older ones.

    Waits `delay_ms` before it starts, so that keys held down do not run every image between.
    """

    succeeded = Signal(object)
    failed = Signal(object)
    progressed = Signal(int, int)

    def __init__(self, parent: QObject, *, delay_ms: int) -> None:
        super().__init__(parent)
        self._wanted: Callable[[Progress], Any] | None = None
        self._operation: Operation | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._delay_ms = delay_ms
        self._timer.timeout.connect(self._start)

    def request(
        self, work: Callable[[Progress], Any], *, delay_ms: int | None = None, replacing: bool = True
    ) -> None:
        """`replacing`: the result of what runs now is of no use any more, when it comes."""
        self._wanted = work
        if self._operation is not None and replacing:
            self._operation.cancel()
        self._timer.start(self._delay_ms if delay_ms is None else delay_ms)

    def cancel(self) -> None:
        self._wanted = None
        self._timer.stop()
        if self._operation is not None:
            self._operation.cancel()

    def _start(self) -> None:
        # While one is running the next waits: a forward pass cannot be cut short, and several
        # at once would only slow each other down.
        if self._operation is not None or self._wanted is None:
            return
        work, self._wanted = self._wanted, None
        self._operation = run_in_background(
            self, work, self.succeeded.emit, self.failed.emit, on_progress=self.progressed.emit
        )
        self._operation.finished.connect(self._go_on)

    def _go_on(self) -> None:
        self._operation = None
        if self._wanted is not None and not self._timer.isActive():
            self._start()
