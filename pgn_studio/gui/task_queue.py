"""Background work one thing after another, told as it goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from pgn_studio.gui.operations import Operation, run_in_background

if TYPE_CHECKING:
    from pgn_studio.core.protocols import Progress


class TaskQueue(QObject):
    """What waits builds on what came before it: a failure gives it up."""

    task_started = Signal(str)
    task_progress = Signal(int, int)
    task_ended = Signal()
    failed = Signal(str, object)  # what was tried, the exception

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._waiting: deque[tuple[str, Callable[[Progress], Any], Callable[[Any], None], bool]] = deque()
        self._operation: Operation | None = None
        self._title = ""
        self._loads = False

    @property
    def busy(self) -> bool:
        return self._operation is not None

    @property
    def loading(self) -> bool:
        """Whether what is open is about to be replaced."""
        return (self.busy and self._loads) or any(loads for *_, loads in self._waiting)

    @Slot()
    def cancel(self) -> None:
        """Give up what is being done and what waits for it."""
        self._waiting.clear()
        if self._operation is not None:
            self._operation.cancel()

    def _enqueue(
        self,
        title: str,
        work: Callable[[Progress], Any],
        done: Callable[[Any], None],
        *,
        loads: bool = True,
    ) -> None:
        self._waiting.append((title, work, done, loads))
        self._next()

    def _next(self) -> None:
        if self._operation is not None or not self._waiting:
            return
        self._title, work, done, self._loads = self._waiting.popleft()
        self._operation = run_in_background(self, work, done, self._fail, on_progress=self._advance)
        self._operation.finished.connect(self._ended)
        self.task_started.emit(self._title)

    def _advance(self, done: int, total: int) -> None:
        self.task_progress.emit(done, total)

    def _fail(self, error: Exception) -> None:
        self._waiting.clear()
        self.failed.emit(self._title, error)

    @Slot()
    def _ended(self) -> None:
        self._operation = None
        self.task_ended.emit()
        self._next()
