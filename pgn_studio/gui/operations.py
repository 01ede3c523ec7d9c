"""Long work off the GUI thread: an operation, what to do with its result, what on failure."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QCoreApplication, QObject, QRunnable, QThread, QThreadPool, QTimer, Signal, Slot
from shiboken6 import isValid

from pgn_studio.core.errors import Canceled, PgnStudioError
from pgn_studio.gui.lazy_imports import wait_until_settled

if TYPE_CHECKING:
    from pgn_studio.core.protocols import Progress


T = TypeVar("T")
logger = logging.getLogger(__name__)

MAX_THREADS = 8  # so that a long load or export never holds up a short request
PROGRESS_INTERVAL_S = 0.05  # more reports than 20 a second would only keep the event loop busy


class Operation(QObject):
    """Work in progress; a child of the QObject that asked for it, and canceled when that dies.

    `finished` comes exactly once, last, whether it succeeded, failed or was canceled.
    """

    finished = Signal()

    def __init__(self, parent: QObject, canceling: threading.Event) -> None:
        super().__init__(parent)
        self._canceling = canceling
        self._done = False

    def cancel(self) -> None:
        """Ask the work to end at its next progress report. No success or failure follows."""
        self._canceling.set()

    @property
    def canceled(self) -> bool:
        return self._canceling.is_set()

    @property
    def running(self) -> bool:
        return not self._done

    def _finish(self) -> None:
        self._done = True
        self.finished.emit()
        if isValid(self):  # a slot of `finished` may have deleted the parent
            self.deleteLater()


@dataclass(frozen=True)
class _Callbacks:
    operation: Operation
    success: Callable[[Any], object]
    failure: Callable[[Exception], object]
    progress: Callable[[int, int], object] | None


@dataclass(frozen=True)
class _Succeeded:
    value: object


@dataclass(frozen=True)
class _Failed:
    error: Exception


@dataclass(frozen=True)
class _Advanced:
    done: int
    total: int


class _Stopped:
    """The work ended because it was canceled."""


class _Task(QRunnable):
    """Runs one operation in a pool thread and reports to the dispatcher by its signal."""

    def __init__(self, key: int, operation: Callable[[Progress], object], dispatcher: _Dispatcher) -> None:
        super().__init__()
        self.setAutoDelete(False)  # Python owns it: the dispatcher holds it until it has reported
        self.canceling = threading.Event()
        self._key = key
        self._operation: Callable[[Progress], object] | None = operation
        self._dispatcher = dispatcher
        self._last_report_s = -1.0

    def let_go(self) -> None:
        """Of what was worked with: the pool keeps a reference to every task that it ever ran."""
        self._operation = None

    def run(self) -> None:
        self._report(self._outcome())

    def _outcome(self) -> object:
        try:
            wait_until_settled()
            if self.canceling.is_set() or self._operation is None:
                return _Stopped()
            return _Succeeded(self._operation(self._progress))
        except Canceled:
            return _Stopped()
        except Exception as error:  # noqa: BLE001 - every failure goes to on_failure
            return _Failed(error)

    def _progress(self, done: int, total: int) -> None:
        if self.canceling.is_set():
            raise Canceled
        now_s = time.monotonic()
        if done >= total > 0 or now_s - self._last_report_s >= PROGRESS_INTERVAL_S:
            self._last_report_s = now_s
            self._report(_Advanced(done, total))

    def _report(self, report: object) -> None:
        with suppress(RuntimeError):  # the application is gone: nobody is left to tell
            self._dispatcher.reported.emit(self._key, report)


class _Dispatcher(QObject):
    """Lives on the GUI thread, owns the pool, and hands reports to the callbacks."""

    reported = Signal(int, object)

    def __init__(self, application: QCoreApplication) -> None:
        super().__init__(application)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(MAX_THREADS)
        self._keys = itertools.count()
        self._tasks: dict[int, _Task] = {}
        self._callbacks: dict[int, _Callbacks] = {}
        self.reported.connect(self._deliver)
        application.aboutToQuit.connect(self._shut_down)

    def start(
        self,
        parent: QObject,
        work: Callable[[Progress], object],
        success: Callable[[Any], object],
        failure: Callable[[Exception], object],
        progress: Callable[[int, int], object] | None,
    ) -> Operation:
        key = next(self._keys)
        task = _Task(key, work, self)
        operation = Operation(parent, task.canceling)
        operation.destroyed.connect(self._cancel_orphans)
        self._tasks[key] = task
        self._callbacks[key] = _Callbacks(operation, success, failure, progress)
        self._pool.start(task)
        return operation

    def wait(self, timeout_ms: int, *, cancel: bool) -> bool:
        if cancel:
            for task in self._tasks.values():
                task.canceling.set()
        done = self._pool.waitForDone(timeout_ms)
        # Deliver what the threads reported last, so that nothing reaches a window that has closed.
        QCoreApplication.sendPostedEvents(self)
        return done

    @Slot(int, object)
    def _deliver(self, key: int, report: object) -> None:
        callbacks = self._callbacks.get(key)
        if isinstance(report, _Advanced):
            if callbacks and callbacks.progress and _wanted(callbacks.operation):
                callbacks.progress(report.done, report.total)
            return
        task = self._tasks.pop(key, None)
        if task is not None:
            task.let_go()
        callbacks = self._callbacks.pop(key, None)
        if callbacks is None or not isValid(callbacks.operation):
            return
        try:
            if not callbacks.operation.canceled:
                _conclude(callbacks, report)
        finally:
            if isValid(callbacks.operation):
                callbacks.operation._finish()

    @Slot()
    def _cancel_orphans(self) -> None:
        for key, callbacks in list(self._callbacks.items()):
            if not isValid(callbacks.operation):
                self._tasks[key].canceling.set()
                del self._callbacks[key]  # with it what the callbacks hold

    @Slot()
    def _shut_down(self) -> None:
        self.wait(5_000, cancel=True)


def _wanted(operation: Operation) -> bool:
    return isValid(operation) and not operation.canceled


def _conclude(callbacks: _Callbacks, report: object) -> None:
    if isinstance(report, _Succeeded):
        callbacks.success(report.value)
    elif isinstance(report, _Failed):
        if not isinstance(report.error, PgnStudioError):
            logger.error("An operation failed unexpectedly.", exc_info=report.error)
        callbacks.failure(report.error)


def _dispatcher() -> _Dispatcher:
    application = QCoreApplication.instance()
    if application is None:
        raise RuntimeError("run_in_background needs a running QApplication.")
    found = application.findChild(_Dispatcher)
    return found if found is not None else _Dispatcher(application)


def run_in_background(
    parent: QObject,
    operation: Callable[[Progress], T],
    on_success: Callable[[T], object],
    on_failure: Callable[[Exception], object],
    *,
    on_progress: Callable[[int, int], object] | None = None,
) -> Operation:
    """Run `operation(progress)` off the GUI thread; the callbacks run on it. Call from the GUI thread.

    `progress(done, total)` raises Canceled once the operation was canceled or `parent` was
    deleted; at most 20 reports a second reach `on_progress`, the last one always. After a
    cancellation neither `on_success` nor `on_failure` is called, only `finished` is emitted;
    after the deletion of `parent` nothing is called at all. `operation` must not touch widgets.
    """
    if QThread.currentThread() is not parent.thread():
        raise RuntimeError("run_in_background must be called on the thread of its parent.")
    return _dispatcher().start(parent, operation, on_success, on_failure, on_progress)


def wait_for_all(timeout_ms: int, *, cancel: bool = True) -> bool:
    """Cancel what still runs (unless `cancel` is False) and wait; for closing the window.

    Returns False when something still ran after `timeout_ms`.
    """
    return _dispatcher().wait(timeout_ms, cancel=cancel)


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
