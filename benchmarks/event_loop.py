"""How smooth the window stays while it trains digits on the CPU, and how soon it is there.

    python benchmarks/event_loop.py [--seconds 30]
    python benchmarks/event_loop.py --starts 3     the start alone, with all imports first and as it is

Lateness is how much later than due a 5-ms timer fires on the GUI thread, with all plots shown.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, QSettings, Qt, QTimer, Slot

from pgn_studio.gui.app import Launcher, make_application
from pgn_studio.gui.controller import Controller
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.theme import current_theme
from tools.screenshots.camera import settle, wait_until

INTERVAL_MS = 5

FIRST_WINDOW = """
import os, sys, time
began = time.perf_counter()
from pgn_studio.gui.app import make_application
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.theme import current_theme
application = make_application(["pgn-studio"])
current_theme().apply("light")
window = MainWindow(Preferences())
window.show()
application.processEvents()
print(time.perf_counter() - began)
"""


WORKING_PAGES = """
import sys, time
began = time.perf_counter()
from pgn_studio.gui import lazy_imports
from pgn_studio.gui.app import Launcher, make_application
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.theme import current_theme
if sys.argv[1] == "all":
    lazy_imports.FIRST, lazy_imports.LATER = (*lazy_imports.FIRST, *lazy_imports.LATER), ()
application = make_application(["pgn-studio"])
current_theme().apply("light")
window = MainWindow(Preferences())
window.show()
launcher = Launcher(window, demo=False)
launcher.start()
while window.controller is None:
    application.processEvents()
    time.sleep(0.002)
application.processEvents()
print(time.perf_counter() - began, time.process_time())
launcher.wait()
"""


class Lateness(QObject):
    """Notes, at each turn of a precise timer, how late it is in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.values_ms: list[float] = []
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._note)
        self._last = 0.0

    def start(self) -> None:
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    @Slot()
    def _note(self) -> None:
        now = time.perf_counter()
        self.values_ms.append(max(0.0, (now - self._last) * 1000 - INTERVAL_MS))
        self._last = now

    def row(self, name: str) -> str:
        p50, p99 = np.percentile(self.values_ms, [50, 99])
        return f"{name:<28}{p50:9.1f}{p99:9.1f}{max(self.values_ms):9.1f}"


def seconds_to_first_window() -> float:
    """In a process of its own, from the first import on, with warm disks."""
    seconds = []
    for _ in range(3):
        run = subprocess.run(
            [sys.executable, "-c", FIRST_WINDOW], capture_output=True, text=True, check=True, env=os.environ
        )
        seconds.append(float(run.stdout.split()[-1]))
    return min(seconds)


def compare_starts(rounds: int) -> None:
    """Until the working pages are there, both ways in turns: wall time and the process's own."""
    found: dict[str, list[list[float]]] = {"all": [], "first": []}
    for _ in range(rounds):
        for how, times in found.items():
            command = [sys.executable, "-c", WORKING_PAGES, how]
            run = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
            times.append([float(word) for word in run.stdout.split()[-2:]])
    print(f"{'working pages after, s (median)':<40}{'wall':>8}{'CPU':>8}")
    for how, name in (("all", "everything imported first"), ("first", "as it is: torch first")):
        wall, cpu = np.median(found[how], axis=0)
        print(f"{name:<40}{wall:8.1f}{cpu:8.1f}")


def load_digits(controller: Controller) -> None:
    """Digits and an untrained classifier: how well it learns does not matter here."""
    from pgn_studio.core.classifiers import load_classifier
    from pgn_studio.core.config import DataSettings
    from pgn_studio.core.project.source import ClassifierSource

    controller.project.load_dataset(DataSettings())
    wait_until(lambda: not controller.project.busy, 120)
    dataset = controller.project.dataset
    if dataset is None:
        raise SystemExit("The digits could not be loaded.")
    classifier = load_classifier("arch:small", classes=dataset.classes, image_size=dataset.image_size)
    controller.project.use_classifier(ClassifierSource("arch:small"), classifier)
    wait_until(lambda: not controller.project.busy, 120)
    controller.setup.fill({"encoder": "small", "epochs": 1000})


def measured(seconds: float) -> Lateness:
    lateness = Lateness()
    lateness.start()
    application = make_application([])
    QTimer.singleShot(round(seconds * 1000), application.quit)
    application.exec()
    lateness.stop()
    return lateness


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to measure while it trains")
    parser.add_argument("--starts", type=int, default=0, help="only compare so many starts of each kind")
    options = parser.parse_args()
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as home:
        os.environ["PGN_STUDIO_HOME"] = home
        if options.starts:
            compare_starts(options.starts)
            return
        first = seconds_to_first_window()
        make_application(["pgn-studio"]).setQuitOnLastWindowClosed(False)
        current_theme().apply("light")
        window = MainWindow(Preferences(QSettings(str(Path(home) / "w.ini"), QSettings.Format.IniFormat)))
        window.show()
        began = time.perf_counter()
        launcher = Launcher(window, demo=False)
        launcher.start()
        wait_until(lambda: window.controller is not None, 600)
        ready = time.perf_counter() - began
        controller = window.controller
        if controller is None:
            raise SystemExit("torch could not be imported.")
        load_digits(controller)
        idle = measured(5.0)
        controller.start()
        wait_until(lambda: len(controller.train_page.history.steps) > 5, 300)
        steps = controller.train_page.history.steps
        before = len(steps)
        training = measured(options.seconds)
        rate = (len(steps) - before) / options.seconds
        controller.closing = True
        controller.training.stop()
        wait_until(lambda: not controller.training.active, 120)
        settle(0.5)
        window.close()
        launcher.wait()
    print(f"{'lateness of a 5-ms timer, ms':<28}{'p50':>9}{'p99':>9}{'max':>9}")
    print(idle.row("idle"))
    print(training.row("training digits, four plots"))
    print(f"first window after {first:.2f} s, working pages {ready:.1f} s later")
    print(f"{len(steps)} steps, {rate:.1f} a second, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
