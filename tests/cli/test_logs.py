"""A crash leaves its traceback: in the log, or in a file that the next start moves there."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from pgn_studio.cli.logs import CRASHES, logging_to_file

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
