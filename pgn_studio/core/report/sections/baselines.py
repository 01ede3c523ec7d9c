"""Baselines: other ways of changing the same images, measured like the PGN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from matplotlib.figure import Figure

from pgn_studio.core.advice import Advice, Argument
from pgn_studio.core.baselines import baseline_names
from pgn_studio.core.baselines.context import BaselineContext, settings_in_force
from pgn_studio.core.baselines.preparing import make_baseline, measure_baseline, names_for
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import Problem
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.evaluation import metrics as measures
from pgn_studio.core.evaluation.bootstrap import Interval
from pgn_studio.core.evaluation.evaluate import Evaluation
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.core.protocols import Progress
from pgn_studio.core.report.figures import Theme, finish, new_figure, percents, set_names, short, whiskers
from pgn_studio.core.report.section import Measured, Section, Shares, saved_right
from pgn_studio.core.report.texts import change_with_span, outcome, p_value, with_span

if TYPE_CHECKING:
    from pgn_studio.core.report.report import Report


@dataclass(frozen=True)
class BaselineResult:
    """A baseline measured on the report's split. `oracle`: it is told the labels."""

    name: str
    title: str
    oracle: bool
    evaluation: Evaluation


def chosen_baselines(text: str, problem: Problem) -> tuple[str, ...]:
    """Names out of "all" (of this problem), "none" or names between commas.

    Raises ConfigError for an unknown one, and for one that does not fit the problem.
    """
    if text.strip().lower() == "none":
        return ()
    known = tuple(names_for(problem))
    if text.strip().lower() == "all":
        return known
    names = baseline_names([part.strip() for part in text.split(",") if part.strip()])
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ConfigError(
            Advice("{}: expected all, none or names between commas, got {!r}.", Argument("baselines"), text),
            hint=f"For the problem {problem} there are: {', '.join(known)}.",
        )
    return names


def measure_baselines(
    names: Sequence[str],
    pgn: Pgn,
    classifier: Classifier,
    dataset: ImageDataset,
    split_name: str,
    *,
    rms: float,
    batch_size: int,
    device: torch.device,
    progress: Progress | None = None,
) -> list[BaselineResult]:
    """Make each baseline at the RMS given, and measure it on the split."""
    context = BaselineContext.of(
        settings_in_force(pgn),
        classifier=classifier,
        space=pgn.space,
        dataset=dataset,
        rms=rms,
        device=device,
    )
    found = []
    for name in names:
        made = make_baseline(name, context, progress=progress)
        evaluation = measure_baseline(
            made, context, dataset, split_name, batch_size=batch_size, progress=progress
        )
        found.append(BaselineResult(made.name, made.title, made.oracle, evaluation))
    return found


@dataclass(frozen=True)
class BaselineRow:
    """Another way on the same images, rounded to 8 bits; `lead` is the PGN's accuracy minus its, paired."""

    name: str
    title: str
    oracle: bool
    rms: float
    perturbed: Interval
    change: Interval
    fixed: int
    broken: int
    lead: Interval
    lead_p: float


@dataclass(frozen=True)
class BaselinesSection(Section):
    key = "baselines"
    title = "Baselines"
    head = (
        "Method",
        "RMS",
        "Accuracy (%)",
        "Change (points)",
        "Fixed",
        "Broken",
        "PGN leads by",
        "McNemar p",
    )
    note = "After 8-bit rounding, at the PGN's RMS. An oracle is told the labels: a bound, not a rival."
    csv_name = "baseline"
    figure_text = "Accuracy of the PGN and the baselines at matched RMS"

    rows: Sequence[BaselineRow]  # none where none was measured

    @classmethod
    def compute(cls, measured: Measured) -> BaselinesSection:
        ours = measured.saved_right
        rows = []
        for baseline in measured.baselines:
            found = baseline.evaluation
            theirs = saved_right(found)
            clean = found.per_image.clean_prediction == found.per_image.labels
            shares = Shares(measured.bootstrap, {"clean": clean, "theirs": theirs, "ours": ours})
            fixed, broken = measures.fixed_and_broken(clean, theirs)
            rows.append(
                BaselineRow(
                    baseline.name, baseline.title, baseline.oracle, found.metrics.rms_mean,
                    shares.share("theirs"), shares.change("clean", "theirs"), fixed, broken,
                    shares.change("theirs", "ours"),
                    measures.mcnemar_p(*measures.fixed_and_broken(theirs, ours)),
                )
            )  # fmt: skip
        return cls(rows)

    def cells(self, report: Report) -> list[list[str]]:
        rows = [
            [
                _baseline_title(row), f"{row.rms:.4f}", with_span(row.perturbed),
                *outcome(row), change_with_span(row.lead),
                p_value(row.lead_p),
            ]
            for row in self.rows
        ]  # fmt: skip
        if rows:
            ours, own = report.metrics, report.evaluation.metrics
            mine = [
                "This PGN", f"{own.rms_mean:.4f}", with_span(ours["perturbed_accuracy_8bit"]),
                change_with_span(ours["accuracy_change_8bit"]), str(own.fixed_8bit), str(own.broken_8bit),
                "", "",
            ]  # fmt: skip
            rows.insert(0, mine)
        return rows

    def figure(self, report: Report, theme: Theme) -> Figure:
        """Every way's accuracy after 8-bit rounding, with its RMS; hollow: it is told the labels."""
        ours = report.metrics["perturbed_accuracy_8bit"]
        rms = report.evaluation.metrics.rms_mean
        lines = [(row.title, row.rms, row.perturbed, row.oracle, False) for row in self.rows]
        lines.append((f"This PGN: {report.name}", rms, ours, False, True))
        lines.sort(key=lambda line: line[2].value or 0.0)
        figure, (axes,) = new_figure(8.0, 1.1 + 0.36 * len(lines), theme)
        axes.axvline(
            100 * report.evaluation.metrics.clean_accuracy, color=theme.plain, linewidth=1, linestyle=":"
        )
        for place, (_, _, interval, oracle, own) in enumerate(lines):
            color = theme.first if own else theme.second
            low, value, high = percents([interval])
            axes.errorbar(
                value, [place], xerr=whiskers(low, value, high), fmt="D" if own else "o", markersize=6.5,
                color=color, markerfacecolor="none" if oracle else color, elinewidth=1.4, capsize=3,
            )  # fmt: skip
        names = [f"{short(title, 44)}  (RMS {size:.3f})" for title, size, *_ in lines]
        set_names(axes.yaxis, np.arange(len(lines)), names)
        axes.set_ylim(-0.6, len(lines) - 0.4)
        finish(
            axes,
            theme,
            "Accuracy after 8-bit rounding (%; dotted: clean; hollow: is told the labels)",
            "",
            grid="x",
        )
        return figure


def _baseline_title(row: BaselineRow) -> str:
    """Says that it is an oracle, where its title does not."""
    return row.title if not row.oracle or "oracle" in row.title.lower() else f"{row.title} (oracle)"
