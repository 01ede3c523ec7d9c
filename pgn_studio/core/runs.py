"""The run folder: run.json, metrics.jsonl, the checkpoint and the PGN, and the lock of who trains it.

run.json is replaced atomically; metrics.jsonl is appended to and flushed line by line, so that
after a crash all but at most the last, torn line can be read.
"""

from __future__ import annotations

import itertools
import logging
import platform
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pgn_studio.core.advice import Advice, Argument, Command, Setting
from pgn_studio.core.amounts import plural
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import ClassifierError, ConfigError, RunError
from pgn_studio.core.files import (
    check_regular,
    leftovers_of,
    parse_json,
    reason_of,
    remove_leftovers,
    way_out,
    write_json,
)
from pgn_studio.core.json_utils import plain
from pgn_studio.core.legacy import modern, modern_record, recorded
from pgn_studio.core.locks import Holder, Lock, LockedError, holder_file, holder_of
from pgn_studio.core.metrics_log import MetricsLog, step_of
from pgn_studio.core.paths import runs_folder

log = logging.getLogger(__name__)

FORMAT = 1
MOST_RUN_JSON = 16 * 2**20  # bytes; a data set of 100,000 classes takes two
STATUSES = ("running", "completed", "stopped", "failed")
RUN_JSON = "run.json"
METRICS = "metrics.jsonl"
PGN = "pgn.safetensors"
BEST_PGN = "best.safetensors"
LAST_PGN = "last.safetensors"
CHECKPOINT = "checkpoint.safetensors"
LOCK = "run.lock"
_HOLDER = holder_file(Path(LOCK)).name
RUN_FILES = (RUN_JSON, METRICS, PGN, BEST_PGN, LAST_PGN, CHECKPOINT)
_PACKAGES = ("torch", "torchvision", "timm", "numpy", "pgn-studio")
_UNFIT_FOR_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def versions() -> dict[str, str]:
    """Versions that a result depends on, read without importing the packages."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package.replace("-", "_")] = version(package)
        except PackageNotFoundError:
            found[package.replace("-", "_")] = "not installed"
    found["platform"] = platform.platform()
    return found


class RunFolder:
    """One run on disk. Made by `create` (a new run) or `open` (one that is there)."""

    def __init__(self, path: Path, run_json: dict[str, Any]) -> None:
        self.path = path
        self._run_json = run_json
        self._lock: Lock | None = None
        self._is_new = False
        self._metrics = MetricsLog(path / METRICS)

    @classmethod
    def create(
        cls, path: Path | None, settings: TrainingSettings, *, extra: Mapping[str, Any] | None = None
    ) -> RunFolder:
        """Start a run in `path`, an empty or new folder; default: a dated folder among the runs.

        `extra` goes into run.json beside the settings (the data set's and the classifier's facts).
        Raises RunError when the folder holds something already or cannot be written.
        """
        now = datetime.now(timezone.utc)
        try:
            folder = _new_default_folder(settings, now) if path is None else _empty_folder(Path(path))
        except OSError as error:
            raise _unwritable(path or runs_folder(), error) from error
        run = cls(folder, {})
        run.update(
            format=FORMAT,
            created=now.isoformat(),
            status="running",
            seed=settings.seed,
            settings=settings.model_dump(mode="json"),
            versions=versions(),
            results={},
            **dict(extra or {}),
        )
        run._is_new = True
        return run

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open a run that is there. Raises RunError, saying what to do, when run.json is unusable."""
        path = Path(path)
        if not path.is_dir():
            raise RunError(
                f"There is no run folder {path}.", hint=Advice("The runs are listed by {}.", Command("runs"))
            )
        return cls(path, _read_run_json(path / RUN_JSON))

    @property
    def run_json(self) -> dict[str, Any]:
        """What run.json holds: a copy; change it through `update`."""
        return dict(self._run_json)

    @property
    def settings(self) -> TrainingSettings:
        try:
            return TrainingSettings.make(**recorded(self._run_json["settings"]))
        except ConfigError as error:
            raise RunError(
                f"The settings in {self.path / RUN_JSON} do not fit this version: {error.message}",
                hint="Use the version named under `versions` there, or correct the setting.",
            ) from error

    @property
    def status(self) -> str:
        """One of STATUSES, "running" only while somebody trains it; else "interrupted"."""
        if self.holder is not None:
            return "running"
        status = str(self._run_json.get("status", ""))
        return "interrupted" if status == "running" else status

    @property
    def pgn_path(self) -> Path:
        """The run's result: the best or the last, as its setting `select` says."""
        return self.path / PGN

    @property
    def best_pgn_path(self) -> Path:
        """Of the epoch that was best on validation, whatever `select` says."""
        return self.path / BEST_PGN

    @property
    def last_pgn_path(self) -> Path:
        """Of the newest epoch, or of the step at which the run was stopped."""
        return self.path / LAST_PGN

    @property
    def checkpoint_path(self) -> Path:
        return self.path / CHECKPOINT

    @property
    def metrics_path(self) -> Path:
        return self._metrics.path

    @property
    def holder(self) -> Holder | None:
        """Who trains this run now; None when nobody does."""
        return holder_of(self.path / LOCK)

    def take(self) -> None:
        """Keep the run to this object until `release`: one process trains it, the others read.

        Taking what is taken already does nothing. What a crash left half written is removed.
        Raises RunError, saying who has the run, or that the folder cannot be written.
        """
        if self._lock is not None:
            return
        try:
            self._lock = Lock(self.path / LOCK)
        except LockedError as error:
            raise self._taken(error.holder) from None
        except OSError as error:
            raise _unwritable(self.path, error) from error
        remove_leftovers(self.path)

    def check_free(self) -> None:
        """Raises RunError, saying who, when somebody trains the run."""
        holder = self.holder
        if holder is not None:
            raise self._taken(holder)

    def check_unfinished(self, epochs: int | None) -> None:
        """Raises RunError when nothing is left to do up to `epochs`."""
        if self._run_json.get("status") == "completed" and (epochs or 0) <= (self.settings.epochs or 0):
            raise RunError(
                f"The run {self.path} has done its {plural(self.settings.epochs or 0, 'epoch')}.",
                hint=Advice("Give {} above {} to train longer.", Setting("epochs"), self.settings.epochs),
            )

    @property
    def classifier_sha256(self) -> str:
        """Of the classifier's file when the run was begun; empty where there is none or it is not known."""
        recorded = self._run_json.get("classifier")
        known = recorded.get("sha256") if isinstance(recorded, dict) else None
        return known if isinstance(known, str) else ""

    @property
    def fingerprint(self) -> str:
        """Of the data set when the run was begun; empty where it is not known."""
        recorded = self._run_json.get("dataset")
        known = recorded.get("fingerprint") if isinstance(recorded, dict) else None
        return known if isinstance(known, str) else ""

    def check_classifier(self, sha256: str) -> None:
        """Raises ClassifierError where the run was trained against a file of other contents."""
        known = self.classifier_sha256
        if known and sha256 and known != sha256:
            raise ClassifierError(
                f"The run {self.path} was trained against another classifier than the file is now"
                " (hash differs).",
                hint="Restore the classifier's file, or train a new run.",
            )

    def _taken(self, holder: Holder) -> RunError:
        return RunError(
            f"The run {self.path} is being trained by {holder}.",
            hint="It can be looked at meanwhile; to train it here, stop it there first.",
        )

    def release(self) -> None:
        """Let others train the run."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def discard_start(self) -> bool:
        """Remove the folder that `create` made, if nothing but a start is in it; whether it is gone."""
        if not self._is_new:
            return False
        try:
            if not {path.name for path in self.path.iterdir()} <= {RUN_JSON, METRICS, LOCK, _HOLDER}:
                return False
            self.release()
            for name in (METRICS, RUN_JSON):
                (self.path / name).unlink(missing_ok=True)
            self.path.rmdir()
        except OSError as error:
            log.warning("The run folder %s stays: %s", self.path, error)
            return False
        return True

    def rewind(self) -> bool:
        """Make ready to go on: True from the checkpoint, False from the beginning, as there is none yet."""
        there = self.checkpoint_path.is_file()
        if not there:
            self.truncate_metrics(-1)
            self.update(status="running", results={})
        return there

    def check_there(self) -> None:
        """Raises RunError where the folder is gone: writing would make half a run in its place."""
        if not self.path.is_dir():
            raise RunError(
                f"The run folder {self.path} is gone: it was deleted or moved, or its disk went away.",
                hint="Bring the disk back and continue the run, or start it anew.",
            )

    def update(self, **fields: Any) -> None:
        """Set `fields` in run.json, atomically. Raises RunError for an unknown status or a full disk."""
        if fields.get("status", "running") not in STATUSES:
            raise RunError(f"Unknown run status {fields['status']!r}; expected one of {', '.join(STATUSES)}.")
        changed = {**self._run_json, **plain(fields)}
        self.check_there()
        try:
            write_json(self.path / RUN_JSON, changed)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._run_json = changed

    def begin(self, settings: TrainingSettings, *, machine: Mapping[str, Any]) -> None:
        """Note that it is under way, with which settings and on what."""
        self.update(status="running", settings=settings.model_dump(mode="json"), machine=machine)

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl and flush it; NaN and infinity become null."""
        try:
            self._metrics.append(record)
        except OSError as error:
            self.check_there()
            raise _unwritable(self.path, error) from error

    def read_metrics(self) -> list[dict[str, Any]]:
        """All records in order; none when there is no file; a torn last line is ignored.

        Raises RunError, naming the line, when one before the last is damaged.
        """
        try:
            return self._metrics.read()
        except OSError as error:
            raise RunError(
                f"{self.metrics_path} cannot be read ({reason_of(error)}).", hint="Check its permissions."
            ) from error

    def truncate_metrics(self, step: int) -> None:
        """Keep only the records up to `step`, atomically: what a resumed run is about to repeat goes."""
        kept = [record for record in self.read_metrics() if step_of(record) <= step]
        if not self.metrics_path.exists():
            return
        try:
            self._metrics.rewrite(kept)
        except OSError as error:
            raise _unwritable(self.path, error) from error


