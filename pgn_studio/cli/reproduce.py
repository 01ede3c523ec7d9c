"""`pgn-studio reproduce`: the paper's tables, at its own scale or at a small one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pgn_studio.cli import terminal
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.sweep import end_with_failures, rich_table
from pgn_studio.cli.threads import prepare
from pgn_studio.cli.wording import in_options
from pgn_studio.core.config import MOST_SEED
from pgn_studio.core.errors import ConfigError

if TYPE_CHECKING:
    from pgn_studio.core.sweeps.folder import SweepFolder
    from pgn_studio.core.sweeps.jobs import Job, Outcome
    from pgn_studio.core.sweeps.reproduction import Cell, PaperTable, Wishes

EXAMPLE = "Example: pgn-studio reproduce table1 --scale small --dataset digits --out table1-small"
_TABLES = {"table1": 1, "table2": 2, "table3": 3}
_PATHS = ("out", "imagenet", "data_root")
_NOT_SETTINGS = ("out", "dataset_classes", "device", "download")


def reproduce(
    table: Annotated[Literal["table1", "table2", "table3"], typer.Argument(show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", show_default=False, help="The folder, new or begun.")
    ],
    scale: Annotated[
        Literal["paper", "small"],
        typer.Option(
            help="paper: its data, networks and 224 px (a GPU, days). small: a stand-in for each, in minutes."
        ),
    ] = "paper",
    dataset: Annotated[
        str, typer.Option(help="small: any data set stands for all three of the paper's.")
    ] = "digits",
    imagenet: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="paper: an ImageNet folder, train|val/class/….")
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the files of STL-10 (or --dataset) lie.")
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Download STL-10 if it is not there.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only rows of this data set or classifier (STL-10, VGG16); several add up."),
    ] = None,
    recipe: Annotated[
        Literal["paper", "recommended"],
        typer.Option(help="The PGN's recipe: the paper's literal reading, or the product's own."),
    ] = "paper",
    gamma: Annotated[float | None, typer.Option(help="Instead of the paper's γ.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of each PGN.")] = None,
    classifier_epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of each classifier.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, max=8192, help="Images per step of a PGN.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Seed of everything.")] = 0,
    device: Annotated[
        str,
        typer.Option(help="auto, cpu, cuda, cuda:N or mps; the paper's scale runs on a CPU only if told."),
    ] = "auto",
) -> None:
    """Run one of the paper's tables and print our numbers beside the paper's.

    Trains every classifier and PGN of the table and measures them on the test split. What cannot be
    run here (data, a GPU, weights, a baseline) is marked with the reason. The same command
    continues; several tables may share a folder, and then share classifiers and runs.
    """
    given = {name: value for name, value in locals().items() if name not in ("table", "out", "only")}
    prepare()
    from pgn_studio.core.device import pick_device
    from pgn_studio.core.sweeps.folder import SweepFolder
    from pgn_studio.core.sweeps.reproduction import load_table, make_cells

    pick_device(device)
    wanted = _with_rows(load_table(_TABLES[table]), only or [])
    with Interruption() as stop:
        wishes = _wishes(given, out, stop)
        cells = make_cells(wanted, wishes)
        folder = SweepFolder.open(wishes.out, _kept(wishes), [], kind="reproduction")
        outcomes = _run(wanted, cells, wishes, folder, stop)
        _show(wanted, cells, outcomes, wishes)
    if stop.asked:
        terminal.note("Stopped; the same command goes on with it.")
        raise typer.Exit(stop.exit_code)
    end_with_failures(outcomes, "cells")


def _with_rows(table: PaperTable, only: Sequence[str]) -> PaperTable:
    """The table with only the rows that were asked for. Raises ConfigError for a name that it lacks."""
    names = {name.lower(): name for row in table.rows for name in (row.dataset, row.classifier)}
    for word in only:
        if word.lower() not in names:
            raise ConfigError(
                f"--only: table {table.number} has no data set and no classifier {word!r}.",
                hint=f"It has: {', '.join(names.values())}.",
            )
    wanted = {word.lower() for word in only}
    rows = [row for row in table.rows if not wanted or {row.dataset.lower(), row.classifier.lower()} & wanted]
    return replace(table, rows=tuple(rows))


def _wishes(given: dict[str, Any], out: Path, stop: Interruption) -> Wishes:
    """What was given with absolute paths; the small scale's data set is read to count its classes."""
    from pgn_studio.cli.opening import open_dataset
    from pgn_studio.core.config import DataSettings
    from pgn_studio.core.project.opening import absolute_dataset
    from pgn_studio.core.sweeps.reproduction import SMALL_SIZE, Wishes

    values = {**given, "out": out}
    for name in _PATHS:
        if values[name] is not None:
            values[name] = values[name].expanduser().absolute()
    if values["scale"] == "paper":
        if values["dataset"] != "digits":
            raise ConfigError(
                "--dataset is for --scale small.", hint="The paper's scale has its own data sets."
            )
        return Wishes(**values)
    if values["imagenet"] is not None:
        raise ConfigError("--imagenet is for --scale paper.", hint="Name a data set with --dataset.")
    values |= absolute_dataset({"dataset": values["dataset"]})
    data = {name: values[name] for name in ("dataset", "data_root", "download")}
    dataset = open_dataset(DataSettings.make(**data, image_size=SMALL_SIZE), stop)
    return Wishes(**values, dataset_classes=len(dataset.classes))


