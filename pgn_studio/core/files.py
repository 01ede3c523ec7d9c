"""Writing files so that a crash leaves the old one or the new one, never half of either."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


_DISK_GONE = (errno.ESTALE, errno.EIO, errno.ENODEV, errno.ENOTCONN, errno.ENXIO, errno.EHOSTDOWN)
_TEMPORARY = re.compile(r"\.[\w-]+-[a-z0-9_]{8}\.\w+")
_ERROR_NUMBER = re.compile(r"\(os error (\d+)\)")
_DESCRIPTOR = re.compile(r"/(?:dev/fd|proc/self/fd)/(\d+)")
_STANDARD = {"/dev/stdout": 1, "/dev/stderr": 2}
_UMASK = _umask()  # read once, at import: reading it means setting it, for all threads


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to disk and put it in place.

    The temporary keeps the suffix of `path`, since some writers go by it. On an exception
    it is removed and `path` is left as it was. A link stays, and the file that it leads to is replaced.
    Raises OSError for a device or a pipe, which a file must not take the place of.
    """
    place = _behind_links(path)
    if is_stream(path) or (place.exists() and not place.is_file() and not place.is_dir()):
        raise OSError(errno.EINVAL, "a pipe or a device, where a regular file was expected", str(path))
    if place == path:
        path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{place.stem}-", suffix=path.suffix, dir=place.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        with _rust_errors_as_os_errors():
            yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_UMASK)  # mkstemp makes 0600
        temporary.replace(place)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _behind_links(path: Path) -> Path:
    """Where writing to `path` ends, there already or not. Raises OSError for links in a circle."""
    if not path.is_symlink():
        return path
    place = Path(os.path.realpath(path))
    if place.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return place


def is_stream(path: Path) -> bool:
    """Whether what is written to `path` flows on: a pipe, a terminal, or an open descriptor's name."""
    if _descriptor_of(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def is_stdout(path: Path) -> bool:
    return _descriptor_of(path) == 1


def _descriptor_of(path: Path) -> int | None:
    found = _DESCRIPTOR.fullmatch(path.as_posix())
    return int(found[1]) if found else _STANDARD.get(path.as_posix())


def _write_through(path: Path, text: str) -> None:
    """Into a stream. A descriptor's copy, since opening the name of one anew would start at its beginning."""
    number = _descriptor_of(path)
    for output in (sys.stdout, sys.stderr):
        if number is not None and output is not None:
            output.flush()  # what was said before comes before
    target: Path | int = path if number is None else os.dup(number)
    with open(target, "w", encoding="utf-8") as stream:
        stream.write(text)


def way_out(error: OSError) -> str:
    """What to do where a folder cannot be written."""
    if error.errno in _DISK_GONE:
        return "Bring the disk or the network share back, then continue."
    return "Choose a folder that you may write to, on a disk with free space."


@contextmanager
def _rust_errors_as_os_errors() -> Iterator[None]:
    """A full disk as the OSError that it is, where safetensors only tells it in words."""
    try:
        yield
    except Exception as error:
        number = _ERROR_NUMBER.search(str(error))
        if number is None or isinstance(error, OSError):
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


def remove_leftovers(folder: Path) -> None:
    """Remove the temporaries that `replacing` left in `folder` when its process was killed.

    Only for folders that nobody else is writing to.
    """
    for path in _temporaries(folder, "*", ".*"):
        with suppress(OSError):
            path.unlink()


def leftovers_of(path: Path) -> list[Path]:
    """The temporaries that `replacing` left beside `path` when its process was killed."""
    return _temporaries(path.parent, path.stem, path.suffix)


def _temporaries(folder: Path, stem: str, suffix: str) -> list[Path]:
    found = folder.glob(f".{stem}-????????{suffix}")
    return [path for path in found if _TEMPORARY.fullmatch(path.name)]


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`; on success put it in the place of `path`, with all it held.

    On an exception it is removed and `path` is left as it was. Where an earlier folder is replaced
    there is a moment between two renames when `path` is missing, never one when it is half there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        inside = temporary / path.name
        inside.mkdir()
        yield inside
        for file in inside.iterdir():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
        earlier = temporary / "earlier"
        if path.exists():
            path.rename(earlier)
        try:
            inside.rename(path)
        except OSError:
            if earlier.exists():
                earlier.rename(path)
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically; NaN and infinity are refused (ValueError).

    Into a pipe, a terminal or /dev/stdout it is written as it stands: nothing is replaced there.
    """
    text = json.dumps(value, indent=2, allow_nan=False)
    if is_stream(path):
        _write_through(path, text + "\n")
        return
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def parse_json(text: str | bytes) -> Any:
    """The value of `text`, which may come from anywhere; ValueError for all that is no sensible JSON."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def sha256_of_file(path: Path) -> str:
    """The file's SHA-256 as 64 hex digits; reads 1 MiB at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_regular(path: Path) -> None:
    """Raises OSError for a device or a pipe, which could be read for ever."""
    if not path.is_file() and path.exists():
        raise OSError(errno.EINVAL, "not a regular file")


def reason_of(error: OSError) -> str:
    return error.strerror or type(error).__name__
