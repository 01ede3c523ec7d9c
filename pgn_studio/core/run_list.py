"""The list of runs: one row a run, the damaged and the interrupted among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pgn_studio.core.errors import RunError
from pgn_studio.core.files import reason_of
from pgn_studio.core.paths import runs_folder
from pgn_studio.core.runs import RUN_FILES, RUN_JSON, RunFolder


@dataclass(frozen=True)
class RunSummary:
    """One row of the list of runs; `damage` is empty, or why the run cannot be used."""

    path: Path
    created: datetime
    status: str  # one of runs.STATUSES, "damaged", or "interrupted": its process ended before the run did
    dataset: str = ""
    problem: str = ""
    discriminator: str = ""
    encoder: str = ""
    results: Mapping[str, Any] = field(default_factory=dict)
    has_pgn: bool = False
    damage: str = ""

    @property
    def name(self) -> str:
        return self.path.name


def list_runs(folder: Path | None = None) -> list[RunSummary]:
    """The runs in `folder` (default: the runs folder), newest first; damaged ones with the reason.

    Folders with none of a run's files are not ours and are left out.
    """
    root = runs_folder() if folder is None else Path(folder)
    if not root.is_dir():
        return []
    try:
        folders = [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError as error:
        raise RunError(
            f"The runs in {root} cannot be listed ({reason_of(error)}).", hint="Check its permissions."
        ) from error
    summaries = [_summary(path) for path in folders if _is_ours(path)]
    return sorted(summaries, key=lambda summary: (summary.created, summary.name), reverse=True)


def _summary(path: Path) -> RunSummary:
    try:
        run = RunFolder.open(path)
        created = _parsed_time(run.run_json.get("created"), path)
    except RunError as error:
        changed = datetime.fromtimestamp(_modified(path), timezone.utc)
        return RunSummary(path=path, created=changed, status="damaged", damage=str(error))
    settings = run.run_json["settings"]
    results = run.run_json.get("results")
    status = str(run.run_json.get("status", ""))
    if status == "running" and run.holder is None:
        status = "interrupted"
    return RunSummary(
        path=path,
        created=created,
        status=status,
        dataset=str(settings.get("dataset", "")),
        problem=str(settings.get("problem", "")),
        discriminator=str(settings.get("discriminator", "")),
        encoder=str(settings.get("encoder", "")),
        results=results if isinstance(results, dict) else {},
        has_pgn=run.pgn_path.is_file(),
    )


def _parsed_time(text: Any, path: Path) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise RunError(
            f"{path / RUN_JSON} is damaged: `created` is {text!r}, expected a date and time.",
            hint="Restore run.json from a backup, or write the date there.",
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _is_ours(path: Path) -> bool:
    try:
        return any((path / name).exists() for name in RUN_FILES)
    except OSError:  # a folder that we may not enter: list it, with that reason
        return True


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # deleted meanwhile
        return 0.0
