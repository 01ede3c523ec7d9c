"""One image under several PGNs and baselines, side by side: the paper's figures 6 and 7.

Every column is a triptych from top to bottom; all perturbations have one scale, so that their
sizes compare by eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pgn_studio.core.baselines import BASELINES, DEFAULT_BASELINES, baseline_names
from pgn_studio.core.errors import ConfigError, PgnStudioError
from pgn_studio.core.export.base import PICTURES, Picture, Source, Written, checked_suffix, option
from pgn_studio.core.export.drawing import BLUE, GRAY, ORANGE, Sheet, save_figure
from pgn_studio.core.export.figure import shortened, verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pgn_studio.core.export.comparison import Compared
    from pgn_studio.core.export.triptych import TriptychRow
    from pgn_studio.core.protocols import Progress

MAX_COLUMNS = 16
_CELL, _GAP, _MARGIN, _SIDE = 1.2, 0.1, 0.12, 0.84  # inches; _SIDE holds the names of the rows
_CAPTION, _HEAD, _TITLE, _FOOT = 0.24, 0.24, 0.26, 0.26
_SIZE_PT = 7.0
_ROWS = ("Original", "Perturbation", "Perturbed")


@dataclass(frozen=True, kw_only=True)
class ComparisonExport(Picture):
    name = "comparison"
    title = "Comparison of one image: this PGN, others and baselines"
    summary = "one image under this PGN, at each γ that is given, under others, and under baselines"
    suffixes = PICTURES
    chooses_images = True
    compares = True
    several_gammas = True
    in_dialog = False

    beside: tuple[str, ...] = option(
        (), "Another PGN in a comparison or frontier; may be repeated.", metavar="RUN|PGN", repeated=True
    )
    baselines: tuple[str, ...] | None = option(
        None,
        "Baselines in a comparison, at the RMS that this PGN (at the first γ) has on the image: names as the "
        "command baseline takes them, or none; default: random-sign,fgsm, of several γ none. Those that need "
        "training are trained first.",
        kind=tuple, metavar="A,B,…",
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.baselines is not None:
            object.__setattr__(self, "baselines", baseline_names(self.baselines))
        unknown = [name for name in self.baselines or () if name not in BASELINES]
        if unknown:
            raise ConfigError(
                f"baselines: there is no {unknown[0]!r}.",
                hint=f"Choose among {', '.join(BASELINES)}, or none.",
            )

    def write(self, path: Path, source: Source, progress: Progress) -> Written:
        from pgn_studio.core.export.comparison import Compared, possible_baselines, trained_baseline

        baselines = self.baselines
        if baselines is None:
            baselines = () if len(source.gammas) > 1 else DEFAULT_BASELINES
        others = [source.pgn.at(gamma) for gamma in source.gammas[1:]]
        others += [source.other_pgn(target) for target in self.beside]
        possible = possible_baselines(source.pgn, source.classifier)
        made = {
            name: trained_baseline(name, source.pgn, source.classifier, source.dataset, progress=progress)
            for name in baselines
            if name in possible and BASELINES.load(name).needs_training
        }
        notes = [
            f"{BASELINES.load(name).title} is left out: not for this PGN and classifier."
            for name in baselines
            if name not in possible
        ]
        compared = Compared(tuple(others), source.against, baselines, made)
        return self.write_compared(path, source, compared, progress, notes)

    def write_compared(
        self, path: Path, source: Source, compared: Compared, progress: Progress, notes: Sequence[str] = ()
    ) -> Written:
        """With PGNs and baselines that are there already."""
        from pgn_studio.core.export.comparison import comparison_columns

        index, split = int(source.indices(1)[0]), source.dataset.split(source.split_name)
        columns = comparison_columns(source.pgn, source.classifier, split, index, compared, progress=progress)
        title = f"{source.dataset.name}: {split.names[index]}"
        export_comparison(path, columns, title=title, dpi=self.dpi, width_mm=self.width_mm)
        return Written(path, f"Comparison written to {path}", notes)


def export_comparison(
    path: Path,
    columns: Sequence[tuple[str, TriptychRow]],
    *,
    title: str = "",
    dpi: int = 150,
    width_mm: float | None = None,
) -> None:
    """Write one triptych for each (label, row), as PNG, SVG or PDF.

    Raises PgnStudioError for another suffix, and for no columns or more than MAX_COLUMNS.
    """
    checked_suffix(path, PICTURES, "The comparison")
    save_figure(draw_comparison(columns, title=title), path, dpi=dpi, width_mm=width_mm)


def draw_comparison(columns: Sequence[tuple[str, TriptychRow]], *, title: str = "") -> Figure:
    """The figure itself."""
    if not 1 <= len(columns) <= MAX_COLUMNS:
        raise PgnStudioError(f"A comparison takes 1 to {MAX_COLUMNS} columns, got {len(columns)}.")
    sheet = _Sheet(len(columns))
    heading = shortened(title, sheet.width - 2 * _MARGIN, 8.0, bold=True)
    sheet.text(sheet.width / 2, 0.07, heading, 8.0, bold=True)
    scale = max(max(row.scale for _, row in columns), 1e-8)
    for line, name in enumerate(_ROWS):
        sheet.text(_MARGIN, sheet.top(line) + _CELL / 2 - 0.05, name, _SIZE_PT, bold=True, align="left")
    for number, (label, row) in enumerate(columns):
        _draw_column(sheet, number, label, row, scale)
    true = f"true class: {columns[0][1].true_label}"
    note = f"{true}; p in pixel values of 0…1, gray is 0, full scale ± {scale:.3f}"
    foot = shortened(note, sheet.width - 2 * _MARGIN, _SIZE_PT)
    sheet.text(_MARGIN, sheet.height - _FOOT + 0.06, foot, _SIZE_PT, color=GRAY, align="left")
    return sheet.figure


def _draw_column(sheet: _Sheet, number: int, label: str, row: TriptychRow, scale: float) -> None:
    right = (row.clean_label == row.true_label, row.perturbed_label == row.true_label)
    edges = (BLUE if right[0] else ORANGE, "#999999", BLUE if right[1] else ORANGE)
    signed = np.clip(row.perturbation / scale, -1.0, 1.0)
    middle = np.rint(128.0 + 127.0 * signed).astype(np.uint8)
    captions = (
        verdict(row.clean_label, row.clean_confidence, right[0], _CELL),
        f"RMS {row.rms:.3f}, max {row.scale:.2f}",
        verdict(row.perturbed_label, row.perturbed_confidence, right[1], _CELL),
    )
    x = sheet.left(number)
    sheet.text(x + _CELL / 2, sheet.top(0) - 0.19, shortened(label, _CELL, 8.0, bold=True), 8.0, bold=True)
    for line, (pixels, edge, caption) in enumerate(
        zip((row.original, middle, row.perturbed), edges, captions, strict=True)
    ):
        if row.difference and line != 1:
            continue
        sheet.picture(x, sheet.top(line), pixels, edge, interpolation="nearest")
        color = GRAY if line == 1 else edge
        sheet.text(x + _CELL / 2, sheet.top(line) + _CELL + 0.05, caption, _SIZE_PT, color=color)


class _Sheet(Sheet):
    def __init__(self, columns: int) -> None:
        width = 2 * _MARGIN + _SIDE + columns * _CELL + (columns - 1) * _GAP
        height = _TITLE + _HEAD + 3 * (_CELL + _CAPTION) + _FOOT
        super().__init__(max(width, 4.4), height, side=_CELL, size_pt=_SIZE_PT)  # title and note want room

    def left(self, column: int) -> float:
        return _MARGIN + _SIDE + column * (_CELL + _GAP)

    def top(self, line: int) -> float:
        return _TITLE + _HEAD + line * (_CELL + _CAPTION)
