"""What a sweep found: a row for each run, and mean and spread over seeds where they are swept."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pgn_studio.core.json_utils import plain
from pgn_studio.core.sweeps.jobs import Outcome, Status
from pgn_studio.core.sweeps.plan import SEED, Axis, Point

# What is told of each run, by the names of evaluation's figures.
FIGURES = (
    "clean_accuracy",
    "perturbed_accuracy",
    "perturbed_accuracy_8bit",
    "map_clean",
    "map_perturbed",
    "fixed_8bit",
    "broken_8bit",
    "mcnemar_p_8bit",
    "fooling_rate",
    "attack_success",
    "l2_mean",
    "rms_mean",
    "linf_max",
)


@dataclass(frozen=True)
class SweepRow:
    """One run. `figures` are of the test split, empty until it is done; None where undefined."""

    name: str
    values: Mapping[str, Any]
    status: Status
    error: str = ""
    figures: Mapping[str, float | int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class SweepGroup:
    """The finished runs that differ by their seed only: mean and standard deviation (n - 1) of each figure.

    The spread of a single run is None.
    """

    values: Mapping[str, Any]
    runs: int
    mean: Mapping[str, float | None]
    spread: Mapping[str, float | None]


@dataclass(frozen=True)
class SweepSummary:
    """All of a sweep. `groups` is empty where the seed is not swept."""

    title: str
    axes: tuple[Axis, ...]
    rows: tuple[SweepRow, ...]
    groups: tuple[SweepGroup, ...]

    @property
    def done(self) -> tuple[SweepRow, ...]:
        return tuple(row for row in self.rows if row.status == "done")

    def to_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "split": "test",
            "runs": [plain(asdict(row)) for row in self.rows],
            "over_seeds": [plain(asdict(group)) for group in self.groups],
        }


def summarize(
    title: str, axes: Sequence[Axis], points: Sequence[Point], outcomes: Sequence[Outcome]
) -> SweepSummary:
    """Put plan and outcomes (one for each point, in order) together."""
    rows = tuple(
        SweepRow(
            point.name,
            point.values,
            outcome.status,
            outcome.error,
            {name: outcome.figures.get(name) for name in FIGURES} if outcome.status == "done" else {},
        )
        for point, outcome in zip(points, outcomes, strict=True)
    )
    seeded = any(axis.name == SEED for axis in axes)
    return SweepSummary(title, tuple(axes), rows, group_over_seeds(rows) if seeded else ())


def without_seed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != SEED}


def group_over_seeds(rows: Sequence[SweepRow]) -> tuple[SweepGroup, ...]:
    """Finished rows with equal values but for the seed, in the order in which they first come."""
    families: list[tuple[dict[str, Any], list[SweepRow]]] = []
    for row in rows:
        values = without_seed(row.values)
        members = next((found for known, found in families if known == values), None)
        if members is None:
            members = []
            families.append((values, members))
        if row.status == "done":
            members.append(row)
    return tuple(_group(values, members) for values, members in families if members)


def _group(values: Mapping[str, Any], rows: Sequence[SweepRow]) -> SweepGroup:
    mean: dict[str, float | None] = {}
    spread: dict[str, float | None] = {}
    for name in FIGURES:
        numbers = [float(value) for row in rows if (value := row.figures.get(name)) is not None]
        known = len(numbers) == len(rows) and all(map(math.isfinite, numbers))
        mean[name] = statistics.fmean(numbers) if known else None
        spread[name] = statistics.stdev(numbers) if known and len(numbers) > 1 else None
    return SweepGroup(values, len(rows), mean, spread)
