"""The images of an evaluation as a table: one line each, with what was found of it."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pgn_studio.core.export.base import Export, Source, Written, checked_suffix, writing

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.protocols import Progress

COLUMNS = (
    "index",
    "name",
    "outcome",
    "label",
    "clean_prediction",
    "perturbed_prediction",
    "perturbed_prediction_8bit",
    "clean_confidence",
    "perturbed_confidence",
    "clean_margin",
    "perturbed_margin",
    "l2",
    "rms",
    "linf",
)
_CLASSES = ("clean_prediction", "perturbed_prediction", "perturbed_prediction_8bit")
_NUMBERS = COLUMNS[COLUMNS.index("clean_confidence") :]


@dataclass(frozen=True, kw_only=True)
class ImageTableExport(Export):
    name = "list"
    title = "Table of the images"
    summary = "the images one by one (.csv)"
    suffixes = (".csv",)
    chooses_images = True

    def write(self, path: Path, source: Source, progress: Progress) -> Written:
        indices = [int(index) for index in source.indices()]
        export_image_table(path, source.evaluation, source.dataset.split(source.split_name).names, indices)
        return Written(path, f"{len(indices):,} images listed in {path}")


def export_image_table(
    path: Path, evaluation: Evaluation, names: Sequence[str], indices: Iterable[int]
) -> None:
    """Write the images `indices` of the evaluated split, in that order, as CSV.

    An unknown confidence is empty. Raises PgnStudioError for another suffix than .csv, and where it
    cannot write.
    """
    path = Path(path)
    checked_suffix(path, (".csv",), "The table of the images")
    with writing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        table.writerows(_rows(evaluation, names, indices))


def _rows(evaluation: Evaluation, names: Sequence[str], indices: Iterable[int]) -> Iterable[list[object]]:
    image, classes, outcome = evaluation.per_image, evaluation.classes, evaluation.per_image.outcome
    predictions = [getattr(image, name) for name in _CLASSES]
    numbers = [getattr(image, name) for name in _NUMBERS]
    for index in indices:
        yield [
            index,
            names[index],
            outcome[index],
            classes[image.labels[index]],
            *(classes[column[index]] for column in predictions),
            *("" if math.isnan(column[index]) else f"{column[index]:.6g}" for column in numbers),
        ]
