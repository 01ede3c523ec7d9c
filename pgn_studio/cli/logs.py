"""The log file: what a command did, and the tracebacks that the terminal never shows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

from pgn_studio.core.paths import log_file

_MAX_BYTES = 1_000_000
_BACKUPS = 3
_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"


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
    try:
        yield path
    finally:
        logging.captureWarnings(False)
        ours.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def _handler() -> tuple[logging.Handler, Path | None]:
    path = log_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return RotatingFileHandler(path, maxBytes=_MAX_BYTES, backupCount=_BACKUPS, encoding="utf-8"), path
    except OSError:
        return logging.NullHandler(), None
