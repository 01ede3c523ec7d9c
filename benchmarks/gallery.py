"""How the gallery holds up with many rows: first paint, settling, scrolling, filter and sort.

    QT_QPA_PLATFORM=offscreen python benchmarks/gallery.py --rows 100000

Milliseconds on this machine, as one JSON object. `--cpu` counts the GUI thread's processor time
instead of the clock's: the figure to compare where other programs keep the machine busy.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from pgn_studio.core.evaluation.evaluate import PerImage
from pgn_studio.core.evaluation.selection import Outcome, Selection, SortKey, select
from pgn_studio.gui.gallery.model import GalleryContent
from pgn_studio.gui.gallery.panel import GalleryPanel
from pgn_studio.gui.operations import wait_for_all

CLASSES = tuple(f"class {k}" for k in range(10))
Clock = Callable[[], float]  # seconds
IMAGE_PX = 96
SCROLLS = 120


def make_content(rows: int) -> GalleryContent:
    rng = np.random.default_rng(0)
    integers = {name: rng.integers(0, 10, rows) for name in ("labels", "clean", "perturbed")}
    floats = [rng.random(rows, dtype=np.float32) for _ in range(6)]
    per_image = PerImage(
        integers["labels"],
        integers["clean"],
        integers["perturbed"],
        integers["perturbed"],
        *floats,
        values=3 * IMAGE_PX**2,
    )
    return GalleryContent(per_image, [f"test/class/{i:06d}.jpg" for i in range(rows)], CLASSES)


def noise(indices: Sequence[int]) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(indices[0]).integers(
        0, 256, (len(indices), IMAGE_PX, IMAGE_PX, 3), dtype=np.uint8
    )


def timed_ms(work: Callable[[], object], clock: Clock) -> float:
    started = clock()
    work()
    return (clock() - started) * 1000


def run_events(duration_ms: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(duration_ms, loop.quit)
    loop.exec()


def settle_ms(panel: GalleryPanel, rows: int, clock: Clock) -> float:
    """Until the batched layout knows where the last row is."""
    started = clock()
    last = panel.model.index(rows - 1)
    while panel.view.visualRect(last).isEmpty():
        run_events(5)
    return (clock() - started) * 1000


def scroll_ms(panel: GalleryPanel, clock: Clock) -> list[float]:
    """The time of each repaint while jumping through the list, thumbnails arriving meanwhile."""
    bar = panel.view.verticalScrollBar()
    times = []
    for step in range(SCROLLS):
        started = clock()
        bar.setValue(step * bar.maximum() // SCROLLS)
        panel.view.viewport().repaint()
        times.append((clock() - started) * 1000)
        run_events(8)
    return times


def measure(rows: int, clock: Clock) -> dict[str, float]:
    content = make_content(rows)
    panel = GalleryPanel()
    panel.resize(700, 800)
    panel.show()
    run_events(50)

    def show() -> None:
        panel.show_content(content, noise)
        panel.view.viewport().repaint()

    figures = {"rows": float(rows), "first_paint_ms": timed_ms(show, clock)}
    figures["settled_ms"] = settle_ms(panel, rows, clock)
    scrolls = np.array(scroll_ms(panel, clock))
    figures["scroll_p50_ms"] = float(np.percentile(scrolls, 50))
    figures["scroll_p99_ms"] = float(np.percentile(scrolls, 99))
    query = Selection(outcome=Outcome.BROKEN, sort=SortKey.L2, descending=True, text="99")
    figures["query_ms"] = timed_ms(lambda: select(content.per_image, content.names, query), clock)
    figures["filter_click_ms"] = timed_ms(lambda: panel.filters.set_outcome(Outcome.BROKEN), clock)
    wait_for_all(2000)
    return {name: round(value, 1) for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--cpu", action="store_true")
    arguments = parser.parse_args()
    clock = time.thread_time if arguments.cpu else time.perf_counter
    application = QApplication(sys.argv[:1])
    sys.stdout.write(json.dumps(measure(arguments.rows, clock)) + "\n")
    application.quit()


if __name__ == "__main__":
    main()