def _kept(wishes: Wishes) -> dict[str, Any]:
    """What may not change between commands for one folder."""
    names = [item.name for item in fields(wishes) if item.name not in _NOT_SETTINGS]
    return {name: getattr(wishes, name) for name in names}


def _run(
    table: PaperTable, cells: Sequence[Cell], wishes: Wishes, folder: SweepFolder, stop: Interruption
) -> list[Outcome]:
    from pgn_studio.cli.reproduce_work import make_jobs
    from pgn_studio.core.export.paper_table import csv_row, write_paper_table
    from pgn_studio.core.files import write_json
    from pgn_studio.core.sweeps.jobs import run_jobs

    jobs = make_jobs(cells, wishes, folder, stop)

    def begin(index: int, job: Job) -> None:
        cell = cells[index]
        terminal.note("")
        where = f"{cell.row.dataset}, {cell.row.classifier}"
        terminal.note(f"[{index + 1}/{len(cells)}] {where}: {table.columns[cell.column]}")

    def ended(outcomes: list[Outcome]) -> None:
        notes = _notes(table, wishes)
        write_paper_table(folder.path, table, cells, outcomes, wishes=wishes, notes=notes)
        rows = [dict(csv_row(cell, outcome)) for cell, outcome in zip(cells, outcomes, strict=True)]
        write_json(folder.path / f"table{table.number}.json", {"table": table.number, "cells": rows})

    return run_jobs(jobs, stopping=lambda: stop.asked, begin=begin, ended=ended)


def _notes(table: PaperTable, wishes: Wishes) -> list[str]:
    from pgn_studio.core.assignments import value_text
    from pgn_studio.core.sweeps.reproduction import SMALL_NOTES

    gammas = table.gamma if wishes.gamma is None else dict.fromkeys(table.gamma, wishes.gamma)
    told = ", ".join(f"{problem} γ {value_text(gamma)}" for problem, gamma in gammas.items())
    first = (
        f"Accuracy (%) / macro average precision on the test split, the paper's in brackets. "
        f"Recipe {wishes.recipe}; {told}; seed {wishes.seed}."
    )
    if wishes.recipe == "paper" and wishes.gamma is None and "enhance" in table.gamma:
        first += (
            " With L2 as a mean over values this γ hardly limits p; the product's own way is "
            "--recipe recommended --gamma 3."
        )
    return [first, *(SMALL_NOTES if wishes.scale == "small" else ())]


def _show(table: PaperTable, cells: Sequence[Cell], outcomes: Sequence[Outcome], wishes: Wishes) -> None:
    from pgn_studio.core.export.paper_table import reasons, table_rows
    from pgn_studio.core.sweeps.reproduction import stand_ins

    title = f"Table {table.number}: {table.title}, ours (the paper's)"
    terminal.result_table(rich_table(table_rows(table, cells, outcomes), title))
    for line in _notes(table, wishes):
        terminal.result(line)
    if wishes.scale == "small":
        for row in table.rows:
            terminal.result(f"  {stand_ins(wishes, row)}")
    for mark, text in reasons(outcomes):
        terminal.result(f"[{mark}] {in_options(text)}")
    terminal.note(f"Tables: {wishes.out / f'table{table.number}.md'}, .csv, .json")
