"""How Inspect holds up: the gallery with many rows (first paint, scrolling, jumping, memory), and the γ dial.

    QT_QPA_PLATFORM=offscreen python benchmarks/gallery.py --rows 100000 --json gallery.json

One JSON object. Each time twice: by the clock, and the GUI thread's own processor time, which is the
one to hold against the bars where other programs keep the machine busy.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from pgn_studio.core.classifiers import load_classifier
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.evaluation.evaluate import PerImage, evaluate
from pgn_studio.core.evaluation.selection import Outcome, Selection, SortKey, select
from pgn_studio.core.memory import process_memory
from pgn_studio.core.perturbation.pgn import Pgn, PgnInfo, build_generator
from pgn_studio.gui.gallery.model import GalleryContent
from pgn_studio.gui.gallery.panel import GalleryPanel
from pgn_studio.gui.operations import wait_for_all
from pgn_studio.gui.pages.inspect.page import InspectPage

CLASSES = tuple(f"class {k}" for k in range(10))
IMAGE_PX = 96
SCROLLS, JUMPS = 400, 200
WHEEL = 3  # of the bar's single steps: a notch
MIB = 2**20
# Milliseconds that are not to be passed (docs/reference/window.md).
DIALLED, DIALLED_PX, TURNS = 256, (16, 96), 60  # images of the split, sizes, turns of the dial
BARS = {"first_paint": 50.0, "scroll_p99": 33.0, "jump_p99": 33.0}
Times = tuple[list[float], list[float]]  # milliseconds by the clock, and of this thread's processor


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


class Pictures:
    """A data set of one split, in memory."""

    name, fingerprint, classes = "noise", "", CLASSES

    def __init__(self, pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> None:
        self._pixels, self.labels = pixels, labels
        self.names = [f"{number:04d}.png" for number in range(len(labels))]

    def __len__(self) -> int:
        return len(self.labels)

    def split(self, _name: str) -> Pictures:
        return self

    def images(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        return self._pixels[np.asarray(indices)]


def timed_ms(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.thread_time()
    work()
    return 1000 * (time.perf_counter() - wall), 1000 * (time.thread_time() - cpu)


def run_events(duration_ms: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(duration_ms, loop.quit)
    loop.exec()


def settle(panel: GalleryPanel, rows: int) -> None:
    """Until the batched layout knows where the last row is."""
    last = panel.model.index(rows - 1)
    while panel.view.visualRect(last).isEmpty():
        run_events(5)


def repaints_ms(panel: GalleryPanel, places: Iterable[int]) -> Times:
    """The time of each repaint at those values of the scroll bar, thumbnails arriving meanwhile."""
    bar = panel.view.verticalScrollBar()
    times: Times = ([], [])

    def show(place: int) -> None:
        bar.setValue(place)
        panel.view.viewport().repaint()

    for place in places:
        for found, one in zip(times, timed_ms(partial(show, place)), strict=True):
            found.append(one)
        run_events(8)
    return times


def scrolled(panel: GalleryPanel) -> Iterator[int]:
    """Notch by notch, from the middle downwards."""
    bar = panel.view.verticalScrollBar()
    return (bar.maximum() // 2 + number * WHEEL * bar.singleStep() for number in range(SCROLLS))


def jumped(panel: GalleryPanel) -> Iterator[int]:
    """To places far from each other, none of which was shown before."""
    largest = panel.view.verticalScrollBar().maximum()
    return (int(place) for place in np.random.default_rng(1).permutation(largest)[:JUMPS])


def percentiles(name: str, times: Times) -> dict[str, float]:
    return {
        f"{name}_p{part}_{kind}": float(np.percentile(found, part))
        for kind, found in zip(("ms", "cpu_ms"), times, strict=True)
        for part in (50, 99)
    }


def mib() -> float:
    return process_memory() / MIB


def measure(rows: int) -> dict[str, float]:
    panel = GalleryPanel()
    panel.resize(700, 800)
    panel.show()
    run_events(50)
    panel.show_content(make_content(500), noise)  # fonts and icons are loaded once a session
    run_events(500)
    empty = mib()
    content = make_content(rows)

    def show() -> None:
        panel.show_content(content, noise)
        panel.view.viewport().repaint()

    figures = {"rows": float(rows)}
    figures["first_paint_ms"], figures["first_paint_cpu_ms"] = timed_ms(show)
    figures["settled_ms"], figures["settled_cpu_ms"] = timed_ms(partial(settle, panel, rows))
    figures["memory_shown_mib"] = mib() - empty
    figures |= percentiles("scroll", repaints_ms(panel, scrolled(panel)))
    figures |= percentiles("jump", repaints_ms(panel, jumped(panel)))
    run_events(500)
    figures["memory_after_mib"] = mib() - empty
    query = Selection(outcome=Outcome.BROKEN, sort=SortKey.L2, descending=True, text="99")
    figures["query_ms"], figures["query_cpu_ms"] = timed_ms(
        lambda: select(content.per_image, content.names, query)
    )
    figures["filter_click_ms"], figures["filter_click_cpu_ms"] = timed_ms(
        lambda: panel.filters.set_outcome(Outcome.BROKEN)
    )
    wait_for_all(2000)
    return {name: round(value, 1) for name, value in figures.items()}


def dialled_page(size: int) -> InspectPage:
    """A page with the first image of an untrained PGN chosen, which serves a range of γ, at `size` px."""
    classifier = load_classifier("arch:small", classes=CLASSES, image_size=size)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (DIALLED, size, size, 3), dtype=np.uint8)
    split = Pictures(pixels, rng.integers(0, len(CLASSES), DIALLED))
    settings = TrainingSettings.make(encoder="small", encoder_training="full", image_size=size)
    info = PgnInfo(
        name="untrained", problem="enhance", discriminator="shared", loss="least-squares", encoder="small",
        input_space="pixel", gamma=settings.first_gamma, image_size=size, classes=CLASSES,
        mean=classifier.info.mean, std=classifier.info.std, classifier_path="", classifier_sha256="",
        dataset="noise", fingerprint="", settings=settings.model_dump(mode="json"),
    )  # fmt: skip
    pgn = Pgn(build_generator(settings, image_size=size, classes=len(CLASSES)), info).eval()
    found = evaluate(pgn, classifier, split, split_name="test", dataset_name="noise")
    page = InspectPage()
    page.resize(1100, 700)
    page.show()
    page.show_evaluation(pgn, classifier, split, "test", found)  # type: ignore[arg-type]
    return page


def turn_ms(size: int) -> dict[str, float]:
    """From a turn of the dial until the chosen image is shown at the new γ."""
    page = dialled_page(size)
    told: list[float] = []
    page.sample_shown.connect(lambda _image: told.append(time.perf_counter()))
    run_events(2000)
    slider, times = page.gamma.dial.slider, []
    for position in np.random.default_rng(1).permutation(slider.maximum())[:TURNS].tolist():
        told.clear()
        began = time.perf_counter()
        slider.setValue(position)
        while not told:
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        times.append(1000 * (told[-1] - began))
        run_events(10)
    page.close()
    wait_for_all(20_000)
    return {f"turn_{size}px_p{part}_ms": round(float(np.percentile(times, part)), 1) for part in (50, 99)}


def above_the_bars(figures: Mapping[str, float]) -> list[str]:
    """By processor time."""
    found = {name: figures[f"{name}_cpu_ms"] for name in BARS}
    return [f"{name}: {found[name]} ms, at most {BARS[name]}" for name in BARS if found[name] > BARS[name]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    arguments = parser.parse_args()
    application = QApplication(sys.argv[:1])
    figures = measure(arguments.rows)
    for size in DIALLED_PX:
        figures |= turn_ms(size)
    text = json.dumps(figures, indent=2)
    sys.stdout.write(text + "\n")
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    application.quit()
    above = above_the_bars(figures)
    sys.stderr.write("".join(f"above its bar: {line}\n" for line in above))
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
