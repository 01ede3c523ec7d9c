"""What commands say of the things that they open. Imports torch: use it in commands."""

from __future__ import annotations

import logging
from functools import partial

from pgn_studio.cli import terminal
from pgn_studio.cli.signals import Interruption
from pgn_studio.core.class_names import MIRRORING_UNKNOWN
from pgn_studio.core.config import ClassifierSettings, DataSettings, TrainingSettings, data_part
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.project.opening import Opener

log = logging.getLogger(__name__)

_SKIPPED_SHOWN = 5
_CLASSES_SHOWN = 12


def opener(stop: Interruption) -> Opener:
    """Opens with a progress bar and notes on stderr; `stop` cancels it."""
    return Opener(read=partial(open_dataset, stop=stop), note=note)


def open_dataset(settings: DataSettings, stop: Interruption) -> ImageDataset:
    """Load the data set and say what it holds, on stderr."""
    with terminal.progress("Reading images", stop) as report:
        dataset = load_dataset(data_part(settings), progress=report)
    sizes = ", ".join(f"{len(dataset.split(name))} {name}" for name in dataset.splits)
    terminal.note(
        f"Data: {dataset.name}, {len(dataset.classes)} classes at {dataset.image_size} px: {sizes} images."
    )
    terminal.note(_classes_line(dataset))
    for notice in dataset.notices:
        note(notice)
    if dataset.skipped:
        terminal.note(f"{len(dataset.skipped)} files cannot be read and were left out:")
    for number, item in enumerate(dataset.skipped):
        log.warning("left out %s: %s", item.path, item.reason)
        if number < _SKIPPED_SHOWN:
            terminal.note(f"  {item.path}: {item.reason}")
    if len(dataset.skipped) > _SKIPPED_SHOWN:
        terminal.note(f"  and {len(dataset.skipped) - _SKIPPED_SHOWN} more, all in the log")
    return dataset


def note(text: str) -> None:
    """Of what was decided while something was opened."""
    terminal.note(f"note: {text}")


def _classes_line(dataset: ImageDataset) -> str:
    """Every class with its images in each split; of many the first, the smallest and the largest."""
    counts = dataset.class_counts()
    lines = [
        f"{name if name.isprintable() else ascii(name)} {'/'.join(map(str, row))}"
        for name, row in zip(dataset.classes, counts.tolist(), strict=True)
    ]
    head = f"Data: images of each class ({'/'.join(dataset.splits)}): "
    if len(lines) <= _CLASSES_SHOWN:
        return f"{head}{', '.join(lines)}."
    shown = ", ".join(lines[: _CLASSES_SHOWN // 2])
    total = counts.sum(axis=1)
    smallest, largest = lines[int(total.argmin())], lines[int(total.argmax())]
    more = len(lines) - _CLASSES_SHOWN // 2
    return f"{head}{shown} and {more:,} more; smallest {smallest}, largest {largest}."


def note_mirroring(settings: ClassifierSettings | TrainingSettings, dataset: ImageDataset) -> None:
    """Say what --augment auto does where the user may know better."""
    if settings.augment == "auto" and dataset.mirrorable is None:
        note(f"{MIRRORING_UNKNOWN} If not: --augment none.")
