"""Figures of a sweep: the frontier of accuracy against size, and the paper's figures 4 and 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pgn_studio.core.assignments import value_text
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.base import PICTURES, checked_suffix
from pgn_studio.core.export.drawing import BLUE, GRAY, ORANGE, save_figure
from pgn_studio.core.gamma import GammaRange
from pgn_studio.core.run_records import needs_log_axis
from pgn_studio.core.sweeps.plan import values_text
from pgn_studio.core.sweeps.summary import SweepRow, SweepSummary, without_seed

Values = npt.NDArray[np.float64]
Record = Mapping[str, Any]
LINES = (BLUE, ORANGE, "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")  # Okabe and Ito
_DPI = 150


def export_frontier(path: Path, summary: SweepSummary) -> None:
    """Write accuracy after 8-bit rounding against RMS per value, both on the test split, as PNG, SVG or PDF.

    A line joins the γ values of each other setting; seeds are faint dots around their mean with its
    spread. Raises PgnStudioError where no run is done yet.
    """
    checked_suffix(path, PICTURES, "The frontier")
    save_figure(draw_frontier(summary), path, dpi=_DPI)


def draw_frontier(summary: SweepSummary) -> Figure:
    """The figure itself."""
    families = _families(summary.done)
    if not families:
        raise PgnStudioError("There is no frontier to draw: no run is done yet.", hint="Continue the sweep.")
    figure = Figure(figsize=(5.6, 4.2), layout="constrained", facecolor="white")
    figure.suptitle(summary.title, fontsize=9, parse_math=False)
    axes = figure.subplots()
    lines: dict[str, list[_Place]] = {}
    for values, rows in families:
        others = {name: value for name, value in values.items() if name != "gamma"}
        lines.setdefault(values_text(others), []).append(_Place.of(values, rows))
    for number, (label, places) in enumerate(lines.items()):
        _draw_line(axes, places, LINES[number % len(LINES)], label, joined=len(places) > 1)
    clean = {row.figures["clean_accuracy"] for row in summary.done}
    for value in clean:
        axes.axhline(100 * float(value or 0.0), color=GRAY, linewidth=0.9, linestyle="--", zorder=1)
    axes.plot([], [], color=GRAY, linewidth=0.9, linestyle="--", label="clean images")
    style_axes(axes, "RMS of the perturbation per value", "Accuracy after 8-bit rounding, test (%)")
    sizes = [float(row.figures["rms_mean"] or 0.0) for row in summary.done]
    l2 = [float(row.figures["l2_mean"] or 0.0) for row in summary.done]
    size_axis(axes, [*zip(l2, sizes, strict=True)])
    axes.legend(fontsize=7, framealpha=0.8)
    return figure


@dataclass(frozen=True)
class _Place:
    """Where the runs of one combination lie, one value for each seed; accuracy in per cent."""

    gamma: float | tuple[float, float] | None  # of a range the figures are at its middle
    sizes: Values
    accuracies: Values

    @classmethod
    def of(cls, values: Mapping[str, Any], rows: Sequence[SweepRow]) -> _Place:
        def column(name: str) -> Values:
            return np.array([row.figures[name] for row in rows], dtype=np.float64)

        return cls(values.get("gamma"), column("rms_mean"), 100 * column("perturbed_accuracy_8bit"))


def _draw_line(axes: Axes, places: Sequence[_Place], color: str, label: str, *, joined: bool) -> None:
    ordered = sorted(places, key=_by_gamma)
    x = np.array([place.sizes.mean() for place in ordered])
    y = np.array([place.accuracies.mean() for place in ordered])
    several = any(len(place.sizes) > 1 for place in ordered)
    axes.errorbar(
        x,
        y,
        xerr=[_spread(place.sizes) for place in ordered] if several else None,
        yerr=[_spread(place.accuracies) for place in ordered] if several else None,
        color=color,
        linewidth=1.2 if joined else 0.0,
        elinewidth=0.8,
        capsize=2.5,
        marker="o",
        markersize=5,
        label=label or "perturbed images",
        zorder=3,
    )
    for place, at_x, at_y in zip(ordered, x, y, strict=True):
        if len(place.sizes) > 1:
            axes.plot(place.sizes, place.accuracies, ".", color=color, alpha=0.35, markersize=5, zorder=2)
        if place.gamma is not None:
            name_gamma(axes, value_text(place.gamma), (at_x, at_y), color)


def name_gamma(axes: Axes, gamma: str, place: tuple[float, float], color: str) -> None:
    """γ beside the point at which it stands."""
    axes.annotate(
        f"γ {gamma}",
        place,
        xytext=(6, 7),
        textcoords="offset points",
        fontsize=7,
        color=color,
        bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8},
        zorder=4,
    )


def _by_gamma(place: _Place) -> tuple[bool, float]:
    gamma = place.gamma
    middle = GammaRange(*gamma).middle if isinstance(gamma, (tuple, list)) else gamma
    return gamma is not None, middle or 0.0


def _spread(values: Values) -> float:
    """Standard deviation (n - 1); 0 for a single value."""
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def size_axis(axes: Axes, pairs: Sequence[tuple[float, float]]) -> None:
    """RMS below, logarithmic where it varies much, ‖p‖₂ on top, and room for names; `pairs` of (L2, RMS)."""
    if needs_log_axis(rms for _, rms in pairs):
        axes.set_xscale("log")
    _l2_on_top(axes, pairs)
    axes.margins(x=0.12, y=0.12)


def _l2_on_top(axes: Axes, pairs: Sequence[tuple[float, float]]) -> None:
    """The mean of ‖p‖₂ as a second scale: RMS times the root of the number of values, one image size.

    `pairs` of both.
    """
    ratios = [l2 / rms for l2, rms in pairs if rms > 0]
    if not ratios or max(ratios) > 1.01 * min(ratios):  # nothing perturbed, or image sizes are swept
        return
    ratio = float(np.mean(ratios))
    top = axes.secondary_xaxis(
        "top", functions=(lambda rms: np.multiply(rms, ratio), lambda l2: np.divide(l2, ratio))
    )
    top.set_xlabel("Mean ‖p‖₂ of an image", fontsize=8)
    top.tick_params(labelsize=7)


def export_sweep_curves(path: Path, summary: SweepSummary, records: Mapping[str, Sequence[Record]]) -> None:
    """Write losses, L2, fixed and broken, and accuracy per epoch for each γ: the paper's figures 4 and 8.

    `records` are the metrics of each run by its name. Raises PgnStudioError without a whole epoch.
    """
    checked_suffix(path, PICTURES, "The curves")
    save_figure(draw_sweep_curves(summary, records), path, dpi=_DPI)


def draw_sweep_curves(summary: SweepSummary, records: Mapping[str, Sequence[Record]]) -> Figure:
    """The figure itself: a color for each combination, its seeds averaged."""
    courses = [
        (values, [course for row in rows if (course := _Course.of(records.get(row.name, ()))).epochs])
        for values, rows in _families(summary.rows)
    ]
    courses = [(values, found) for values, found in courses if found]
    if not courses:
        raise PgnStudioError("There are no curves: no run has finished an epoch.", hint="Continue the sweep.")
    figure = Figure(figsize=(8.2, 5.6), layout="constrained", facecolor="white")
    figure.suptitle(summary.title, fontsize=9, parse_math=False)
    losses, size, flips, accuracy = figure.subplots(2, 2, sharex=True).flatten()
    colors = mpl.colormaps["viridis"](np.linspace(0.0, 0.88, len(courses)))
    for color, (_, found) in zip(colors, courses, strict=True):
        for axes, name, line in (
            (losses, "loss_g", "-"),
            (losses, "loss_d", "--"),
            (size, "l2", "-"),
            (flips, "fixed", "-"),
            (flips, "broken", "--"),
            (accuracy, "accuracy", "-"),
        ):
            _draw_course(axes, [getattr(course, name) for course in found], color, line)
    clean = np.mean([course.clean for _, found in courses for course in found])
    accuracy.axhline(float(clean), color=GRAY, linewidth=0.9, linestyle=":")
    place = accuracy.get_yaxis_transform()  # x in parts of the axes
    accuracy.text(
        0.99, float(clean), "clean", fontsize=7, color=GRAY, ha="right", va="bottom", transform=place
    )
    size.set_yscale("log")
    for axes, label in (
        (losses, "(A) Loss, mean of the epoch"),
        (size, "(B) L2: mean of p², training images"),
        (flips, "(C) Share of validation images (%)"),
        (accuracy, "(D) Validation accuracy, after 8-bit rounding (%)"),
    ):
        style_axes(axes, "Epoch" if axes in (flips, accuracy) else "", label)
        axes.xaxis.get_major_locator().set_params(integer=True)
    _key(losses, "$L_G$", "$L_D$")
    _key(flips, "fixed", "broken")
    handles = [Line2D([], [], color=color, linewidth=2) for color in colors]
    labels = [values_text(values) or "run" for values, _ in courses]
    figure.legend(handles, labels, loc="outside right center", fontsize=7, frameon=False)
    return figure


@dataclass(frozen=True)
class _Course:
    """A run's epochs; shares and accuracies in per cent of the validation images."""

    epochs: int
    loss_g: Values
    loss_d: Values
    l2: Values
    fixed: Values
    broken: Values
    accuracy: Values
    clean: float

    @classmethod
    def of(cls, records: Sequence[Record]) -> _Course:
        steps = [record for record in records if record.get("event") == "StepCompleted"]
        ends = [record for record in records if record.get("event") == "EpochCompleted"]
        starts = [record for record in records if record.get("event") == "RunStarted"]
        images = float(starts[-1]["val_images"]) if starts else float("nan")

        def column(name: str) -> Values:
            return np.array([_number(record.get(name)) for record in ends], dtype=np.float64)

        by_epoch: dict[Any, list[float]] = {}
        for step in steps:
            by_epoch.setdefault(step.get("epoch"), []).append(_number(step.get("l2")))
        return cls(
            epochs=len(ends),
            loss_g=column("train_loss_g"),
            loss_d=column("train_loss_d"),
            l2=np.array([np.mean(by_epoch.get(end["epoch"], [np.nan])) for end in ends]),
            fixed=100 * column("fixed") / images,
            broken=100 * column("broken") / images,
            accuracy=100 * column("perturbed_accuracy_8bit"),
            clean=100 * _number(starts[-1]["clean_accuracy"]) if starts else float("nan"),
        )


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _draw_course(axes: Axes, courses: Sequence[Values], color: Any, line: str) -> None:
    """The mean over seeds as far as all of them went, with the range between the extremes."""
    length = min(len(course) for course in courses)
    values = np.stack([course[:length] for course in courses])  # (seeds, epochs)
    epochs = np.arange(1, length + 1)
    mean, low, high = values.mean(axis=0), values.min(axis=0), values.max(axis=0)
    marker = "o" if length == 1 else ""
    axes.plot(epochs, mean, color=color, linestyle=line, linewidth=1.3, marker=marker, markersize=4)
    if len(courses) > 1:
        axes.fill_between(epochs, low, high, color=color, alpha=0.12, linewidth=0)


def _key(axes: Axes, solid: str, dashed: str) -> None:
    handles = [Line2D([], [], color=GRAY, linestyle=line, linewidth=1.3) for line in ("-", "--")]
    axes.legend(handles, [solid, dashed], fontsize=7, framealpha=0.8)


def style_axes(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)
    axes.tick_params(which="both", labelsize=7)
    axes.grid(visible=True, linewidth=0.4, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _families(rows: Sequence[SweepRow]) -> list[tuple[dict[str, Any], list[SweepRow]]]:
    """Rows that differ by the seed only, together."""
    families: list[tuple[dict[str, Any], list[SweepRow]]] = []
    for row in rows:
        values = without_seed(row.values)
        known = next((members for found, members in families if found == values), None)
        if known is None:
            families.append((values, [row]))
        else:
            known.append(row)
    return families
