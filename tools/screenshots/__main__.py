"""Drives the demo in a real window and takes its pictures; ends by itself, whatever happens.

`--only start,inspect` takes some of them (train needs inspect, runs needs train, all others inspect);
`--size`, `--density` and `--text` are for looking at the window as others see it.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSettings

from pgn_studio.gui.app import Launcher, make_application
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.theme import current_theme
from tools.screenshots.camera import Camera, wait_until
from tools.screenshots.scenes import SCENES, START, Stage

NEEDED = {"runs": ("inspect", "train")}  # what must have been prepared; "inspect" for all others


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    if options.density != 1:
        os.environ["QT_SCALE_FACTOR"] = f"{options.density:g}"
    faulthandler.dump_traceback_later(options.limit, exit=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["PGN_STUDIO_HOME"] = home  # neither this user's runs nor their window's layout
        _take_all(options, Path(home))
    faulthandler.cancel_dump_traceback_later()
    return 0


def _take_all(options: argparse.Namespace, home: Path) -> None:
    make_application(["pgn-studio"])
    current_theme().apply("light")
    current_theme().set_text_size(options.text)
    preferences = Preferences(QSettings(str(home / "window.ini"), QSettings.Format.IniFormat))
    preferences.tour_seen = True  # it has a picture of its own
    window = MainWindow(preferences)
    window.resize(*options.size)
    window.show()
    camera = Camera(options.out)
    wanted = options.only or [START, *(scene.name for scene in SCENES)]
    if START in wanted:
        camera.take(START, window)
    launcher = Launcher(window, demo=False)
    launcher.start()
    try:
        if not wait_until(lambda: window.controller is not None, options.patience):
            raise SystemExit("torch could not be imported.")
        stage = Stage(window, home, patience_s=options.patience)
        window.resize(*options.size)
        for scene in SCENES:
            if not _concerns(scene.name, wanted):
                continue
            began = time.monotonic()
            widget = scene.prepare(stage)
            if scene.name in wanted:
                camera.take(scene.name, widget)
            stage.clear()
            sys.stdout.write(f"{scene.name}: {time.monotonic() - began:.1f} s\n")
            sys.stdout.flush()
        stage.finish()
    finally:
        window.close()
        launcher.wait()


def _concerns(name: str, wanted: Sequence[str]) -> bool:
    """Whether a scene is wanted, or needed by one that is."""
    needed = {other for scene in wanted if scene != START for other in NEEDED.get(scene, ("inspect",))}
    return name in wanted or name in needed


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"), help="folder for the pictures")
    parser.add_argument("--only", type=lambda text: text.split(","), help="names of pictures, with commas")
    parser.add_argument("--size", type=_size, default=(1280, 800), help="of the window: 1280x800")
    parser.add_argument("--density", type=float, default=1.0, help="pixels of the screen for one of ours")
    parser.add_argument("--text", type=int, default=100, help="text size in per cent")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds that one thing may take")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds after which it ends in any case")
    return parser.parse_args(argv)


def _size(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)


if __name__ == "__main__":
    sys.exit(main())
