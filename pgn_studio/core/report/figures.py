"""The report's figures as SVG, for a light and for a dark page."""

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
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pgn_studio.core.evaluation.bootstrap import Interval
from pgn_studio.core.export.drawing import BLUE, GRAY, ORANGE, fonts
from pgn_studio.core.report.report import Report

_NUMBERED = 12  # so many classes still have room for numbers in the confusion matrix
_NAMED = 30  # and so many for a name at each row
_UPRIGHT = 3  # a longer name below a column is turned
_CLASSES = 24  # most classes in the per-class figure
_NAME = 18  # characters of a class name on an axis
_STRONG = 0.6  # share of the full color beyond which a number on it is set in the page's color
_PT = 8.5


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


def confusion_figure(report: Report, theme: Theme) -> Figure:
    """Before, after and the change; rows are labels, columns predictions."""
    tables = report.confusion_clean, report.confusion_perturbed
    names = [_short(name) for name in report.evaluation.classes]
    size = 3.6 if len(names) <= _NUMBERED else 4.4
    # Names below the columns are upright and stand beside the rows: both want room.
    longest = max(map(len, names)) if len(names) <= _NAMED else 0
    room = 0.075 * longest if longest > _UPRIGHT else 0.0
    figure, panels = _figure(3 * size + room, size + 0.35 + room, theme, columns=3)
    blank = LinearSegmentedColormap.from_list("counts", [theme.ground, theme.first])
    signed = LinearSegmentedColormap.from_list("change", [theme.second, theme.ground, theme.first])
    change = tables[1] - tables[0]
    widest = max(1, int(np.abs(change).max()))
    for axes, table, title in zip(panels, tables, ("Clean", "Perturbed, 8 bits"), strict=False):
        shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap=blank, vmin=0, vmax=1, interpolation="nearest")
        _numbers(axes, table, shares > _STRONG, theme, "{:d}")
        axes.set_title(title, fontsize=_PT + 1, color=theme.text)
    panels[2].imshow(change, cmap=signed, vmin=-widest, vmax=widest, interpolation="nearest")
    _numbers(panels[2], change, np.abs(change) > _STRONG * widest, theme, "{:+d}")
    panels[2].set_title("Change in images (blue more, orange fewer)", fontsize=_PT + 1, color=theme.text)
    for place, axes in enumerate(panels):
        _name_ticks(axes, names, theme, rows=place == 0)
        axes.set_xlabel("Predicted", fontsize=_PT, color=theme.text)
        axes.spines[:].set_color(theme.line)
    panels[0].set_ylabel("Labeled", fontsize=_PT, color=theme.text)
    return figure


def strength_figure(report: Report, theme: Theme) -> Figure:
    """Accuracy against α, with the RMS that it means."""
    figure, (axes,) = _figure(7.0, 3.6, theme)
    alphas = [row.alpha for row in report.strength]
    series = (
        (
            "as a saved PNG (8 bits), with interval",
            [row.accuracy_8bit for row in report.strength],
            theme.first,
            "-",
            "o",
        ),
        ("not rounded", [row.accuracy for row in report.strength], theme.second, "--", "s"),
    )
    for label, intervals, color, style, marker in series:
        low, value, high = _percents(intervals)
        if style == "-":  # the other band would all but cover this one
            axes.fill_between(alphas, low, high, color=color, alpha=0.18, linewidth=0)
        axes.plot(alphas, value, style, marker=marker, markersize=4, color=color, linewidth=1.6, label=label)
    axes.axhline(
        100 * report.evaluation.metrics.clean_accuracy, color=theme.plain, linewidth=1, linestyle=":"
    )
    axes.axvline(1.0, color=theme.plain, linewidth=1, linestyle=":")
    axes.set_xticks(alphas, [f"{row.alpha:g}\n{row.rms:.3f}" for row in report.strength])
    _finish(
        axes, theme, "Strength α in x + αp, and the mean RMS of αp (dotted: α = 1, clean)", "Accuracy (%)"
    )
    _legend(axes, theme)
    return figure


def survival_figure(report: Report, theme: Theme) -> Figure:
    """Accuracy of the originals and the perturbed images in each form, and the change."""
    figure, (bars, gains) = _figure(9.4, 3.4, theme, columns=2, ratios=(3, 2))
    rows, places = report.survival, np.arange(float(len(report.survival)))
    _bars(bars, places - 0.2, [row.clean for row in rows], theme.plain, "original", theme, width=0.38)
    _bars(bars, places + 0.2, [row.perturbed for row in rows], theme.first, "perturbed", theme, width=0.38)
    bars.set_ylim(0, 118)
    bars.set_yticks(range(0, 101, 20))
    _finish(bars, theme, "", "Accuracy (%)")
    _legend(bars, theme, columns=2, place="upper right")
    _dots(gains, places, [row.change for row in rows], theme.first, theme)
    gains.axhline(0, color=theme.plain, linewidth=1)
    gains.set_xlim(-0.6, len(rows) - 0.4)
    _finish(gains, theme, "", "Change in accuracy (points)")
    for axes in (bars, gains):
        axes.set_xticks(places, [row.name for row in rows])
    return figure


