"""The plots of a run from its metrics.jsonl, and the same numbers as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.base import PICTURES, Picture, Source, Written, checked_suffix, writing
from pgn_studio.core.export.drawing import BLUE, GRAY, ORANGE, SKY, save_figure
from pgn_studio.core.gamma import gamma_text
from pgn_studio.core.metrics_log import step_of
from pgn_studio.core.run_records import needs_log_axis
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.events import AtGamma, EpochCompleted, StepCompleted
from pgn_studio.core.training.plots import PLOTS, Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pgn_studio.core.protocols import Progress

Record = Mapping[str, Any]
Values = npt.NDArray[np.float64]
_ENDS = ("low", "high")  # of the range of γ that a PGN serves
_AT_ENDS = [f"{end}_{item.name}" for end in _ENDS for item in fields(AtGamma)]
_EVENTS = [item.name for kind in (StepCompleted, EpochCompleted) for item in fields(kind)]
_COLUMNS = [name for name in dict.fromkeys(["event", *_EVENTS, *_AT_ENDS]) if name != "at_gamma"]
_COLORS = {"first": BLUE, "second": ORANGE, "good": BLUE, "bad": ORANGE}
_LABEL_GAP = 0.07  # γ labels nearer than this share of the width would overlap


@dataclass(frozen=True, kw_only=True)
class CurvesExport(Picture):
    name = "curves"
    title = "Curves of the run"
    summary = "the run's plots, or their numbers (.csv)"
    suffixes = (*PICTURES, ".csv")
    needs = "run"
    in_dialog = False

    def write(self, path: Path, source: Source, progress: Progress) -> Written:
        export_curves(path, source.run, dpi=self.dpi, width_mm=self.width_mm)
        return Written(path, f"Curves written to {path}", _missing(source.run))


def _missing(run: RunFolder) -> list[str]:
    """Where the record of a run that has ended stops before its end, as after a copy that was cut."""
    ended, results = run.run_json.get("status") == "completed", run.run_json.get("results")
    steps = results.get("step") if ended and isinstance(results, dict) else None
    told = max(map(step_of, run.read_metrics()), default=0)
    if not isinstance(steps, int) or told >= steps:
        return []
    return [f"note: the run's {run.metrics_path.name} ends at step {told:,} of {steps:,}: the rest is lost."]


def export_curves(path: Path, run: RunFolder, *, dpi: int = 150, width_mm: float | None = None) -> None:
    """Write L_G and L_D, L2, fixed and broken, and the accuracies as PNG, SVG, PDF or CSV.

    Raises PgnStudioError for another suffix, for a run without a finished step, and where it
    cannot write.
    """
    path = Path(path)
    suffix = checked_suffix(path, (*PICTURES, ".csv"), "The curves")
    records = run.read_metrics()
    if not any(record.get("event") == "StepCompleted" for record in records):
        raise PgnStudioError(f"The run {run.path.name} has no finished step yet.", hint="Train it first.")
    if suffix == ".csv":
        _write_csv(path, records)
    else:
        save_figure(draw_curves(records, title=_title(run)), path, dpi=dpi, width_mm=width_mm)


def draw_curves(records: Sequence[Record], *, title: str) -> Figure:
    """The figure itself; steps as faint lines with their running mean, validation as dots."""
    from matplotlib.figure import Figure

    curves = _Curves.of(records)
    rows = math.ceil(len(PLOTS) / 2)
    figure = Figure(figsize=(7.2, 2.6 * rows), layout="constrained", facecolor="white")
    figure.suptitle(title, fontsize=9, parse_math=False)
    panels = figure.subplots(rows, 2, sharex=True).flatten()
    for number, (axes, plot) in enumerate(zip(panels, PLOTS, strict=False)):
        _DRAWN_BY.get(plot.name, _draw)(axes, plot, curves)
        _mark_gamma(axes, curves, labeled=number < 2)
    for axes in panels[len(PLOTS) :]:
        axes.remove()
    for axes in panels[: len(PLOTS)][-2:]:  # the lowest of each column
        axes.set_xlabel("Step", fontsize=8)
        axes.tick_params(labelbottom=True)
    return figure


def _draw(axes: Axes, plot: Plot, curves: _Curves) -> None:
    for curve in plot.curves:
        color, scale = _COLORS[curve.color], 1.0 if curve.unit == "plain" else 100.0
        if curve.epoch_column:
            values = scale * curves.epoch(curve.epoch_column)
            values = values / curves.val_images if curve.unit == "count" else values
            _dots(axes, curves.epochs, values, color, f"{curve.label}, validation")
        label = f"{curve.label}, training batches" if curve.epoch_column else curve.label
        _line(axes, curves, curve.column, color, label, scale=scale, share=curve.unit == "count")
    if plot.logarithmic:
        _log_where_wide(axes, np.concatenate([curves.step(curve.column) for curve in plot.curves]))
    _finish(axes, plot.title)


def _draw_losses(axes: Axes, _plot: Plot, curves: _Curves) -> None:
    _line(axes, curves, "loss_g", BLUE, "$L_G$")
    _line(axes, curves, "loss_d", ORANGE, "$L_D$")
    _finish(axes, "Loss")


def _draw_l2(axes: Axes, _plot: Plot, curves: _Curves) -> None:
    _line(axes, curves, "l2", BLUE, "mean of $p^2$")
    _log_where_wide(axes, curves.step("l2"))
    _finish(axes, "L2 (mean of $p^2$)")


def _draw_accuracy(axes: Axes, _plot: Plot, curves: _Curves) -> None:
    _dots(axes, curves.epochs, 100 * curves.epoch("clean_accuracy"), GRAY, "clean, validation")
    _dots(
        axes,
        curves.epochs,
        100 * curves.epoch("perturbed_accuracy_8bit"),
        BLUE,
        "perturbed, after 8-bit rounding, validation",
    )
    for end, color in zip(_ENDS, (ORANGE, SKY), strict=True):
        values = curves.epoch(f"{end}_perturbed_accuracy_8bit")
        _dots(axes, curves.epochs, 100 * values, color, f"the same at γ {curves.end_gamma(end):g}")
    _line(axes, curves, "perturbed_accuracy", BLUE, "perturbed, training batches", scale=100.0)
    _finish(axes, "Accuracy (%)")


# Those that print otherwise than the window shows; any other is drawn as it is.
_DRAWN_BY: Mapping[str, Callable[[Axes, Plot, _Curves], None]] = {
    "losses": _draw_losses,
    "l2": _draw_l2,
    "accuracy": _draw_accuracy,
}


@dataclass(frozen=True)
class _Curves:
    """Columns out of the records; a null (NaN when it was written) is NaN, a gap in the line."""

    step_records: Sequence[Record]
    epoch_records: Sequence[Record]
    batch_images: float  # images in a whole batch
    val_images: float

    @classmethod
    def of(cls, records: Sequence[Record]) -> _Curves:
        steps = [record for record in records if record.get("event") == "StepCompleted"]
        epochs = [_with_ends(record) for record in records if record.get("event") == "EpochCompleted"]
        starts = [record for record in records if record.get("event") == "RunStarted"]
        val_images, train_images = (_column(starts, name) for name in ("val_images", "train_images"))
        per_epoch = _column(starts, "steps_per_epoch")
        return cls(
            steps,
            epochs,
            batch_images=float(np.ceil(train_images[-1] / per_epoch[-1])) if starts else float("nan"),
            val_images=float(val_images[-1]) if starts else float("nan"),
        )

    def step(self, name: str) -> Values:
        return _column(self.step_records, name)

    def epoch(self, name: str) -> Values:
        return _column(self.epoch_records, name)

    @property
    def steps(self) -> Values:
        return self.step("step")

    @property
    def epochs(self) -> Values:
        """The steps at which epochs ended."""
        return self.epoch("step")

    def end_gamma(self, end: str) -> float:
        """The γ at that end of the range; NaN where the PGN serves none, or was not measured there."""
        known = self.epoch(f"{end}_gamma")
        known = known[np.isfinite(known)]
        return float(known[-1]) if len(known) else float("nan")

    def gamma_changes(self) -> list[tuple[float, float]]:
        """(step, γ) wherever a step used another γ than the step before."""
        gamma, steps = self.step("gamma"), self.steps
        changed = np.flatnonzero(np.diff(gamma) != 0) + 1
        return [(float(steps[index]), float(gamma[index])) for index in changed]


def _with_ends(record: Record) -> Record:
    """With what was measured at the ends of a range of γ as values of their own: low_rms_mean, …"""
    measured = record.get("at_gamma")
    if not isinstance(measured, list) or len(measured) < 2:
        return record
    ends = zip(_ENDS, (measured[0], measured[-1]), strict=True)
    return {
        **record,
        **{f"{end}_{name}": value for end, at in ends if isinstance(at, dict) for name, value in at.items()},
    }


def _column(records: Sequence[Record], name: str) -> Values:
    values = [record.get(name) for record in records]
    return np.array(
        [value if isinstance(value, (int, float)) else np.nan for value in values], dtype=np.float64
    )


def _line(
    axes: Axes,
    curves: _Curves,
    name: str,
    color: str,
    label: str,
    *,
    scale: float = 1.0,
    share: bool = False,
) -> None:
    values = curves.step(name) * (100 / curves.batch_images if share else scale)
    if not np.isfinite(values).any():
        return
    axes.plot(curves.steps, values, color=color, linewidth=0.5, alpha=0.2)
    axes.plot(curves.steps, _running_mean(values), color=color, linewidth=1.2, label=label)


def _dots(axes: Axes, steps: Values, values: Values, color: str, label: str) -> None:
    if np.isfinite(values).any():
        axes.plot(
            steps, values, color=color, linestyle=":", linewidth=0.9, marker="o", markersize=3.5, label=label
        )


def _running_mean(values: Values) -> Values:
    """Mean of a centerd window of a fiftieth of the run, NaN left out; same length."""
    window = max(1, len(values) // 50) | 1
    if window == 1:
        return values
    known = np.isfinite(values)
    first = np.clip(np.arange(len(values)) - window // 2, 0, None)
    end = np.clip(np.arange(len(values)) + window // 2 + 1, None, len(values))
    # By cumulative sums: a convolution takes minutes on a run of a million steps.
    sums, counts = (
        np.concatenate([[0.0], np.cumsum(part)])
        for part in (np.where(known, values, 0.0), known.astype(float))
    )
    total, count = sums[end] - sums[first], counts[end] - counts[first]
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _log_where_wide(axes: Axes, values: Values) -> None:
    if needs_log_axis(values[np.isfinite(values) & (values > 0)]):
        axes.set_yscale("log")


def _finish(axes: Axes, label: str) -> None:
    axes.set_ylabel(label, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(visible=True, linewidth=0.4, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=6.5, framealpha=0.8)


def _mark_gamma(axes: Axes, curves: _Curves, *, labeled: bool) -> None:
    """A dashed line at every change of γ, with its value above the upper panels where there is room."""
    first, last = float(np.nanmin(curves.steps)), float(np.nanmax(curves.steps))
    room = _LABEL_GAP * max(last - first, 1.0)
    free_from = float("-inf")
    for step, gamma in curves.gamma_changes():
        axes.axvline(step, color=GRAY, linewidth=0.7, linestyle="--")
        if labeled and step >= free_from:
            place = axes.get_xaxis_transform()
            axes.text(
                step,
                1.01,
                f"γ {gamma:g}",
                fontsize=6.5,
                color=GRAY,
                ha="center",
                va="bottom",
                transform=place,
            )
            free_from = step + room


def _title(run: RunFolder) -> str:
    settings = run.settings
    parts = (
        settings.problem,
        settings.discriminator,
        settings.loss,
        settings.encoder,
        f"γ {gamma_text(settings.gamma)}",
    )
    return f"{run.path.name}: {', '.join(parts)}"


def _write_csv(path: Path, records: Sequence[Record]) -> None:
    """One line per step and per epoch, in order; a column that an event does not have is empty."""
    with writing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, _COLUMNS, extrasaction="ignore")
        table.writeheader()
        table.writerows(
            _with_ends(record)
            for record in records
            if record.get("event") in ("StepCompleted", "EpochCompleted")
        )
