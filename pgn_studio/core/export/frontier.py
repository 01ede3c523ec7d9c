"""Accuracy against the size of the perturbation, from one PGN at several γ: what a dial offers."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgn_studio.core.advice import Advice, Argument, Command, Setting
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.export.base import PICTURES, Picture, Source, Written, checked_suffix, option, writing
from pgn_studio.core.export.drawing import GRAY, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.perturbation.pgn import Pgn
    from pgn_studio.core.protocols import Progress

SUFFIXES = (*PICTURES, ".csv", ".json")
POINTS = 9  # γ where nobody chose some
COLUMNS = (
    *("gamma", "clean_accuracy", "perturbed_accuracy", "perturbed_accuracy_8bit"),
    *("fixed_8bit", "broken_8bit", "rms_mean", "l2_mean"),
)


@dataclass(frozen=True, kw_only=True)
class FrontierExport(Picture):
    name = "frontier"
    title = "Accuracy against RMS over γ"
    summary = "accuracy against RMS over γ, or the points (.csv, .json)"
    suffixes = SUFFIXES
    several_gammas = True
    in_dialog = False

    beside: tuple[str, ...] = option(
        (), "Another PGN in a comparison or frontier; may be repeated.", metavar="RUN|PGN", repeated=True
    )

    def write(self, path: Path, source: Source, progress: Progress) -> Written:
        from pgn_studio.core.export.comparison import check_fits

        own = gammas_shown(source.pgn, source.gammas)
        others = [source.other_pgn(target) for target in self.beside]
        for other in others:
            check_fits(source.pgn, other)
        courses = [Course(source.pgn.info.name or "PGN", _measured(source, source.pgn, own, progress))]
        for target, other in zip(self.beside, others, strict=True):
            found = _measured(source, other, gammas_shown(other, source.gammas, compared=True), progress)
            courses.append(Course(other.info.name or Path(target).stem, found))
        split = courses[0].evaluations[0].split_title
        title = f"{source.dataset.name}, {split}: {source.pgn.info.problem}"
        export_frontier(path, courses, title=title, dpi=self.dpi, width_mm=self.width_mm)
        return Written(path, f"Frontier written to {path}")


def _measured(source: Source, pgn: Pgn, gammas: Sequence[float], progress: Progress) -> list[Evaluation]:
    from pgn_studio.core.evaluation.along import evaluate_along

    return evaluate_along(
        pgn, gammas, source.classifier, source.dataset.split(source.split_name),
        split_name=source.split_name, dataset_name=source.dataset.name, batch_size=source.batch_size,
        device=source.device, progress=progress,
    )  # fmt: skip


@dataclass(frozen=True)
class Course:
    """A PGN's evaluations by rising γ, all of one split and classifier; one alone where it has one γ."""

    name: str
    evaluations: Sequence[Evaluation]


def gammas_shown(pgn: Pgn, wanted: Sequence[float], *, compared: bool = False) -> tuple[float, ...]:
    """The γ at which a PGN is measured: those `wanted` (() for some of its range), rising.

    `compared`: of those it is measured at what it serves. Raises ConfigError for a PGN with one γ, unless
    it is compared with another, and for a γ that it does not serve.
    """
    served = pgn.generator.gammas
    if served is None and compared:
        return (pgn.gamma,)
    if served is None:
        raise ConfigError(
            f"This PGN was trained for γ {pgn.gamma:g} alone: it is one point of a frontier, no curve.",
            hint=Advice(
                "Train one for a range, such as {}, or name this one with {}; accuracy against the strength"
                " of its perturbation is drawn by {}.",
                Setting("gamma", (0.3, 30.0)),
                Argument("beside"),
                Command("report"),
            ),
        )
    fitting = (
        [gamma for gamma in wanted if gamma in served] if compared else [served.check(g) for g in wanted]
    )
    return tuple(sorted(fitting)) or tuple(dict.fromkeys(served.spaced(POINTS)))


def export_frontier(
    path: Path, courses: Sequence[Course], *, title: str = "", dpi: int = 150, width_mm: float | None = None
) -> None:
    """Write accuracy after 8-bit rounding against RMS as PNG, SVG or PDF, or the points as CSV or JSON.

    The first course is the PGN that it is about. Raises PgnStudioError for another suffix, and where it
    cannot write.
    """
    path = Path(path)
    suffix = checked_suffix(path, SUFFIXES, "The frontier")
    if suffix in PICTURES:
        save_figure(draw_frontier(courses, title=title), path, dpi=dpi, width_mm=width_mm)
        return
    with writing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        if suffix == ".json":
            stream.write(json.dumps(_as_json(courses, title), indent=2, allow_nan=False, ensure_ascii=False))
            stream.write("\n")
            return
        table = csv.writer(stream)
        table.writerow(["pgn", *COLUMNS])
        table.writerows([course.name, *point.values()] for course in courses for point in _points(course))


def draw_frontier(courses: Sequence[Course], *, title: str = "") -> Figure:
    """The figure itself."""
    from matplotlib.figure import Figure

    from pgn_studio.core.export.sweep_figures import LINES, size_axis, style_axes

    figure = Figure(figsize=(5.6, 4.2), layout="constrained", facecolor="white")
    figure.suptitle(title, fontsize=9, parse_math=False)
    axes = figure.subplots()
    for number, course in enumerate(courses):
        _draw(axes, course, LINES[number % len(LINES)], ends_alone=len(courses) > 1)
    everywhere = [evaluation.metrics for course in courses for evaluation in course.evaluations]
    clean = 100 * everywhere[0].clean_accuracy
    axes.axhline(clean, color=GRAY, linewidth=0.9, linestyle="--", zorder=1, label="clean images")
    split = courses[0].evaluations[0].split_title
    style_axes(axes, "RMS of the perturbation per value", f"Accuracy after 8-bit rounding, {split} (%)")
    size_axis(axes, [(metrics.l2_mean, metrics.rms_mean) for metrics in everywhere])
    for text in axes.legend(fontsize=7, framealpha=0.8).get_texts():
        text.set_parse_math(False)  # a PGN's name may hold dollar signs
    return figure


def _draw(axes: Axes, course: Course, color: str, *, ends_alone: bool) -> None:
    """`ends_alone`: γ stands at the ends only, since those of several PGNs would lie on each other."""
    from pgn_studio.core.export.sweep_figures import name_gamma

    found = [evaluation.metrics for evaluation in course.evaluations]
    x, y = [one.rms_mean for one in found], [100 * one.perturbed_accuracy_8bit for one in found]
    axes.plot(x, y, color=color, linewidth=1.2, marker="o", markersize=5, label=course.name, zorder=3)
    labeled = [*zip(course.evaluations, x, y, strict=True)]
    if ends_alone and len(labeled) > 1:
        labeled = [labeled[0], labeled[-1]]
    for evaluation, at_x, at_y in labeled:
        name_gamma(axes, f"{evaluation.facts['gamma']:g}", (at_x, at_y), color)


def _points(course: Course) -> list[dict[str, Any]]:
    whole = [evaluation.to_json() for evaluation in course.evaluations]
    return [{name: figures[name] for name in COLUMNS} for figures in whole]


def _as_json(courses: Sequence[Course], title: str) -> dict[str, Any]:
    first = courses[0].evaluations[0]
    return {
        "title": title,
        "dataset": first.dataset_name,
        "split": first.split_name,
        "images": first.metrics.n,
        "pgns": [
            {"name": course.name, "pgn": course.evaluations[0].facts.get("pgn"), "points": _points(course)}
            for course in courses
        ],
    }
