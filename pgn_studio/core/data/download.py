"""Downloading named data sets with torchvision, in a process of its own that can be canceled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.config import DataSettings
from pgn_studio.core.errors import DataError
from pgn_studio.core.paths import data_folder
from pgn_studio.core.protocols import Progress

_POLL_S = 0.2
_FETCH = """
import sys
from torchvision import datasets
kind, folder, *options = sys.argv[1:]
getattr(datasets, kind)(folder, download=True, **dict(option.split("=") for option in options))
"""


def download(kind: str, root: Path, progress: Progress, *, options: Sequence[str] = (), offline: str) -> None:
    """Put the files of torchvision's data set class `kind` below `root`, or leave `root` as it was.

    `options` are "name=value" arguments of that class; `offline` says where to put the files by
    hand. `progress` gets (MiB so far, 0). Raises DataError when the download fails.
    """
    temporary: Path | None = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".download-", dir=root))
        _fetch(_command(kind, temporary, options), temporary, progress)
        archives = shutil.ignore_patterns("*.tar.gz", "*.tgz", "*.gz")
        shutil.copytree(temporary, root, ignore=archives, copy_function=os.replace, dirs_exist_ok=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise DataError(f"Downloading {kind} to {root} failed: {error}.", hint=offline) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _command(kind: str, folder: Path, options: Sequence[str]) -> list[str]:
    return [sys.executable, "-c", _FETCH, kind, str(folder), *options]


def _fetch(command: Sequence[str], folder: Path, progress: Progress) -> None:
    """Run `command` to its end; stop it when `progress` raises. Raises OSError with its last words."""
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output
        ) as process,
    ):
        try:
            while not _ended(process):
                progress(_mebibytes(folder), 0)
        except BaseException:
            process.kill()
            raise
        if process.returncode != 0:
            raise OSError(_last_line(output) or f"exit code {process.returncode}")


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=_POLL_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _mebibytes(folder: Path) -> int:
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.path.getsize(os.path.join(parent, name))
            except OSError:  # moved or removed by the download meanwhile
                continue
    return size // 2**20


def _last_line(output: IO[bytes]) -> str:
    output.seek(0)
    lines = output.read().decode("utf-8", "replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def files_root(settings: DataSettings) -> Path:
    """Where the files of a named data set lie. Raises DataError for a file."""
    root = settings.data_root.expanduser().absolute() if settings.data_root else data_folder()
    if root.exists() and not root.is_dir():
        raise DataError(
            f"Expected a folder, found a file: {root}.",
            hint=Advice("Name a folder with {}.", Setting("data_root")),
        )
    return root


def get_files(
    kind: str, settings: DataSettings, progress: Progress, *, options: Sequence[str] = (), offline: str
) -> None:
    """Download where that is allowed. Raises DataError, which says how to go without."""
    root = files_root(settings)
    if not settings.download:
        raise DataError(
            f"No {kind} in {root}.",
            hint=Advice("Allow its download with {}. Or: {}", Setting("download", True), offline),
        )
    download(kind, root, progress, options=options, offline=offline)
