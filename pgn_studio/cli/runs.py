"""`pgn-studio runs`: the runs, newest first; `pgn-studio annotate`: a name, tags and notes for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pgn_studio.cli import terminal
from pgn_studio.core.amounts import percent
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.gamma import gamma_text

if TYPE_CHECKING:
    from pgn_studio.core.run_records import RunRecord

ANNOTATE_EXAMPLE = 'pgn-studio annotate RUN --name "first that works" --tag paper --notes "γ 30 is too much"'


def runs(
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where to look; default: the folder that `doctor` shows.")
    ] = None,
    search: Annotated[
        str,
        typer.Option("--search", help="Only runs with these words or settings: 'digits gamma=10 tag=paper'."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the runs, newest first: data set, problem, status, epochs; the kept PGN's epoch, γ, figures.

    Of a PGN that serves a range of γ the figures are at its middle.
    """
    from pgn_studio.core.paths import runs_folder
    from pgn_studio.core.run_records import list_runs, record_of

    if folder is not None and not folder.expanduser().is_dir():
        raise ConfigError(f"--folder: there is no folder {folder}.")
    place = runs_folder() if folder is None else folder.expanduser().absolute()
    records = [record_of(summary) for summary in list_runs(place)]
    rows = [_row(record) for record in records if record.matches(search)]
    if as_json:
        terminal.result(json.dumps(rows, indent=2, allow_nan=False))
        return
    if not rows:
        none = f"No run in {place} matches." if records else f"There are no runs in {place}."
        terminal.note(none if records else f"{none} `pgn-studio train` makes one.")
        return
    terminal.result_table(_table(rows, place))


def annotate(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    name: Annotated[
        str | None, typer.Option("--name", help="What to call it; '' takes the name away.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Add a tag; can be repeated.")] = None,
    untag: Annotated[list[str] | None, typer.Option("--untag", help="Take a tag away.")] = None,
    notes: Annotated[str | None, typer.Option("--notes", help="Replace the notes.")] = None,
) -> None:
    """Give a run a name, tags and notes, as the window's Runs page does; print what it has."""
    from pgn_studio.core.annotations import Annotations, read_annotations, write_annotations
    from pgn_studio.core.runs import RunFolder

    folder = RunFolder.open(run.expanduser()).path
    before = read_annotations(folder)
    missing = [item for item in untag or [] if item not in before.tags]
    if missing:
        there = ", ".join(before.tags) or "none"
        raise ConfigError(f"--untag: the run has no tag {missing[0]!r}.", hint=f"It has: {there}.")
    tags = [item for item in before.tags if item not in (untag or [])]
    after = Annotations(
        before.name if name is None else name,
        (*tags, *(tag or [])),
        before.notes if notes is None else notes,
    )
    if after != before:
        write_annotations(folder, after)
    kept = read_annotations(folder)
    terminal.result(json.dumps({"name": kept.name, "tags": kept.tags, "notes": kept.notes}, indent=2))


def _row(record: RunRecord) -> dict[str, Any]:
    summary, results = record.summary, record.summary.results
    return {
        "folder": str(summary.path),
        "name": record.annotations.name,
        "tags": list(record.annotations.tags),
        "notes": record.annotations.notes,
        "created": summary.created.isoformat(),
        "status": summary.status,
        "dataset": summary.dataset,
        "problem": summary.problem,
        "discriminator": summary.discriminator,
        "encoder": summary.encoder,
        "gamma": record.gamma,
        "gammas": None if record.gammas is None else [record.gammas.low, record.gammas.high],
        "epochs": results.get("epoch"),
        "kept_epoch": record.figures.get("epoch"),
        "clean_accuracy": results.get("clean_accuracy"),
        "perturbed_accuracy_8bit": results.get("perturbed_accuracy_8bit"),
        "rms": record.figures.get("rms_mean"),
        "has_pgn": summary.has_pgn,
        "damage": summary.damage,
    }


def _table(rows: list[dict[str, Any]], place: Path) -> Table:
    from datetime import datetime

    table = Table(title=f"Runs in {place}", title_justify="left")
    table.add_column("run", overflow="fold")
    for heading in ("date", "data set", "problem", "status"):
        table.add_column(heading)
    table.add_column("epochs", justify="right")
    table.add_column("kept", justify="right")
    table.add_column("γ", justify="right")
    table.add_column("RMS", justify="right")
    table.add_column("validation, after 8-bit rounding", justify="right")
    for row in rows:
        when = datetime.fromisoformat(row["created"]).astimezone()
        clean, perturbed = row["clean_accuracy"], row["perturbed_accuracy_8bit"]
        measured = clean is not None and perturbed is not None
        figures = f"{percent(clean)} -> {percent(perturbed)}" if measured else ""
        table.add_row(
            f"{row['name']} ({Path(row['folder']).name})" if row["name"] else Path(row["folder"]).name,
            f"{when:%Y-%m-%d %H:%M}",
            Path(row["dataset"]).name,
            row["problem"],
            row["damage"] or row["status"],
            str(row["epochs"] or ""),
            str(row["kept_epoch"] or ""),
            gamma_text(row["gammas"] or row["gamma"]) if row["gamma"] is not None else "",
            "" if row["rms"] is None else f"{row['rms']:.4f}",
            figures,
        )
    return table
