"""One image under several PGNs, side by side: the paper's figures 6 and 7.

Every column is a triptych from top to bottom; all perturbations have one scale, so that their
sizes compare by eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.figure import shortened, verdict
from pgn_studio.core.export.formats import BLUE, GRAY, ORANGE, PICTURES, checked_suffix, fonts, save_figure
from pgn_studio.core.export.triptych import TriptychRow

MAX_COLUMNS = 16
_CELL, _GAP, _MARGIN, _SIDE = 1.2, 0.1, 0.12, 0.84  # inches; _SIDE holds the names of the rows
_CAPTION, _HEAD, _TITLE, _FOOT = 0.24, 0.24, 0.26, 0.26
_SIZE_PT = 7.0
_ROWS = ("Original", "Perturbation", "Perturbed")


def export_strip(
    path: Path, columns: Sequence[tuple[str, TriptychRow]], *, title: str = "", dpi: int = 150
) -> None:
    """Write one triptych for each (label, row), as PNG, SVG or PDF.

    Raises PgnStudioError for another suffix, and for no columns or more than MAX_COLUMNS.
    """
    checked_suffix(path, PICTURES, "The strip")
    save_figure(draw_strip(columns, title=title), path, dpi=dpi)


def draw_strip(columns: Sequence[tuple[str, TriptychRow]], *, title: str = "") -> Figure:
    """The figure itself."""
    if not 1 <= len(columns) <= MAX_COLUMNS:
        raise PgnStudioError(f"A strip takes 1 to {MAX_COLUMNS} columns, got {len(columns)}.")
    strip = _Strip(len(columns))
    heading = shortened(title, strip.width - 2 * _MARGIN, 8.0, bold=True)
    strip.text(strip.width / 2, 0.07, heading, 8.0, bold=True)
    scale = max(max(row.scale for _, row in columns), 1e-8)
    for line, name in enumerate(_ROWS):
        strip.text(_MARGIN, strip.top(line) + _CELL / 2 - 0.05, name, _SIZE_PT, bold=True, align="left")
    for number, (label, row) in enumerate(columns):
        _draw_column(strip, number, label, row, scale)
    true = f"true class: {columns[0][1].true_label}"
    note = f"{true}; p in pixel values of 0…1, gray is 0, full scale ± {scale:.3f}"
    foot = shortened(note, strip.width - 2 * _MARGIN, _SIZE_PT)
    strip.text(_MARGIN, strip.height - _FOOT + 0.06, foot, _SIZE_PT, color=GRAY, align="left")
    return strip.figure


def _draw_column(strip: _Strip, number: int, label: str, row: TriptychRow, scale: float) -> None:
    right = (row.clean_label == row.true_label, row.perturbed_label == row.true_label)
    edges = (BLUE if right[0] else ORANGE, "#999999", BLUE if right[1] else ORANGE)
    signed = np.clip(row.perturbation / scale, -1.0, 1.0)
    middle = np.rint(128.0 + 127.0 * signed).astype(np.uint8)
    captions = (
        verdict(row.clean_label, row.clean_confidence, right[0], _CELL),
        f"RMS {row.rms:.3f}, max {row.scale:.2f}",
        verdict(row.perturbed_label, row.perturbed_confidence, right[1], _CELL),
    )
    x = strip.left(number)
    strip.text(x + _CELL / 2, strip.top(0) - 0.19, shortened(label, _CELL, 8.0, bold=True), 8.0, bold=True)
    for line, (pixels, edge, caption) in enumerate(
        zip((row.original, middle, row.perturbed), edges, captions, strict=True)
    ):
        if row.difference and line != 1:
            continue
        strip.picture(x, strip.top(line), pixels, edge)
        color = GRAY if line == 1 else edge
        strip.text(x + _CELL / 2, strip.top(line) + _CELL + 0.05, caption, _SIZE_PT, color=color)


class _Strip:
    """Places things in inches from the upper left."""

    def __init__(self, columns: int) -> None:
        self.width = 2 * _MARGIN + _SIDE + columns * _CELL + (columns - 1) * _GAP
        self.width = max(self.width, 4.4)  # title and note want room
        self.height = _TITLE + _HEAD + 3 * (_CELL + _CAPTION) + _FOOT
        self.figure = Figure(figsize=(self.width, self.height), facecolor="white")

    def left(self, column: int) -> float:
        return _MARGIN + _SIDE + column * (_CELL + _GAP)

    def top(self, line: int) -> float:
        return _TITLE + _HEAD + line * (_CELL + _CAPTION)

    def text(
        self, x: float, y: float, text: str, size: float, *, color: str = "black", bold: bool = False,
        align: str = "center",
    ) -> None:  # fmt: skip
        self.figure.text(
            x / self.width, 1 - y / self.height, text, fontsize=size, color=color, ha=align, va="top",
            weight="bold" if bold else "normal", family=fonts(), parse_math=False,
        )  # fmt: skip

    def picture(self, x: float, y: float, pixels: npt.NDArray[np.uint8], edge: str) -> None:
        bounds = (x / self.width, 1 - (y + _CELL) / self.height, _CELL / self.width, _CELL / self.height)
        axes = self.figure.add_axes(bounds)
        axes.imshow(pixels, aspect="auto", interpolation="nearest")
        axes.set_axis_off()
        frame = Rectangle((0, 0), 1, 1, transform=axes.transAxes, fill=False, edgecolor=edge, linewidth=1.6)
        frame.set_clip_on(False)
        axes.add_patch(frame)
