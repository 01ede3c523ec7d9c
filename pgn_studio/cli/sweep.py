"""`pgn-studio sweep`: a run for each combination of values, each measured on the test split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from pgn_studio.cli import terminal
from pgn_studio.cli.blackbox import GivenAccess, with_access
from pgn_studio.cli.evaluate import ClassifierArch
from pgn_studio.cli.options import with_settings
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.threads import prepare
from pgn_studio.cli.wording import in_options
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import ConfigError, RunError
from pgn_studio.core.project.resolve import refuse_inside_dataset, resolve_classifier

if TYPE_CHECKING:
    from pgn_studio.cli.sweep_work import RunJob
    from pgn_studio.core.sweeps.folder import SweepFolder
    from pgn_studio.core.sweeps.jobs import Job, Outcome
    from pgn_studio.core.sweeps.plan import Axis, Point
    from pgn_studio.core.sweeps.summary import SweepSummary

EXAMPLE = (
    "Example: pgn-studio sweep --dataset photos --classifier photos-classifier.safetensors "
    "--over gamma=0.1,1,10,30 --over seed=0,1,2 --out photos-sweep"
)
FigureFormat = Literal["png", "svg", "pdf"]


@with_settings(TrainingSettings)
@with_access
def sweep(
    given: dict[str, Any],
    access: GivenAccess,
    over: Annotated[
        list[str],
        typer.Option(
            "--over",
            metavar="SETTING=VALUE,VALUE,…",
            show_default=False,
            help="A setting to sweep, by its name; several times for all combinations.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FOLDER", show_default=False, help="The sweep's folder, new or begun."),
    ],
    image: Annotated[
        int | None,
        typer.Option(
            "--image",
            min=0,
            help="The test image in the comparison, by number; default: one that most PGNs fix (or break).",
        ),
    ] = None,
    figures: Annotated[FigureFormat, typer.Option("--figures", help="The kind of the figures.")] = "png",
    classifier_arch: ClassifierArch = None,
) -> None:
    """Train a PGN for every combination of the values given with --over, and measure each on the test split.

    The same command continues a sweep: finished runs are skipped, a stopped one goes on. A run that
    fails is listed with its error and the others go on. Ctrl+C stops and keeps the current run.

    Ends with a table, sweep.csv, sweep.json, sweep.md and three figures: frontier (accuracy against
    the size of the perturbation), curves (each run's course) and comparison (one image under each PGN).
    """
    from pgn_studio.core.sweeps.plan import make_points, parse_axis

    base = TrainingSettings.make(**given)
    axes = [parse_axis(text, given) for text in over]
    points = make_points(given, axes)
    for point in points:
        if not point.settings.classifier:
            raise ConfigError(
                "--classifier is needed: the frozen classifier's file.",
                hint="`pgn-studio train-classifier` makes one.",
            )
        resolve_classifier(point.settings.classifier)
        access.check(point.settings.classifier)
        if not out.expanduser().exists():
            refuse_inside_dataset(out, point.settings.dataset)
    prepare()
    from pgn_studio.cli.sweep_work import LastOpened, RunJob
    from pgn_studio.core.device import training_machine
    from pgn_studio.core.encoders import check_encoder
    from pgn_studio.core.project.training_run import absolute_settings
    from pgn_studio.core.sweeps.folder import SweepFolder

    training_machine(base.device, base.precision)
    for point in points:
        check_encoder(point.settings)
    with Interruption() as stop:
        opener = LastOpened(stop, access.source(None, classifier_arch))
        shared = absolute_settings(base).model_dump(mode="json")
        folder = SweepFolder.open(out.expanduser().absolute(), shared, axes)
        jobs = [
            RunJob(point.name, absolute_settings(point.settings), folder.run_path(point.name), opener)
            for point in points
        ]
        for job in jobs:
            job.check()
        outcomes = _run(jobs, folder, axes, points, base, stop)
        summary = _summary(axes, points, outcomes, base)
        _show(summary)
        terminal.note(f"Tables: {folder.path / 'sweep.csv'}, sweep.json, sweep.md")
        if not stop.asked:
            _draw(folder, summary, jobs, points, image=image, ending=f".{figures}", stop=stop)
    if stop.asked:
        terminal.note("Stopped; the same command goes on with it.")
        raise typer.Exit(stop.exit_code)
    end_with_failures(outcomes, "runs")


def _run(
    jobs: Sequence[RunJob],
    folder: SweepFolder,
    axes: Sequence[Axis],
    points: Sequence[Point],
    base: TrainingSettings,
    stop: Interruption,
) -> list[Outcome]:
    """All jobs; the tables are written after each, so that a killed sweep has them too."""
    from pgn_studio.core.export.sweep_tables import write_sweep_tables
    from pgn_studio.core.sweeps.jobs import run_jobs
    from pgn_studio.core.sweeps.plan import values_text

    def begin(index: int, job: Job) -> None:
        terminal.note("")
        terminal.note(f"[{index + 1}/{len(jobs)}] {values_text(points[index].values)}")

    def ended(outcomes: list[Outcome]) -> None:
        summary = _summary(axes, points, outcomes, base)
        folder.write(summary.to_json())
        write_sweep_tables(folder.path, summary)

    outcomes = run_jobs(jobs, stopping=lambda: stop.asked, begin=begin, ended=ended)
    for outcome in outcomes:
        if outcome.status == "failed":
            terminal.note(f"{outcome.name} failed: {in_options(outcome.error)}")
    return outcomes


def _summary(
    axes: Sequence[Axis], points: Sequence[Point], outcomes: Sequence[Outcome], base: TrainingSettings
) -> SweepSummary:
    from pgn_studio.core.sweeps.plan import setting_label
    from pgn_studio.core.sweeps.summary import summarize

    swept = " and ".join(setting_label(axis.name) for axis in axes)
    names = {axis.name for axis in axes}
    shown = [Path(base.dataset).name] if "dataset" not in names else []
    shown += [getattr(base, name) for name in ("problem", "discriminator", "loss") if name not in names]
    return summarize(f"Sweep over {swept}: {', '.join(shown)}", axes, points, outcomes)


def _show(summary: SweepSummary) -> None:
    from pgn_studio.core.export.sweep_tables import group_rows, run_rows

    terminal.result_table(rich_table(run_rows(summary), f"{summary.title} (test split)"))
    if summary.groups:
        terminal.result_table(rich_table(group_rows(summary), "Mean ± standard deviation over seeds"))


def rich_table(rows: Sequence[Sequence[str]], title: str) -> Table:
    """Rows with the head first; all but the first column to the right."""
    table = Table(title=title, title_justify="left")
    for number, heading in enumerate(rows[0]):
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    for row in rows[1:]:
        table.add_row(*row)
    return table


def _draw(
    folder: SweepFolder,
    summary: SweepSummary,
    jobs: Sequence[RunJob],
    points: Sequence[Point],
    *,
    image: int | None,
    ending: str,
    stop: Interruption,
) -> None:
    """The three figures, as far as there is something to draw."""
    from pgn_studio.core.export.sweep_figures import export_frontier, export_sweep_curves
    from pgn_studio.core.runs import RUN_JSON, RunFolder

    records = {
        point.name: RunFolder.open(folder.run_path(point.name)).read_metrics()
        for point in points
        if (folder.run_path(point.name) / RUN_JSON).exists()
    }
    if any(record.get("event") == "EpochCompleted" for run in records.values() for record in run):
        export_sweep_curves(folder.path / f"curves{ending}", summary, records)
        terminal.result(str(folder.path / f"curves{ending}"))
    if not summary.done:
        return
    export_frontier(folder.path / f"frontier{ending}", summary)
    terminal.result(str(folder.path / f"frontier{ending}"))
    path = folder.path / f"comparison{ending}"
    if _draw_comparison(path, summary, jobs, points, image):
        terminal.result(str(path))


def _draw_comparison(
    path: Path, summary: SweepSummary, jobs: Sequence[RunJob], points: Sequence[Point], image: int | None
) -> bool:
    """One image under the PGN of each combination (of seeds the first); False where data sets differ."""
    from pgn_studio.core.export.comparison_figure import MAX_COLUMNS, export_comparison
    from pgn_studio.core.sweeps.folder import telling_image
    from pgn_studio.core.sweeps.plan import values_text
    from pgn_studio.core.sweeps.summary import without_seed

    shown: dict[str, tuple[RunJob, Point]] = {}
    done = {row.name for row in summary.done}
    for job, point in zip(jobs, points, strict=True):
        if point.name in done:
            shown.setdefault(values_text(without_seed(point.values)) or point.name, (job, point))
    chosen = dict(list(shown.items())[:MAX_COLUMNS])
    letters = [str((job.recorded() or {}).get("outcomes", "")) for job, _ in chosen.values()]
    if len({len(text) for text in letters}) != 1 or not letters[0]:
        terminal.note("No comparison: the runs were not measured on the same images.")
        return False
    if image is not None and image >= len(letters[0]):
        raise ConfigError(f"--image {image}: the test split has {len(letters[0])} images, from 0 on.")
    problem = next(iter(chosen.values()))[1].settings.problem
    number = telling_image(letters, letter="f" if problem == "enhance" else "b") if image is None else image
    columns = [(label, job.triptych(number)) for label, (job, _) in chosen.items()]
    export_comparison(path, columns, title=f"{summary.title}, test image {number}")
    return True


def end_with_failures(outcomes: Sequence[Outcome], what: str) -> None:
    """Nothing where all went well; otherwise exit code 2 with a line, or 1 after a fault of ours."""
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if not failed:
        return
    names = ", ".join(outcome.name for outcome in failed[:5]) + (" …" if len(failed) > 5 else "")
    line = f"{len(failed)} of {len(outcomes)} {what} failed: {names}."
    if any(outcome.internal for outcome in failed):
        terminal.note(f"{line} Some through an internal error: the log has the details.")
        raise typer.Exit(1)
    raise RunError(line, hint="The reasons are listed above; the same command tries them again.")
