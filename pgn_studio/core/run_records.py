"""The list of runs, the damaged and the interrupted among them, and the runs as a table.

A table's row has settings, figures of the PGN that the run kept, and what people wrote about it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pgn_studio.core.annotations import Annotations, read_annotations
from pgn_studio.core.errors import RunError
from pgn_studio.core.files import reason_of
from pgn_studio.core.gamma import GammaRange
from pgn_studio.core.paths import runs_folder
from pgn_studio.core.runs import METRICS, RUN_FILES, RUN_JSON, RunFolder

_SEARCHED = ("dataset", "classifier", "problem", "encoder")  # besides names, tags and notes
_EPOCH = '"EpochCompleted"'
_LOG_FROM = 20.0  # times the smallest value


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


@dataclass(frozen=True)
class RunRecord:
    """One run. `figures` are of the validation split, of the PGN that the run kept, and with which γ.

    They are empty before the first epoch has ended; see FIGURES for their names.
    """

    summary: RunSummary
    annotations: Annotations = Annotations()
    settings: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    along: tuple[tuple[float, float], ...] = ()  # RMS, accuracy after 8-bit rounding; by rising γ

    @property
    def path(self) -> Path:
        return self.summary.path

    @property
    def name(self) -> str:
        """The one that somebody gave, else the folder's."""
        return self.annotations.name or self.summary.name

    @property
    def gamma(self) -> float | None:
        """With which the kept PGN was trained; before the first epoch's end the run's first.

        Of a range the middle, at which its figures are.
        """
        first = self.settings.get("gamma") if self.gammas is None else self.gammas.middle
        gamma: float | None = self.figures.get("gamma", first)
        return gamma

    @property
    def gammas(self) -> GammaRange | None:
        """The range of γ that the PGN serves; None where it has one alone."""
        given = self.settings.get("gamma")
        return GammaRange(*given) if isinstance(given, (list, tuple)) and len(given) == 2 else None

    @property
    def gamma_text(self) -> str:
        """The range, or the one γ that there is: "0.3..30", "3"; "" where none is known."""
        if self.gammas is not None:
            return str(self.gammas)
        return "" if self.gamma is None else f"{self.gamma:g}"

    def matches(self, query: str) -> bool:
        """Whether each word of `query` is found: in names, tags, notes, or as setting=value ("gamma=10")."""
        words = query.lower().split()
        if not words:
            return True
        known = {f"{name}={_plain(value)}" for name, value in self.settings.items()}
        known |= {f"gamma={_plain(self.gamma)}", f"gamma={self.gamma_text}"}  # it may have been moved
        known |= {f"tag={tag.lower()}" for tag in self.annotations.tags} | {f"status={self.summary.status}"}
        text = " ".join(
            (
                *(self.annotations.name, self.summary.name, self.annotations.notes, *self.annotations.tags),
                *(str(self.settings.get(name, "")) for name in _SEARCHED),
                self.summary.status,
            )
        ).lower()
        return all(word in known if "=" in word else word in text for word in words)


FIGURES = (
    "epoch",
    "gamma",
    "clean_accuracy",
    "perturbed_accuracy",
    "perturbed_accuracy_8bit",
    "fixed_8bit",
    "broken_8bit",
    "l2_mean",
    "rms_mean",
)


def list_records(folder: Path | None = None) -> list[RunRecord]:
    """The runs in `folder` (default: the runs folder), newest first. Raises RunError as `list_runs`."""
    return [record_of(summary) for summary in list_runs(folder)]


def record_of(summary: RunSummary) -> RunRecord:
    """A summary with what else is in its folder; what cannot be read there is left out."""
    try:
        annotations = read_annotations(summary.path)
    except RunError:
        annotations = Annotations()
    if summary.damage:
        return RunRecord(summary, annotations)
    try:
        settings = RunFolder.open(summary.path).run_json["settings"]
    except RunError:  # gone since it was listed
        return RunRecord(summary, annotations)
    epochs = list(_epochs(summary.path / METRICS))
    figures = _stopped_with(summary) or _kept(epochs, str(settings.get("select", "best")))
    return RunRecord(summary, annotations, settings, figures, _along(epochs, figures.get("epoch")))


def needs_log_axis(values: Iterable[float]) -> bool:
    """Whether `values` of a plot are all positive and span more than an even axis shows well."""
    found = list(values)
    return bool(found) and min(found) > 0 and max(found) > _LOG_FROM * min(found)


def frontier(records: Sequence[RunRecord], *, lower: bool = False) -> list[RunRecord]:
    """Those that no other beats: none is as accurate (`lower`: as inaccurate) at a smaller RMS.

    By validation accuracy after 8-bit rounding; ordered by RMS. Runs without figures are left out.
    """
    sign = -1.0 if lower else 1.0
    measured = [record for record in records if has_figures(record)]
    measured.sort(key=lambda record: (record.figures["rms_mean"], -sign * _accuracy(record)))
    found: list[RunRecord] = []
    for record in measured:
        if not found or sign * _accuracy(record) > sign * _accuracy(found[-1]):
            found.append(record)
    return found


def has_figures(record: RunRecord) -> bool:
    """Whether it can be drawn: RMS and accuracy are numbers."""
    figures = (record.figures.get("rms_mean"), record.figures.get("perturbed_accuracy_8bit"))
    return all(isinstance(value, (int, float)) for value in figures)


def _accuracy(record: RunRecord) -> float:
    return float(record.figures["perturbed_accuracy_8bit"])


def _epochs(metrics: Path) -> Iterator[dict[str, Any]]:
    """The validation lines; the others, which are hundreds of times as many, are not even parsed."""
    try:
        with metrics.open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if _EPOCH in line:
                    try:
                        value = json.loads(line)
                    except ValueError:  # torn
                        continue
                    if isinstance(value, dict) and value.get("event") == "EpochCompleted":
                        yield value
    except OSError:
        return


def _stopped_with(summary: RunSummary) -> dict[str, Any]:
    """The figures that an ended run says of its result, which may be of no whole epoch."""
    kept = summary.results.get("kept")
    if summary.status not in ("completed", "stopped") or not isinstance(kept, Mapping):
        return {}
    return {name: kept.get(name, summary.results.get(name)) for name in FIGURES}


def _kept(epochs: Sequence[Mapping[str, Any]], select: str) -> dict[str, Any]:
    best = [epoch for epoch in epochs if epoch.get("best")]
    chosen = best[-1] if select == "best" and best else epochs[-1] if epochs else {}
    return {name: chosen.get(name) for name in FIGURES} if chosen else {}


def _along(epochs: Sequence[Mapping[str, Any]], kept: Any) -> tuple[tuple[float, float], ...]:
    """What the kept epoch's PGN does along its range; empty where it has one γ, or nothing of use is told."""
    told = next((epoch.get("at_gamma") for epoch in reversed(epochs) if epoch.get("epoch") == kept), None)
    try:
        return tuple((float(one["rms_mean"]), float(one["perturbed_accuracy_8bit"])) for one in told or ())
    except (TypeError, KeyError, ValueError):
        return ()


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()
