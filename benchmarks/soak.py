"""Does anything leak? The window opened and closed many times, and a very long run watched.

    python benchmarks/soak.py --rounds 50            open, load, train, stop, load the run, close: 50 times
    python benchmarks/soak.py --train 100000         so many steps trained with the window open
    python benchmarks/soak.py --steps 100000         so many steps told with the window open
    python benchmarks/soak.py --curves 1000000       what a redraw costs when there are so many steps

Ends with 1 where something grew. --train is the product as it is, on the smallest images and networks.
--steps sends real events through the real thread, bridge, history, plots and metrics file; the arithmetic
of a step, the checkpoints and the validation are left out, so that it takes a minute.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QSettings, QTimer
from PySide6.QtWidgets import QApplication
from shiboken6 import isValid
from torch import nn

from pgn_studio.core.config import DataSettings
from pgn_studio.core.memory import MemoryUse, process_memory
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.events import (
    EpochCompleted,
    EventSink,
    Notice,
    PreviewReady,
    RunFinished,
    RunStarted,
    StepCompleted,
    Vitals,
)
from pgn_studio.gui.app import make_application
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.plots.series import CHUNK, Look
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.training.worker import RunnerFactory, TrainingJob, make_trainer
from tools.screenshots.camera import settle, wait_until

MOST_GROWTH = 1.05  # of memory, from where it has settled
WARM_UP_ROUNDS = 0.2  # of the rounds: caches and lazy imports fill
PATIENCE_S = 600.0
PATIENCE_TRAINED_S = 3600.0  # for a tenth of the steps
TINY = DataSettings(image_size=8, num_classes=2)
FAST = {"encoder": "small", "decoder_widths": (4, 4), "epochs": 50, "precision": "fp32"}
PLAIN = {
    "image_conditioning": False, "label_conditioning": False, "head": "linear",
}  # fmt: skip
STEPS_PER_EPOCH = 1000


@dataclass(frozen=True)
class Count:
    """What there is at one moment."""

    at: int  # rounds, or steps, done
    memory_mib: float
    threads: int  # of the operating system
    python_threads: int
    files: int
    widgets: int
    timers: int  # that run
    objects: int  # QObjects that Python knows
    networks: int  # torch modules that are no part of another

    @classmethod
    def now(cls, at: int) -> Count:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        networks = _networks()
        found = [item for item in _known(QObject) if isinstance(item, QObject) and isValid(item)]
        timers = sum(isinstance(item, QTimer) and item.isActive() for item in found)
        return cls(
            at,
            process_memory() / 2**20,
            _entries("/proc/self/task"),
            _python_threads(),
            _open_files(),
            len(QApplication.allWidgets()),
            timers,
            len(found),
            networks,
        )


def _known(*kinds: type) -> list[Any]:
    """All objects of these kinds. The training thread waits meanwhile: it may be in the middle of making
    a tuple, which fails when somebody else holds it then."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60.0)
    try:
        return [item for item in gc.get_objects() if issubclass(type(item), kinds)]
    finally:
        sys.setswitchinterval(interval)


def _networks() -> int:
    """The fewest of some looks: a thread that ends lets go of what it worked with a moment later."""
    looks = []
    for _ in range(5):
        gc.collect()
        modules = [item for item in _known(nn.Module) if isinstance(item, nn.Module)]
        parts = {id(part) for module in modules for part in module.children()}
        looks.append(sum(id(module) not in parts for module in modules))
        time.sleep(0.05)
    return min(looks)


