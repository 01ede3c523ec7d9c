"""A crash leaves its traceback: in the log, or in a file that the next start moves there."""

from __future__ import annotations

import errno
import io
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pgn_studio.cli.logs import CRASHES, QuietFileHandler, logging_to_file
from pgn_studio.core.paths import log_file
from tests.cli.conftest import RunCommand

CRASH = """
import faulthandler
from pgn_studio.cli.logs import logging_to_file
with logging_to_file():
    faulthandler._sigabrt()
"""


def test_a_crash_of_the_interpreter_is_in_the_next_starts_log(tmp_path: Path) -> None:
    environment = {**os.environ, "PGN_STUDIO_HOME": str(tmp_path)}
    environment.pop("PYTHONFAULTHANDLER", None)

    def start(code: str) -> int:
        return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True).returncode

    assert start(CRASH) != 0
    crashes = tmp_path / "log" / CRASHES
    assert "Fatal Python error: Aborted" in crashes.read_text()
    assert start(CRASH.replace("faulthandler._sigabrt()", "pass")) == 0
    assert crashes.read_text() == ""
    text = (tmp_path / "log" / "pgn-studio.log").read_text()
    assert "An earlier process crashed at 20" in text
    assert "Fatal Python error: Aborted" in text
    assert "<module>" in text


def test_what_a_thread_raises_is_in_the_log() -> None:
    def fail() -> None:
        raise ValueError("in a thread")

    before = threading.excepthook
    with logging_to_file() as path:
        thread = threading.Thread(target=fail, name="worker-7")
        thread.start()
        thread.join()
    assert threading.excepthook is before
    assert path is not None
    text = path.read_text()
    assert "Uncaught exception in the thread worker-7." in text
    assert "ValueError: in a thread" in text


class FullDisk(io.StringIO):
    """Nothing can be written, and what is left to be flushed is tried again when it is closed."""

    def flush(self) -> None:
        if not self.closed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        try:
            self.flush()
        finally:
            super().close()


def test_a_log_on_a_full_disk_stops_no_command(
    pgn_studio: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = logging.getLogger().handlers[:]
    with monkeypatch.context() as patch:
        patch.setattr(QuietFileHandler, "_open", lambda _handler: FullDisk())
        done = pgn_studio("runs")
        refused = pgn_studio("evaluate", "no-such-run")
    assert done.code == 0
    assert "Traceback" not in done.err
    assert "Logging error" not in done.err
    assert refused.code == 2
    assert len(refused.error_lines) == 1
    assert logging.getLogger().handlers == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_log_that_is_a_pipe_is_not_waited_for(
    pgn_studio: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGN_STUDIO_HOME", str(tmp_path))
    log_file().parent.mkdir(parents=True)
    os.mkfifo(log_file())
    assert pgn_studio("runs").code == 0


def test_a_name_that_is_no_text_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    with logging_to_file() as path, monkeypatch.context() as patch:
        ours = [handler for handler in root.handlers if isinstance(handler, QuietFileHandler)]
        patch.setattr(root, "handlers", ours)  # pytest's own would hand it to xdist, which takes only text
        logging.getLogger("pgn_studio").warning("read %s", "photo-\udcff.png")
    assert path is not None
    assert "photo-\\udcff.png" in path.read_text()