def _read_run_json(path: Path) -> dict[str, Any]:
    advice = "Restore run.json from a backup, or train again; pgn.safetensors beside it still works alone."
    try:
        value = parse_json(_head(path, MOST_RUN_JSON))
    except FileNotFoundError:
        raise RunError(f"{path.parent} is no run: it has no {RUN_JSON}.", hint=advice) from None
    except OSError as error:
        message = f"{path} cannot be read ({reason_of(error)})."
        raise RunError(message, hint="Check its permissions.") from error
    except ValueError as error:  # not JSON, or not UTF-8
        raise RunError(f"{path} is damaged: {error}.", hint=advice) from error
    if not isinstance(value, dict) or not isinstance(value.get("settings"), dict):
        raise RunError(f"{path} is damaged: expected a JSON object with `settings`.", hint=advice)
    if value.get("format", FORMAT) != FORMAT:
        raise RunError(
            f"{path} has format {value['format']!r}; this version reads format {FORMAT}.",
            hint="Update PGN Studio.",
        )
    return {**modern_record(value), "settings": modern(value["settings"])}


def _new_default_folder(settings: TrainingSettings, now: datetime) -> Path:
    dataset = _UNFIT_FOR_NAMES.sub("-", Path(settings.dataset).name).strip("-.")[:60] or "data"
    stem = f"{now.astimezone():%Y%m%d-%H%M%S}-{dataset}-{settings.problem}"
    root = runs_folder()
    root.mkdir(parents=True, exist_ok=True)
    for name in _numbered(stem):
        try:
            (root / name).mkdir()
        except FileExistsError:  # another run started in the same second
            continue
        return root / name
    raise AssertionError  # _numbered never ends