def _python_threads() -> int:
    """Those that run: of a thread that Qt started, Python keeps an entry when it has ended."""
    running = set(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else None
    return sum(running is None or str(thread.native_id) in running for thread in threading.enumerate())


def _entries(folder: str) -> int:
    return len(os.listdir(folder)) if os.path.isdir(folder) else 0


def _open_files() -> int:
    """The fewest of some looks: a run opens files for a moment, to write lines and checkpoints."""
    if not os.path.isdir("/proc/self/fd"):
        return 0
    looks = []
    for _ in range(10):
        looks.append(len(os.listdir("/proc/self/fd")))
        time.sleep(0.05)
    return min(looks)


def grown(counts: Sequence[Count]) -> list[str]:
    """What the last count has more of than the first; both are taken when things have settled."""
    first, last = counts[0], counts[-1]
    kinds = {
        "threads": (first.threads, last.threads),
        "Python's threads": (first.python_threads, last.python_threads),
        "open files": (first.files, last.files),
        "widgets": (first.widgets, last.widgets),
        "timers": (first.timers, last.timers),
        "QObjects": (first.objects, last.objects),
        "networks": (first.networks, last.networks),
    }
    found = [f"{name}: {had} to {has}" for name, (had, has) in kinds.items() if has > had]
    most = max(count.memory_mib for count in counts)
    if most > MOST_GROWTH * first.memory_mib:
        found.append(f"memory: {first.memory_mib:.0f} to {most:.0f} MiB")
    return found


def must(condition: Callable[[], bool], what: str, *, within_s: float = PATIENCE_S) -> None:
    if not wait_until(condition, within_s):
        raise SystemExit(f"{what} did not come in {within_s:.0f} s.")


class Soak:
    """Windows one after another in this process; files below `home`."""

    def __init__(self, home: Path) -> None:
        from pgn_studio.core.classifiers import load_classifier, save_classifier
        from pgn_studio.core.data.sources import load_dataset

        os.environ["PGN_STUDIO_HOME"] = str(home)
        make_application(["pgn-studio"]).setQuitOnLastWindowClosed(False)
        current_theme().apply("light")
        self.home = home
        dataset = load_dataset(TINY)
        made = load_classifier("arch:small", classes=dataset.classes, image_size=dataset.image_size)
        self.classifier = home / "untrained.safetensors"
        save_classifier(self.classifier, made.net, made.info)

    def window(self, *, make_runner: RunnerFactory = make_trainer) -> MainWindow:
        settings = QSettings(str(self.home / "window.ini"), QSettings.Format.IniFormat)
        window = MainWindow(Preferences(settings), make_runner=make_runner)
        window.build()
        window.show()
        controller = window.controller
        assert controller is not None
        controller.project.load_dataset(TINY)
        must(lambda: not controller.project.busy, "The data set")
        controller.opener.open_path(self.classifier)
        must(lambda: not controller.project.busy, "The classifier")
        controller.setup.fill(FAST)
        return window

    def round(self) -> None:
        """Open, train, stop, load what was kept, close."""
        window = self.window()
        controller = window.controller
        assert controller is not None
        controller.start()
        must(lambda: len(controller.train_page.history.steps) > 3, "A step")
        controller.training.stop()
        must(lambda: not controller.training.active and not controller.project.busy, "The end of the run")
        if controller.reporter.dialog is not None:
            raise SystemExit(controller.reporter.dialog.message.text())
        controller.opener.open_path(Path(controller.shown.now.folder))
        must(lambda: not controller.project.busy, "The run")
        self.close(window)

    def rounds(self, count: int) -> list[Count]:
        """One count after each round, from where the first rounds have warmed things up."""
        counts = []
        for done in range(1, count + 1):
            self.round()
            if done >= max(2, WARM_UP_ROUNDS * count):
                counts.append(Count.now(done))
        return counts

    def close(self, window: MainWindow) -> None:
        window.close()
        window.deleteLater()
        settle(0.05)

    def steps(self, count: int, *, pause_s: float) -> list[Count]:
        """A run of `count` steps that are only told."""
        window = self.window(make_runner=lambda job, sink: Rain(job, sink, count, pause_s))
        return self._watched(window, count, within_s=PATIENCE_S)

    def train(self, count: int) -> list[Count]:
        """The same, trained: each step with its arithmetic, each epoch with validation and checkpoint."""
        window = self.window()
        controller = window.controller
        assert controller is not None
        controller.setup.fill({**PLAIN, "batch_size": 8, "epochs": 1 + count // 27})  # of 216 images
        return self._watched(window, count, within_s=PATIENCE_TRAINED_S)

    def _watched(self, window: MainWindow, count: int, *, within_s: float) -> list[Count]:
        """A count at each tenth of the run, from the second on; `within_s` for each."""
        counts: list[Count] = []
        controller = window.controller
        assert controller is not None
        window.show_train_page()
        steps = controller.train_page.history.steps
        controller.closing = True  # there is no PGN to measure at its end
        controller.start()
        for tenth in range(2, 10):
            enough = tenth * count // 10
            must(lambda enough=enough: len(steps) >= enough, "A step", within_s=within_s)
            counts.append(Count.now(len(steps)))
        must(lambda: not controller.training.active, "The end of the run", within_s=within_s)
        self.close(window)
        return counts


class Rain:
    """Tells what a Trainer tells, to its metrics file too, as fast as it is let."""

    def __init__(self, job: TrainingJob, sink: EventSink, steps: int, pause_s: float) -> None:
        from pgn_studio.core.training.event_log import EventLog

        self._job, self._steps, self._pause_s = job, steps, pause_s
        self._run = RunFolder.create(None, job.settings)
        self._emit = EventLog(self._run, sink).emit

    def run(self) -> None:
        folder, epochs = str(self._run.path), -(-self._steps // STEPS_PER_EPOCH)
        sizes = (STEPS_PER_EPOCH, epochs, "cpu", "fp32", 64_000, 100, 0.9, 0.95)
        self._emit(RunStarted(folder, 0, self._steps, *sizes))
        rng = np.random.default_rng(0)
        last = time.monotonic()
        for step in range(1, self._steps + 1):
            if self._job.control.stopping:
                break
            self._emit(step_of(step, rng.normal()))
            if step % STEPS_PER_EPOCH == 0:
                self._emit(epoch_of(step))
                self._emit(notice_of(step))
            if time.monotonic() - last > 1.0:
                last = time.monotonic()
                self._emit(preview_of(step, rng))
                self._emit(Vitals(step, 0.01 * (self._steps - step), MemoryUse(process_memory())))
            time.sleep(self._pause_s)
        self._emit(RunFinished("stopped", step, step // STEPS_PER_EPOCH, folder, "", 0.9, 0.9, 0.9, 1.0))


def step_of(step: int, noise: float) -> StepCompleted:
    epoch = 1 + (step - 1) // STEPS_PER_EPOCH
    loss = 0.5 + 0.1 * noise
    return StepCompleted(step, epoch, 3.0, loss, loss, 1e-3, 0.9, 3, 1, 0.9, 0.93, 500.0, 0.2, 0.7)


def epoch_of(step: int) -> EpochCompleted:
    figures = (0.9, 0.94, 0.93, 6, 2, 0.5, 0.03, 0.2, 0.1, 1.0, True)
    return EpochCompleted(step // STEPS_PER_EPOCH, step, 3.0, *figures)


def notice_of(step: int) -> Notice:
    """A condition that comes and goes with every epoch."""
    starts = step // STEPS_PER_EPOCH % 2
    return Notice(step, "below-clean", "Below clean.", "Raise --gamma.", "warning" if starts else "passed")


def preview_of(step: int, rng: np.random.Generator) -> PreviewReady:
    images = rng.integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    labels = tuple(index % 2 for index in range(8))
    return PreviewReady(step, images, images, 0.1, images, labels, labels, labels, tuple(range(8)))


def redraw_costs(soak: Soak, steps: int) -> dict[str, float]:
    """Milliseconds of the GUI thread's own time, which other processes do not lengthen."""
    window = soak.window()
    controller = window.controller
    assert controller is not None
    window.show_train_page()
    history, plots = controller.train_page.history, controller.train_page.plots
    history.describe(images=64_000, steps=STEPS_PER_EPOCH, val=100)
    rng = np.random.default_rng(0)
    for start in range(1, steps, 1000):
        history.add_steps([step_of(step, noise) for step, noise in enumerate(rng.normal(size=1000), start)])
        if start % STEPS_PER_EPOCH == 1:
            history.add_epoch(epoch_of(start + 999))
    costs: dict[str, float] = {"steps": float(len(history.steps))}
    for name, look in (("per step", Look()), ("per epoch", Look(per_epoch=True))):
        costs[f"{name}: longest of the first redraws, ms"] = max(
            _timed(plot, history, look) for plot in plots.plots for _ in range(-(-steps // CHUNK))
        )
        again = []
        for _ in range(20):
            history.add_steps([step_of(len(history.steps) + more, rng.normal()) for more in range(30)])
            again += [_timed(plot, history, look) for plot in plots.plots]
        costs[f"{name}: next ones, median, ms"] = float(np.median(again))
        costs[f"{name}: next ones, longest, ms"] = max(again)
        began = time.thread_time()
        for series in (lines.series for lines in plots.losses._lines):
            series.line(history, look)
        anew = 1000 * (time.thread_time() - began)
        costs[f"{name}: smoothing or averaging all of one plot anew, ms"] = anew
    soak.close(window)
    return costs


def _timed(plot: Any, history: Any, look: Look) -> float:
    began = time.thread_time()
    plot.redraw(history, look)
    plot.plot.viewport().repaint()
    return 1000 * (time.thread_time() - began)


def main() -> int:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--train", type=int, default=0)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--curves", type=int, default=0)
    parser.add_argument("--pause-ms", type=float, default=0.3, help="between two steps of --steps")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args()
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    figures: dict[str, Any] = {}
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as home:
        soak = Soak(Path(home))
        if options.curves:
            figures["curves"] = redraw_costs(soak, options.curves)
            for name, value in figures["curves"].items():
                print(f"{name:<64}{value:12,.1f}")
        for mode in ("rounds", "train", "steps"):
            wanted = getattr(options, mode)
            if not wanted:
                continue
            began = time.monotonic()
            more = {"pause_s": options.pause_ms / 1000} if mode == "steps" else {}
            counts: list[Count] = getattr(soak, mode)(wanted, **more)
            figures[mode] = [asdict(count) for count in counts]
            print(f"{mode}: {wanted:,} in {time.monotonic() - began:.0f} s")
            for count in (counts[0], counts[-1]):
                print("  " + ", ".join(f"{name} {value:,.0f}" for name, value in asdict(count).items()))
            problems += [f"{mode}: {problem}" for problem in grown(counts)]
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print("\n".join(f"GREW  {problem}" for problem in problems) or "nothing grew")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
