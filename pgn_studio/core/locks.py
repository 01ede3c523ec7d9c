"""A lock that dies with its process, and a file beside it that says who holds it.

A killed process leaves both files behind, never the lock; whoever comes next takes them over.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import sys
import weakref
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 0.1  # `holder_of` holds the lock for a moment while it looks
_PAUSE_SECONDS = 0.02
_NO_LOCKS_HERE = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)


@dataclass(frozen=True)
class Holder:
    """Who holds a lock; `pid` 0 and empty texts where the file does not say."""

    pid: int = 0
    host: str = ""
    since: str = ""  # ISO 8601, UTC

    def __str__(self) -> str:
        if not self.pid:
            return "another process"
        text = f"process {self.pid} on {self.host}"
        try:
            moment = datetime.fromisoformat(self.since).astimezone()
        except ValueError:
            return text
        return f"{text} since {moment:%Y-%m-%d %H:%M}"


class LockedError(Exception):
    """Somebody else holds the lock."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(str(holder))
        self.holder = holder


class Lock:
    """Held from its making until `release`, or until it is forgotten, or until the process ends.

    Raises LockedError when somebody else holds it, OSError when the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        lock = _file_lock(path)
        try:
            lock.acquire()
        except Timeout:
            raise LockedError(_read(path)) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:
                raise
            log.warning("%s cannot be locked (%s): nothing keeps a second process away.", path, error)
        self._release = weakref.finalize(self, _release, lock, path)
        me = Holder(os.getpid(), socket.gethostname(), datetime.now(timezone.utc).isoformat())
        holder_file(path).write_text(json.dumps(asdict(me)), encoding="utf-8")

    def release(self) -> None:
        self._release()


def holder_of(path: Path) -> Holder | None:
    """Who holds the lock on `path`; None when nobody does."""
    if not path.exists():
        return None
    lock = _file_lock(path)
    try:
        lock.acquire()
    except Timeout:
        return _read(path)
    except PermissionError:  # another user's: it cannot be asked for, and its process may live
        holder = _read(path)
        here = holder.host == socket.gethostname()
        return None if here and not psutil.pid_exists(holder.pid) else holder
    except OSError:
        return None
    lock.release()
    return None


def holder_file(path: Path) -> Path:
    """Where the holder of the lock on `path` is written: Windows lets nobody read what is locked."""
    return path.with_name(f"{path.name}.json")


def _file_lock(path: Path) -> FileLock:
    """Threads share it; where the file system has no locks it raises OSError instead of a makeshift."""
    return FileLock(
        path,
        timeout=_PATIENCE_SECONDS,
        poll_interval=_PAUSE_SECONDS,
        thread_local=False,
        fallback_to_soft=False,
        preserve_lock_file=True,
    )


def _release(lock: FileLock, path: Path) -> None:
    with suppress(OSError):  # the folder may be gone
        holder_file(path).unlink()
    if sys.platform != "win32":
        with suppress(OSError):
            path.unlink()  # while it is locked: nobody can be taking it over
    lock.release()
    if sys.platform == "win32":
        with suppress(OSError):  # refused while another process has it open
            path.unlink()


def _read(path: Path) -> Holder:
    """What the file beside the lock says; an earlier version wrote it into the lock itself."""
    for file in (holder_file(path), path):
        with suppress(OSError, ValueError, LookupError, TypeError):
            value = json.loads(file.read_text(encoding="utf-8"))
            return Holder(int(value["pid"]), str(value["host"]), str(value["since"]))
    return Holder()
