"""`pgn-studio runs`: the runs, newest first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pgn_studio.cli import terminal
from pgn_studio.core.errors import ConfigError

if TYPE_CHECKING:
    from pgn_studio.core.run_list import RunSummary


def runs(
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where to look; default: the folder that `doctor` shows.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the runs, newest first: data set, problem, status, epochs and accuracy after 8 bits."""
    from pgn_studio.core.paths import runs_folder
    from pgn_studio.core.run_list import list_runs

    if folder is not None and not folder.expanduser().is_dir():
        raise ConfigError(f"--folder: there is no folder {folder}.")
    place = runs_folder() if folder is None else folder.expanduser().absolute()
    rows = [_row(summary) for summary in list_runs(place)]
    if as_json:
        terminal.result(json.dumps(rows, indent=2, allow_nan=False))
        return
    if not rows:
        terminal.note(f"There are no runs in {place}. `pgn-studio train` makes one.")
        return
    terminal.result_table(_table(rows, place))


def _row(summary: RunSummary) -> dict[str, Any]:
    results = summary.results
    return {
        "folder": str(summary.path),
        "created": summary.created.isoformat(),
        "status": summary.status,
        "dataset": summary.dataset,
        "problem": summary.problem,
        "discriminator": summary.discriminator,
        "encoder": summary.encoder,
        "epochs": results.get("epoch"),
        "clean_accuracy": results.get("clean_accuracy"),
        "perturbed_accuracy_8bit": results.get("perturbed_accuracy_8bit"),
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
    table.add_column("validation, 8 bits", justify="right")
    for row in rows:
        when = datetime.fromisoformat(row["created"]).astimezone()
        clean, perturbed = row["clean_accuracy"], row["perturbed_accuracy_8bit"]
        measured = clean is not None and perturbed is not None
        figures = f"{terminal.percent(clean)} -> {terminal.percent(perturbed)}" if measured else ""
        table.add_row(
            Path(row["folder"]).name,
            f"{when:%Y-%m-%d %H:%M}",
            Path(row["dataset"]).name,
            row["problem"],
            row["damage"] or row["status"],
            str(row["epochs"] or ""),
            figures,
        )
    return table
