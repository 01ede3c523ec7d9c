"""The log file: what a command did, and the tracebacks that the terminal never shows.

A crash of the interpreter itself (a fault in a library's C code) is written by faulthandler to a file
of its own, since it must not be renamed while it is open; the next start moves it into the log.
"""

from __future__ import annotations

import faulthandler
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from pgn_studio.core.files import check_regular
from pgn_studio.core.paths import log_file

log = logging.getLogger(__name__)

CRASHES = "crash.log"
_MAX_BYTES = 1_000_000
_BACKUPS = 3
_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"


class QuietFileHandler(RotatingFileHandler):
    """Drops what it cannot write (a full disk, a log folder that is gone) instead of telling the terminal."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        pass

    def close(self) -> None:
        with suppress(OSError):  # of what was still to be flushed; the file is closed nevertheless
            super().close()


@contextmanager
def logging_to_file() -> Iterator[Path | None]:
    """Send all log records and Python warnings to the log file; yields its path.

    A log that cannot be written never stops a command: None then, and the records are dropped.
    """
    handler, path = _handler()
    handler.setFormatter(logging.Formatter(_FORMAT))
    root, ours = logging.getLogger(), logging.getLogger("pgn_studio")
    level = ours.level
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    logging.captureWarnings(True)
    in_threads = threading.excepthook
    threading.excepthook = _thread_failed
    try:
        with _crashes_to_file(path):
            yield path
    finally:
        threading.excepthook = in_threads
        logging.captureWarnings(False)
        ours.setLevel(level)
        root.removeHandler(handler)
        handler.close()


@contextmanager
def _crashes_to_file(log_path: Path | None) -> Iterator[None]:
    if log_path is None or faulthandler.is_enabled():  # by the user, or by pytest
        yield
        return
    file = log_path.with_name(CRASHES)
    try:
        report_crash(file)
        stream = file.open("ab")
    except OSError as error:
        log.warning("Crashes cannot be written to %s: %s", file, error)
        yield
        return
    faulthandler.enable(stream)
    try:
        yield
    finally:
        faulthandler.disable()
        stream.close()


def report_crash(file: Path) -> None:
    """Move what an earlier process wrote when it crashed into the log."""
    if not file.is_file() or not file.stat().st_size:
        return
    with file.open("r+", encoding="utf-8", errors="replace") as stream:
        when = datetime.fromtimestamp(file.stat().st_mtime).astimezone()
        text = stream.read(_MAX_BYTES)
        stream.truncate(0)
    log.critical("An earlier process crashed at %s:\n%s", f"{when:%Y-%m-%d %H:%M:%S}", text)


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    name = failure.thread.name if failure.thread else "?"
    trace = (failure.exc_type, failure.exc_value or failure.exc_type(), failure.exc_traceback)
    log.critical("Uncaught exception in the thread %s.", name, exc_info=trace)


def _handler() -> tuple[logging.Handler, Path | None]:
    path = log_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        check_regular(path)  # opening a pipe would wait for its reader
        handler = QuietFileHandler(
            path, maxBytes=_MAX_BYTES, backupCount=_BACKUPS, encoding="utf-8", errors="backslashreplace"
        )
    except OSError:
        return logging.NullHandler(), None
    return handler, path
