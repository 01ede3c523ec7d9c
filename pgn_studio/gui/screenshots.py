"""Pictures of the window for the docs: `python -m pgn_studio.gui.screenshots --out docs/screenshots`.

Drives the demo in a real window: the start page, fixed images in Inspect, a run half-way in Train.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QSettings, QSize
from PySide6.QtWidgets import QAbstractButton, QApplication

from pgn_studio.gui.app import Launcher, make_application
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.state import SessionState
from pgn_studio.gui.studio import Studio
from pgn_studio.gui.theme import current_theme

SIZE = QSize(1280, 800)
EPOCHS_BEFORE_GAMMA, EPOCHS_SHOWN = 2, 4


class Camera:
    """A window and the folder that its pictures go to."""

    def __init__(self, window: MainWindow, folder: Path) -> None:
        self._window = window
        self._folder = folder

    def take(self, name: str) -> None:
        """name-light.png and name-dark.png."""
        for theme in ("light", "dark"):
            current_theme().apply("light" if theme == "light" else "dark")
            settle(0.8)  # plots are redrawn in turns, thumbnails come in the background
            self._window.grab().save(str(self._folder / f"{name}-{theme}.png"))
        current_theme().apply("light")


def settle(seconds: float) -> None:
    wait_until(lambda: False, seconds)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Let the window live until `condition` holds; False when it did not in `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        if condition():
            return True
        time.sleep(0.005)
    return False


def open_fixed_image(studio: Studio, *, seconds: float) -> None:
    """The demo's evaluation, filtered to fixed images, with the first of them chosen."""
    studio.open_demo()
    if not wait_until(lambda: not studio.workspace.busy, seconds) or studio.error_dialog is not None:
        problem = studio.error_dialog.message.text() if studio.error_dialog else "it took too long"
        raise SystemExit(f"The demo could not be opened: {problem}")
    button = studio.inspection.findChild(QAbstractButton, "outcome-fixed")
    if isinstance(button, QAbstractButton) and not button.isChecked():
        button.click()
    settle(0.3)
    outcome = studio.inspection.gallery.model
    if outcome.rowCount():
        studio.inspection.gallery.view.setCurrentIndex(outcome.index(0, 0))
    settle(1.0)


def train_half_way(studio: Studio, *, seconds: float) -> None:
    """Start anew from the demo's settings and move γ, until there is something to see."""
    epochs = studio.training.history.epochs
    studio.start()
    wait_until(lambda: len(epochs) >= EPOCHS_BEFORE_GAMMA, seconds / 2)
    studio.setup.gamma.user_set(3 * studio.setup.gamma.value)
    wait_until(lambda: len(epochs) >= EPOCHS_SHOWN, seconds / 2)
    settle(1.0)


def main(argv: Sequence[str] | None = None) -> int:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"), help="folder for the pictures")
    parser.add_argument("--seconds", type=float, default=240.0, help="at most this long for the run")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as home:
        os.environ["PGN_STUDIO_HOME"] = home  # neither this user's runs nor their window's layout
        make_application(["pgn-studio"])
        current_theme().apply("light")
        state = SessionState(QSettings(str(Path(home) / "window.ini"), QSettings.Format.IniFormat))
        window = MainWindow(state)
        window.resize(SIZE)
        window.show()
        camera = Camera(window, options.out)
        camera.take("start")
        launcher = Launcher(window, demo=False)
        launcher.start()
        if not wait_until(lambda: window.studio is not None, 300) or window.studio is None:
            raise SystemExit("torch could not be imported.")
        studio = window.studio
        open_fixed_image(studio, seconds=120)
        camera.take("inspect")
        train_half_way(studio, seconds=options.seconds)
        camera.take("train")
        studio.closing = True
        studio.session.stop()
        wait_until(lambda: not studio.session.active, 120)
        window.close()
        launcher.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
