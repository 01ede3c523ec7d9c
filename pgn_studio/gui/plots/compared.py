"""Runs that are drawn beside the one that is shown: same colors, dashed lines."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pgn_studio.gui.plots.series import Line
from pgn_studio.gui.training.history import RunHistory

Dashes = tuple[int, int]  # drawn, left out
DASHES: tuple[Dashes, ...] = ((6, 3), (2, 3), (12, 2), (3, 1))
MOST = len(DASHES)
COLUMNS = 320  # points along a compared curve


@dataclass(frozen=True)
class ComparedRun:
    """A run's history for comparison; `dashes` tell it from the others."""

    name: str
    folder: str
    history: RunHistory
    dashes: Dashes = field(default=DASHES[0])
    dataset: str = ""  # as its settings name it


def dashed(line: Line, dashes: Dashes) -> tuple[Line, npt.NDArray[np.uint8]]:
    """`line` at even distances, and which points are joined to the next: dashes that cost no dashed pen.

    A dashed pen redraws many times slower than a plain one.
    """
    x, y = line
    if len(x) < 2:
        return line, np.ones(len(x), dtype=np.uint8)
    even = np.linspace(x[0], x[-1], COLUMNS)
    drawn, left_out = dashes
    joined = (np.arange(COLUMNS) % (drawn + left_out) < drawn).astype(np.uint8)
    return (even, np.interp(even, x, y)), joined
