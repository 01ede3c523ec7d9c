"""Images of an evaluation as a list: one line each, with what was found of it."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from pgn_studio.core.evaluation.evaluate import Evaluation
from pgn_studio.core.export.formats import checked_suffix, writing

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


def export_list(path: Path, evaluation: Evaluation, names: Sequence[str], indices: Iterable[int]) -> None:
    """Write the images `indices` of the evaluated split, in that order, as CSV.

    An unknown confidence is empty. Raises PgnStudioError for another suffix than .csv, and where it
    cannot write.
    """
    path = Path(path)
    checked_suffix(path, (".csv",), "The list")
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