def classes_figure(report: Report, theme: Theme) -> Figure:
    """Accuracy of each class; of many classes those that changed most."""
    rows = list(report.classes)
    if len(rows) > _CLASSES:
        rows = sorted(rows, key=lambda row: -abs(row.change.value or 0.0))[:_CLASSES]
    figure, (axes,) = _figure(8.0, 1.0 + 0.34 * len(rows), theme)
    places = np.arange(len(rows))[::-1].astype(float)
    for offset, name, color in ((0.19, "clean", theme.plain), (-0.19, "perturbed", theme.first)):
        low, value, high = _percents([getattr(row, name) for row in rows])
        label = "clean" if name == "clean" else "perturbed, 8 bits"
        axes.barh(places + offset, value, 0.36, color=color, label=label)
        axes.errorbar(
            value, places + offset, xerr=_whiskers(low, value, high), fmt="none", ecolor=theme.text,
            elinewidth=0.9, capsize=2,
        )  # fmt: skip
    _set_names(axes.yaxis, places, [f"{_short(row.name)} ({row.n})" for row in rows])
    axes.set_xlim(0, 103)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    _finish(axes, theme, "Accuracy (%)", "", grid="x")
    figure.legend(loc="outside upper right", fontsize=_PT, frameon=False, labelcolor=theme.text, ncols=2)
    return figure


def baselines_figure(report: Report, theme: Theme) -> Figure:
    """Every way's accuracy after 8 bits, with its RMS; hollow: it is told the labels."""
    ours = report.metrics["perturbed_accuracy_8bit"]
    rms = report.evaluation.metrics.rms_mean
    lines = [(row.title, row.rms, row.perturbed, row.oracle, False) for row in report.baselines]
    lines.append((f"This PGN: {report.name}", rms, ours, False, True))
    lines.sort(key=lambda line: line[2].value or 0.0)
    figure, (axes,) = _figure(8.0, 1.1 + 0.36 * len(lines), theme)
    axes.axvline(
        100 * report.evaluation.metrics.clean_accuracy, color=theme.plain, linewidth=1, linestyle=":"
    )
    for place, (_, _, interval, oracle, own) in enumerate(lines):
        color = theme.first if own else theme.second
        low, value, high = _percents([interval])
        axes.errorbar(
            value, [place], xerr=_whiskers(low, value, high), fmt="D" if own else "o", markersize=6.5,
            color=color, markerfacecolor="none" if oracle else color, elinewidth=1.4, capsize=3,
        )  # fmt: skip
    names = [f"{_short(title, 44)}  (RMS {size:.3f})" for title, size, *_ in lines]
    _set_names(axes.yaxis, np.arange(len(lines)), names)
    axes.set_ylim(-0.6, len(lines) - 0.4)
    _finish(axes, theme, "Accuracy after 8 bits (%; dotted: clean; hollow: is told the labels)", "", grid="x")
    return figure


def transfer_figure(report: Report, theme: Theme) -> Figure:
    """Change in accuracy of each classifier (column) by each PGN (row), in points."""
    pgns = list(dict.fromkeys(row.pgn for row in report.transfer))
    classifiers = list(dict.fromkeys(row.classifier for row in report.transfer))
    points = np.array([100 * (row.change.value or 0.0) for row in report.transfer])
    table = points.reshape(len(pgns), len(classifiers))
    width, height = 2.6 + 1.3 * len(classifiers), 1.2 + 0.55 * len(pgns)
    figure, (axes,) = _figure(max(5.0, width), height, theme)
    widest = max(1e-9, float(np.abs(table).max()))
    signed = LinearSegmentedColormap.from_list("change", [theme.second, theme.ground, theme.first])
    axes.imshow(table, cmap=signed, vmin=-widest, vmax=widest, interpolation="nearest", aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        color = theme.ground if abs(value) > _STRONG * widest else theme.text
        axes.text(
            column,
            row,
            f"{value:+.1f}".replace("-", "−"),
            ha="center",
            va="center",
            fontsize=_PT + 1,
            color=color,
        )
    _set_names(axes.xaxis, np.arange(len(classifiers)), [_short(name, 24) for name in classifiers])
    _set_names(axes.yaxis, np.arange(len(pgns)), [_short(name, 24) for name in pgns])
    axes.tick_params(colors=theme.text, labelsize=_PT, length=0)
    axes.spines[:].set_color(theme.line)
    axes.set_xlabel("Classifier", fontsize=_PT, color=theme.text)
    axes.set_ylabel("PGN", fontsize=_PT, color=theme.text)
    return figure


# ---------------------------------------------------------------- parts

Percents = npt.NDArray[np.float64]


def _figure(
    width: float, height: float, theme: Theme, *, columns: int = 1, ratios: Sequence[float] | None = None
) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor=theme.ground)
    panels = figure.subplots(1, columns, squeeze=False, width_ratios=ratios)[0]
    for axes in panels:
        axes.set_facecolor("none")
        axes.tick_params(labelsize=_PT - 0.5, colors=theme.text)
    return figure, list(panels)