def _numbered(stem: str) -> Iterable[str]:
    yield stem
    yield from (f"{stem}-{number}" for number in itertools.count(2))


def check_unused(path: Path) -> list[Path]:
    """What a start that was killed left in `path`. Raises RunError where anything else is there."""
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file; expected a new or empty folder.", hint="Choose another name.")
    if (path / RUN_JSON).exists():
        hint = Advice("Continue it with {}, or choose another folder.", Argument("resume", str(path)))
        raise RunError(f"{path} already holds a run.", hint=hint)
    half_written = leftovers_of(path / RUN_JSON)
    if path.exists() and set(path.iterdir()) - set(half_written):
        raise RunError(f"{path} is not empty.", hint="Choose a new or empty folder for the run.")
    return half_written


def _empty_folder(path: Path) -> Path:
    for half_written in check_unused(path):
        half_written.unlink()
    path.mkdir(parents=True, exist_ok=True)
    return path


def _unwritable(path: Path, error: OSError) -> RunError:
    return RunError(f"The run folder {path} cannot be written ({reason_of(error)}).", hint=way_out(error))


def _head(path: Path, most: int) -> bytes:
    """The file's contents; ValueError beyond `most` bytes."""
    check_regular(path)
    with path.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"more than {most} bytes")
    return content
