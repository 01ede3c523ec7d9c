"""Evaluation beside bare inference, and what an image costs in memory.

    python benchmarks/evaluation.py [--images 512] [--many 20000] [--rounds 5] [--json FILE]

bare       G once and f three times (clean, perturbed, after 8 bits) on the same batches, nothing kept
evaluated  `core.evaluation.evaluate`: the same answers, their figures, and every image's values

Both take turns in one process. Memory: what Python and NumPy hold at most while 1,000, half of `--many`
and `--many` images are evaluated (tracemalloc), with images made on the fly; a further image is what the
last two differ by.
"""

from __future__ import annotations

import argparse
import json
import platform
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from turns import CLOCKS, ratio, timed

from pgn_studio.core.classifiers import Classifier, ClassifierInfo
from pgn_studio.core.classifiers.networks import build_network
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.device import full_precision, to_pixels
from pgn_studio.core.evaluation.batch import to_8bit
from pgn_studio.core.evaluation.evaluate import evaluate
from pgn_studio.core.perturbation.pgn import Pgn, PgnInfo, build_generator

CLASSES = tuple(str(k) for k in range(10))
HALVES = (0.5, 0.5, 0.5)
BATCH = 64


class MadeOnTheFly:
    """Images of noise, made when they are asked for: a split that takes no memory but its labels'."""

    names: Sequence[str] = ()

    def __init__(self, count: int, size: int) -> None:
        self.labels: npt.NDArray[np.int64] = np.arange(count) % len(CLASSES)
        self._noise = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        return self._noise[np.asarray(indices) % BATCH]


def networks(size: int) -> tuple[Pgn, Classifier]:
    torch.manual_seed(0)
    info = ClassifierInfo("small", CLASSES, HALVES, HALVES, size)
    classifier = Classifier(build_network("small", len(CLASSES), image_size=size), info)
    settings = TrainingSettings.make(encoder="small", image_size=size, decoder_widths=(32, 16))
    pgn_info = PgnInfo(
        name="bench", problem="enhance", discriminator="shared", loss="least-squares", encoder="small",
        input_space="pixel", gamma=1.0, image_size=size, classes=CLASSES, mean=HALVES, std=HALVES,
        classifier_path="", classifier_sha256="", dataset="noise", fingerprint="",
        settings=settings.model_dump(mode="json"),
    )  # fmt: skip
    return Pgn(build_generator(settings, image_size=size), pgn_info).eval(), classifier


def evaluated(pgn: Pgn, classifier: Classifier, split: MadeOnTheFly) -> Any:
    return evaluate(pgn, classifier, split, split_name="test", dataset_name="noise", batch_size=BATCH)


@torch.inference_mode()
def bare(pgn: Pgn, classifier: Classifier, split: MadeOnTheFly) -> None:
    device = classifier.mean.device
    for start in range(0, len(split), BATCH):
        rows = np.arange(start, min(start + BATCH, len(split)))
        pixels = to_pixels(split.images(rows), device)
        with full_precision(device):
            perturbed = pixels + pgn.generator(pixels)
            for images in (pixels, perturbed, to_8bit(perturbed)):
                classifier(images).argmax(1).cpu()


def held_at_most(work: Callable[[], Any]) -> int:
    """Bytes that `work` holds at most beside what was there."""
    tracemalloc.start()
    work()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def measured(images: int, many: int, rounds: int) -> dict[str, Any]:
    pgn, classifier = networks(96)
    split = MadeOnTheFly(images, 96)
    sides: dict[str, Callable[[], Any]] = {
        "evaluated": lambda: evaluated(pgn, classifier, split),
        "bare": lambda: bare(pgn, classifier, split),
    }
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, work in sides.items():
            spent, _ = timed(work)
            if number:  # the first warms up
                turns[name].append(spent)
    pgn, classifier = networks(16)
    held = {
        count: held_at_most(lambda count=count: evaluated(pgn, classifier, MadeOnTheFly(count, 16)))
        for count in (1000, many // 2, many)
    }
    further = many - many // 2
    return {
        "images": images,
        "turns": turns,
        "evaluated_vs_bare_time_ratio": {
            clock: ratio(turns["evaluated"], turns["bare"], clock) for clock in CLOCKS
        },
        "bytes_held": {str(count): value for count, value in held.items()},
        "bytes_per_further_image": (held[many] - held[many // 2]) / further - 8,  # the split's own label
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--many", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    result = measured(given.images, given.many, given.rounds)
    for clock, found in result["evaluated_vs_bare_time_ratio"].items():
        spread = f"({found['least']:.2f} … {found['most']:.2f})"
        print(f"evaluated against bare inference, {clock} time: {found['median']:.2f} {spread}")
    print(f"bytes a further image: {result['bytes_per_further_image']:.1f}")
    print(f"bytes held at most, by images: {result['bytes_held']}")
    if given.json is not None:
        machine = {"platform": platform.platform(), "threads": torch.get_num_threads()}
        given.json.write_text(json.dumps({"machine": machine, **result}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
