"""What the report's figures are drawn with: SVG, for a light and for a dark page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pgn_studio.core.evaluation.bootstrap import Interval
from pgn_studio.core.export.drawing import BLUE, GRAY, ORANGE, fonts

NUMBERED = 12  # so many classes still have room for numbers in the confusion matrix
NAMED = 30  # and so many for a name at each row
UPRIGHT = 3  # a longer name below a column is turned
_NAME = 18  # characters of a class name on an axis
STRONG = 0.6  # share of the full color beyond which a number on it is set in the page's color
PT = 8.5


@dataclass(frozen=True)
class Theme:
    """Colors after Okabe and Ito: told apart with every kind of color vision, and in gray."""

    ground: str
    text: str
    line: str
    first: str  # the perturbed image, more
    second: str  # fewer
    plain: str  # the clean image


LIGHT = Theme("#ffffff", "#1c2330", "#d5dae1", BLUE, ORANGE, GRAY)
DARK = Theme("#171c24", "#e4e8ee", "#39424f", "#56b4e9", "#e69f00", "#9aa5b3")


def svg(figure: Figure) -> bytes:
    """The figure as an SVG file, the same every time."""
    stream = io.BytesIO()
    FigureCanvasAgg(figure)
    with mpl.rc_context({"svg.hashsalt": "pgn-studio"}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return stream.getvalue()


Percents = npt.NDArray[np.float64]


def new_figure(
    width: float, height: float, theme: Theme, *, columns: int = 1, ratios: Sequence[float] | None = None
) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor=theme.ground)
    panels = figure.subplots(1, columns, squeeze=False, width_ratios=ratios)[0]
    for axes in panels:
        axes.set_facecolor("none")
        axes.tick_params(labelsize=PT - 0.5, colors=theme.text)
    return figure, list(panels)


def finish(axes: Axes, theme: Theme, x: str, y: str, *, grid: str = "y") -> None:
    axes.set_xlabel(x, fontsize=PT, color=theme.text)
    axes.set_ylabel(y, fontsize=PT, color=theme.text)
    axes.tick_params(labelsize=PT - 0.5, colors=theme.text)
    axes.grid(visible=True, axis="x" if grid == "x" else "y", color=theme.line, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[:].set_color(theme.line)
    axes.spines[["top", "right"]].set_visible(False)


def legend(
    axes: Axes, theme: Theme, *, columns: int = 1, place: Literal["best", "upper right"] = "best"
) -> None:
    axes.legend(fontsize=PT - 0.5, frameon=False, labelcolor=theme.text, ncols=columns, loc=place)


def percents(intervals: Sequence[Interval]) -> tuple[Percents, Percents, Percents]:
    """Low, value and high in per cent; the value where there is no interval."""
    value = np.array([100 * (item.value or 0.0) for item in intervals])
    low = np.array([item.low if item.low is not None else np.nan for item in intervals], dtype=float) * 100
    high = np.array([item.high if item.high is not None else np.nan for item in intervals], dtype=float) * 100
    return np.where(np.isfinite(low), low, value), value, np.where(np.isfinite(high), high, value)


def whiskers(low: Percents, value: Percents, high: Percents) -> Percents:
    return np.maximum(np.stack([value - low, high - value]), 0.0)


def bars(
    axes: Axes, places: Percents, intervals: Sequence[Interval], color: str, label: str, theme: Theme,
    *, width: float,
) -> None:  # fmt: skip
    low, value, high = percents(intervals)
    axes.bar(places, value, width, color=color, label=label)
    axes.errorbar(
        places,
        value,
        yerr=whiskers(low, value, high),
        fmt="none",
        ecolor=theme.text,
        elinewidth=0.9,
        capsize=2,
    )
    for place, top, number in zip(places, high, value, strict=True):
        axes.text(place, top + 1.5, f"{number:.1f}", ha="center", fontsize=PT - 1, color=theme.text)


def dots(axes: Axes, places: Percents, intervals: Sequence[Interval], color: str, theme: Theme) -> None:
    low, value, high = percents(intervals)
    axes.errorbar(
        places, value, yerr=whiskers(low, value, high), fmt="o", color=color, markersize=6, elinewidth=1.6,
        capsize=4,
    )  # fmt: skip
    for place, number in zip(places, value, strict=True):
        text = f"{number:+.1f}".replace("-", "−")
        axes.annotate(
            text, (place, number), xytext=(8, 0), textcoords="offset points", va="center",
            fontsize=PT - 0.5, color=theme.text,
        )  # fmt: skip


def numbers(
    axes: Axes, table: npt.NDArray[np.int64], strong: npt.NDArray[np.bool_], theme: Theme, form: str
) -> None:
    if len(table) > NUMBERED:
        return
    for (row, column), value in np.ndenumerate(table):
        if value:
            color = theme.ground if strong[row, column] else theme.text
            text = form.format(int(value)).replace("-", "−")
            axes.text(column, row, text, ha="center", va="center", fontsize=PT - 1, color=color)


def name_ticks(axes: Axes, names: Sequence[str], theme: Theme, *, rows: bool) -> None:
    places = np.arange(len(names))
    if len(names) > NAMED:
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(8, integer=True))
    else:
        turned = 90 if max(map(len, names)) > UPRIGHT else 0
        set_names(axes.xaxis, places, names, rotation=turned)
        set_names(axes.yaxis, places, names if rows else [""] * len(names))
    axes.tick_params(labelsize=PT - 1, colors=theme.text, length=0)


def set_names(
    axis: mpl.axis.Axis, places: npt.NDArray[np.generic], names: Sequence[str], rotation: float = 0.0
) -> None:
    # parse_math off: a class name may hold dollar signs.
    axis.set_ticks(places.tolist(), labels=list(names), rotation=rotation, parse_math=False, family=fonts())


def short(name: str, length: int = _NAME) -> str:
    name = " ".join(name.split())
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"
