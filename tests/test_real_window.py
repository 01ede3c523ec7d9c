"""One start in a real window system: the plugin loads, the window appears, torch arrives, it closes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

SIZE = (1400, 900)

# Polls for the working pages, takes a picture of the whole screen and closes the window.
SCRIPT = """
import sys
from PySide6.QtCore import QTimer
from pgn_studio.gui.app import make_application, run_app
from pgn_studio.gui.main_window import MainWindow

application = make_application(["pgn-studio"])
assert application.platformName() == "xcb", application.platformName()

def look():
    (window,) = [item for item in application.topLevelWidgets() if isinstance(item, MainWindow)]
    if window.controller is not None and window.isVisible():
        timer.stop()
        QTimer.singleShot(300, lambda: finish(window))

def finish(window):
    assert application.primaryScreen().grabWindow(0).save(sys.argv[1])
    window.close()

timer = QTimer()
timer.timeout.connect(look)
timer.start(100)
sys.exit(run_app(["pgn-studio"]))
"""


@pytest.fixture
def display(tmp_path: Path) -> Iterator[str]:
    """A display of our own, on a number that the server chooses."""
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("Xvfb is not installed")
    reading, writing = os.pipe()
    screen = f"{SIZE[0]}x{SIZE[1]}x24"
    command = [server, "-displayfd", str(writing), "-screen", "0", screen, "-nolisten", "tcp"]
    with (tmp_path / "xvfb.log").open("w") as log:
        process = subprocess.Popen(command, pass_fds=[writing], stdout=log, stderr=log)
    os.close(writing)
    with os.fdopen(reading) as stream:
        number = stream.readline().strip()
    try:
        assert number, (tmp_path / "xvfb.log").read_text()
        yield f":{number}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.slow
def test_window_opens_and_closes(display: str, tmp_path: Path) -> None:
    picture = tmp_path / "screen.png"
    environment = {**os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
    environment.pop("WAYLAND_DISPLAY", None)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, picture],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "QThread" not in done.stderr
    with Image.open(picture) as screen:
        assert screen.size == SIZE
        colors = screen.convert("RGB").getcolors(maxcolors=SIZE[0] * SIZE[1])
    assert colors is not None
    assert len(colors) > 20  # an empty screen has one
