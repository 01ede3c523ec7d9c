"""The paper's tables 1 to 3 as printed, read from resources/paper_tables.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.paths import resources_folder


@dataclass(frozen=True)
class PaperFigure:
    accuracy: float  # 0…1
    average_precision: float  # the paper's second number, taken to be the macro average precision


@dataclass(frozen=True)
class PaperRow:
    dataset: str  # STL-10, ImageNet-10 or ImageNet-50
    classifier: str  # ResNet50, ResNet101, VGG16 or DenseNet169
    results: Mapping[str, PaperFigure]  # by column


@dataclass(frozen=True)
class PaperTable:
    number: int
    title: str
    gamma: Mapping[str, float]  # by problem
    columns: Mapping[str, str]  # name to what it means
    rows: tuple[PaperRow, ...]


def load_table(number: int) -> PaperTable:
    """Table 1, 2 or 3. Raises PgnStudioError in a broken installation."""
    path = resources_folder() / "paper_tables.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return next(_table(item) for item in content["tables"] if item["number"] == number)
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise PgnStudioError(
            f"The paper's table {number} cannot be read from {path}.",
            hint="The installation is incomplete: install PGN Studio again.",
            details=str(error),
        ) from error


def _table(item: Mapping[str, Any]) -> PaperTable:
    gamma = item["gamma"]
    return PaperTable(
        number=item["number"],
        title=item["title"],
        gamma=dict(gamma) if isinstance(gamma, dict) else {item["problem"]: float(gamma)},
        columns=dict(item["columns"]),
        rows=tuple(
            PaperRow(
                row["dataset"],
                row["classifier"],
                {
                    name: PaperFigure(round(value["accuracy_percent"] / 100, 6), value["average_precision"])
                    for name, value in row["results"].items()
                },
            )
            for row in item["rows"]
        ),
    )
