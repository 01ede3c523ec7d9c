"""A lock that dies with its process: the operating system's, on a file that says who holds it.

A killed process leaves the file behind, never the lock; whoever comes next takes the file over.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import sys
import time
import weakref
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

log = logging.getLogger(__name__)

_TRIES = 5  # `holder_of` holds the lock for a moment while it looks
_PAUSE_SECONDS = 0.02
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # Windows shuts readers out of what is locked: lock where nothing is

    def _try_lock(descriptor: int, *, shared: bool) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _try_lock(descriptor: int, *, shared: bool) -> None:
        # flock, not lockf: it also keeps two windows of one process apart.
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


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
        descriptor = _locked(path)
        self._release = weakref.finalize(self, _unlock, descriptor, path)
        me = Holder(os.getpid(), socket.gethostname(), datetime.now(timezone.utc).isoformat())
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(asdict(me)).encode())

    def release(self) -> None:
        self._release()


def holder_of(path: Path) -> Holder | None:
    """Who holds the lock on `path`; None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    except OSError:
        return None
    try:
        _try_lock(descriptor, shared=True)
    except OSError as error:
        return _read(path) if error.errno in _HELD else None
    finally:
        os.close(descriptor)
    return None


def _locked(path: Path) -> int:
    """A descriptor of `path` that holds the lock."""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _try_lock(descriptor, shared=False)
        except OSError as error:
            if error.errno in _HELD:
                os.close(descriptor)
                continue
            log.warning("%s cannot be locked (%s): nothing keeps a second process away.", path, error)
        if _is_still(descriptor, path):
            return descriptor
        os.close(descriptor)  # its holder removed it between our opening and locking
    raise LockedError(_read(path))


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def _unlock(descriptor: int, path: Path) -> None:
    if sys.platform != "win32":
        with suppress(OSError):  # the folder may be gone
            path.unlink()  # while it is locked: nobody can be taking it over
    os.close(descriptor)
    if sys.platform == "win32":
        with suppress(OSError):  # refused while another process has it open
            path.unlink()


def _read(path: Path) -> Holder:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return Holder(int(value["pid"]), str(value["host"]), str(value["since"]))
    except (OSError, ValueError, LookupError, TypeError):
        return Holder()
