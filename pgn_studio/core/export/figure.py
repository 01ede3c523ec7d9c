"""The figure of triptychs, as the paper's Figures 3 and 5, ready for print.

Laid out in inches: every picture has the same size however many rows there are, and a text
that is wider than its picture is shortened.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.base import PICTURES, Picture, Source, Written, checked_suffix, option
from pgn_studio.core.export.drawing import BLUE, GRAY, ORANGE, Sheet, fonts, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pgn_studio.core.export.triptych import TriptychRow
    from pgn_studio.core.protocols import Progress

MAX_ROWS = 40
DEFAULT_ROWS = 6
_ROWS_IN_A_BLOCK = 10  # more rows go into a further block to the right
_CELL, _GAP, _BLOCK_GAP, _MARGIN = 1.35, 0.12, 0.35, 0.15  # inches
_CAPTION = 0.42  # two lines of text below a picture
_HEAD, _TITLE, _FOOT = 0.26, 0.24, 0.3
_PADDING = 0.06  # texts stay this much narrower than their picture
_SIZE_PT, _LINE = 7.0, 0.135
_BLOCK = 3 * _CELL + 2 * _GAP
_HEADS = ("Original", "Perturbation", "Perturbed")


@dataclass(frozen=True, kw_only=True)
class FigureExport(Picture):
    name = "figure"
    title = "Figure: original | perturbation | perturbed"
    summary = "images as original | perturbation | perturbed"
    suffixes = PICTURES
    chooses_images = True

    gain: float | None = option(
        None, "Contrast of the perturbation's picture; default: fitted to it.", kind=float, low=0
    )

    def preview(self, source: Source, count: int) -> str:
        if count > MAX_ROWS:
            raise PgnStudioError(f"A figure takes {MAX_ROWS} images at most, and these are {count:,}.")
        return ""

    def write(self, path: Path, source: Source, progress: Progress) -> Written:
        from pgn_studio.core.export.triptych import triptych_rows

        rows = triptych_rows(
            source.pgn,
            source.classifier,
            source.dataset.split(source.split_name),
            source.indices(DEFAULT_ROWS),
        )
        progress(1, 2)
        export_figure(path, rows, title=source.caption, gain=self.gain, dpi=self.dpi, width_mm=self.width_mm)
        progress(2, 2)
        return Written(path, f"Figure written to {path}")


def export_figure(
    path: Path,
    rows: Sequence[TriptychRow],
    *,
    title: str = "",
    gain: float | None = None,
    dpi: int = 150,
    width_mm: float | None = None,
) -> None:
    """Write rows of original | perturbation | perturbed as PNG, SVG or PDF, by the suffix.

    `gain` magnifies the perturbation's picture beyond its own full scale (clipped). `width_mm` scales
    the whole with its texts; by itself a block of rows is 112 mm wide. Raises PgnStudioError for
    another suffix, no rows or more than MAX_ROWS, a width or resolution that is out of range, and
    where it cannot write.
    """
    path = Path(path)
    checked_suffix(path, PICTURES, "The figure")
    save_figure(draw_figure(rows, title=title, gain=gain), path, dpi=dpi, width_mm=width_mm)


def draw_figure(rows: Sequence[TriptychRow], *, title: str = "", gain: float | None = None) -> Figure:
    """The figure itself, without pyplot, so that any thread may draw one."""
    if not 1 <= len(rows) <= MAX_ROWS:
        raise PgnStudioError(
            f"A figure takes 1 to {MAX_ROWS} rows, got {len(rows)}.",
            hint="Choose another outcome or class." if not rows else "Choose fewer images.",
        )
    page = _Page(len(rows), has_title=bool(title))
    if title:
        page.text(
            page.width / 2,
            0.12,
            shortened(title, page.width - 2 * _MARGIN, 9.0, bold=True),
            size=9.0,
            bold=True,
        )
    for block in range(page.blocks):
        for column, head in enumerate(_HEADS):
            middle = page.left(block, column) + _CELL / 2
            page.text(middle, page.top - _HEAD + 0.04, head, size=8.0, bold=True)
    for number, row in enumerate(rows):
        _draw_row(page, *divmod(number, page.rows), row, 1.0 if gain is None else gain)
    _draw_foot(page, 1.0 if gain is None else gain)
    return page.figure


class _Page(Sheet):
    def __init__(self, count: int, *, has_title: bool) -> None:
        self.blocks = math.ceil(count / _ROWS_IN_A_BLOCK)
        self.rows = math.ceil(count / self.blocks)
        self.top = _MARGIN + _HEAD + (_TITLE if has_title else 0.0)
        width = 2 * _MARGIN + self.blocks * _BLOCK + (self.blocks - 1) * _BLOCK_GAP
        height = self.top + self.rows * (_CELL + _CAPTION) + _FOOT
        super().__init__(width, height, side=_CELL, size_pt=_SIZE_PT)

    def left(self, block: int, column: int) -> float:
        return _MARGIN + block * (_BLOCK + _BLOCK_GAP) + column * (_CELL + _GAP)


def _draw_row(page: _Page, block: int, line: int, row: TriptychRow, gain: float) -> None:
    from pgn_studio.core.export.triptych import perturbation_picture

    y = page.top + line * (_CELL + _CAPTION)
    pictures = (row.original, perturbation_picture(row.perturbation, gain=gain), row.perturbed)
    clean_right = row.clean_label == row.true_label
    perturbed_right = row.perturbed_label == row.true_label
    edges = (_color(clean_right), "#999999", _color(perturbed_right))
    for column, (pixels, edge) in enumerate(zip(pictures, edges, strict=True)):
        page.picture(page.left(block, column), y, pixels, edge)
    first, second = y + _CELL + 0.05, y + _CELL + 0.05 + _LINE
    middle = [page.left(block, column) + _CELL / 2 for column in range(3)]
    page.text(middle[0], first, shortened(f"true: {row.true_label}", _CELL - _PADDING, _SIZE_PT))
    said = verdict(row.clean_label, row.clean_confidence, clean_right)
    page.text(middle[0], second, said, color=edges[0])
    page.text(middle[1], first, f"max |p| {row.scale:.3f}", color=GRAY)
    page.text(middle[1], second, f"RMS {row.rms:.3f}", color=GRAY)
    said = verdict(row.perturbed_label, row.perturbed_confidence, perturbed_right)
    page.text(middle[2], first, said, color=edges[2])


def _draw_foot(page: _Page, gain: float) -> None:
    """The key, which must be read without color too."""
    y, x = page.height - _FOOT + 0.06, _MARGIN
    page.text(x, y, "✓ right", color=BLUE, align="left")
    page.text(x + 0.5, y, "✗ wrong", color=ORANGE, align="left")
    full = "max |p|" if gain == 1.0 else f"max |p| / {gain:g}"
    note = f"p in pixel values of 0…1; gray is 0, full scale ± {full}"
    page.text(page.width - _MARGIN, y, note, color=GRAY, align="right")


def _color(right: bool) -> str:
    return BLUE if right else ORANGE


def verdict(label: str, confidence: float, right: bool, width: float = _CELL) -> str:
    """Mark, class and confidence (where it is known) on `width` inches; of these the class is shortened."""
    mark, share = "✓" if right else "✗", "" if math.isnan(confidence) else f"{100 * confidence:.0f} %"
    room = width - _PADDING - _width(f"{mark}   {share}", _SIZE_PT)
    return f"{mark} {shortened(label, room, _SIZE_PT)} {share}".rstrip()


def shortened(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """`text` on one line, cut with an ellipsis where it is wider than `width` inches."""
    text = " ".join(text.split())
    if _width(text, size, bold=bold) <= width:
        return text
    low, high = 0, len(text)
    while low < high:  # the longest beginning that fits with the ellipsis
        half = (low + high + 1) // 2
        fits = _width(text[:half].rstrip() + "…", size, bold=bold) <= width
        low, high = (half, high) if fits else (low, half - 1)
    return text[:low].rstrip() + "…"


@lru_cache(maxsize=4096)
def _width(text: str, size: float, *, bold: bool = False) -> float:
    """Width in inches as it is going to be set."""
    if not text.strip():
        return 0.0
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family=fonts(), weight="bold" if bold else "normal")
    return float(TextPath((0, 0), text.replace("$", r"\$"), size=size, prop=font).get_extents().width) / 72