def _finish(axes: Axes, theme: Theme, x: str, y: str, *, grid: str = "y") -> None:
    axes.set_xlabel(x, fontsize=_PT, color=theme.text)
    axes.set_ylabel(y, fontsize=_PT, color=theme.text)
    axes.tick_params(labelsize=_PT - 0.5, colors=theme.text)
    axes.grid(visible=True, axis="x" if grid == "x" else "y", color=theme.line, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[:].set_color(theme.line)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(
    axes: Axes, theme: Theme, *, columns: int = 1, place: Literal["best", "upper right"] = "best"
) -> None:
    axes.legend(fontsize=_PT - 0.5, frameon=False, labelcolor=theme.text, ncols=columns, loc=place)


def _percents(intervals: Sequence[Interval]) -> tuple[Percents, Percents, Percents]:
    """Low, value and high in per cent; the value where there is no interval."""
    value = np.array([100 * (item.value or 0.0) for item in intervals])
    low = np.array([item.low if item.low is not None else np.nan for item in intervals], dtype=float) * 100
    high = np.array([item.high if item.high is not None else np.nan for item in intervals], dtype=float) * 100
    return np.where(np.isfinite(low), low, value), value, np.where(np.isfinite(high), high, value)


def _whiskers(low: Percents, value: Percents, high: Percents) -> Percents:
    return np.maximum(np.stack([value - low, high - value]), 0.0)


def _bars(
    axes: Axes, places: Percents, intervals: Sequence[Interval], color: str, label: str, theme: Theme,
    *, width: float,
) -> None:  # fmt: skip
    low, value, high = _percents(intervals)
    axes.bar(places, value, width, color=color, label=label)
    axes.errorbar(
        places,
        value,
        yerr=_whiskers(low, value, high),
        fmt="none",
        ecolor=theme.text,
        elinewidth=0.9,
        capsize=2,
    )
    for place, top, number in zip(places, high, value, strict=True):
        axes.text(place, top + 1.5, f"{number:.1f}", ha="center", fontsize=_PT - 1, color=theme.text)


def _dots(axes: Axes, places: Percents, intervals: Sequence[Interval], color: str, theme: Theme) -> None:
    low, value, high = _percents(intervals)
    axes.errorbar(
        places, value, yerr=_whiskers(low, value, high), fmt="o", color=color, markersize=6, elinewidth=1.6,
        capsize=4,
    )  # fmt: skip
    for place, number in zip(places, value, strict=True):
        text = f"{number:+.1f}".replace("-", "−")
        axes.annotate(
            text, (place, number), xytext=(8, 0), textcoords="offset points", va="center",
            fontsize=_PT - 0.5, color=theme.text,
        )  # fmt: skip


def _numbers(
    axes: Axes, table: npt.NDArray[np.int64], strong: npt.NDArray[np.bool_], theme: Theme, form: str
) -> None:
    if len(table) > _NUMBERED:
        return
    for (row, column), value in np.ndenumerate(table):
        if value:
            color = theme.ground if strong[row, column] else theme.text
            text = form.format(int(value)).replace("-", "−")
            axes.text(column, row, text, ha="center", va="center", fontsize=_PT - 1, color=color)


def _name_ticks(axes: Axes, names: Sequence[str], theme: Theme, *, rows: bool) -> None:
    places = np.arange(len(names))
    if len(names) > _NAMED:
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(8, integer=True))
    else:
        turned = 90 if max(map(len, names)) > _UPRIGHT else 0
        _set_names(axes.xaxis, places, names, rotation=turned)
        _set_names(axes.yaxis, places, names if rows else [""] * len(names))
    axes.tick_params(labelsize=_PT - 1, colors=theme.text, length=0)


def _set_names(
    axis: mpl.axis.Axis, places: npt.NDArray[np.generic], names: Sequence[str], rotation: float = 0.0
) -> None:
    # parse_math off: a class name may hold dollar signs.
    axis.set_ticks(places.tolist(), labels=list(names), rotation=rotation, parse_math=False, family=fonts())


def _short(name: str, length: int = _NAME) -> str:
    name = " ".join(name.split())
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"
