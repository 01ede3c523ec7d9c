"""The folder of many runs: one JSON file says what they are and what came; each has a folder of its own.

Also what is left to do for one of them, and the figures that it was found to have.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pgn_studio.core.assignments import value_text
from pgn_studio.core.errors import RunError
from pgn_studio.core.evaluation.evaluate import OUTCOMES, Evaluation
from pgn_studio.core.files import parse_json, sha256_of_file, write_json
from pgn_studio.core.json_utils import plain
from pgn_studio.core.legacy import modern
from pgn_studio.core.runs import RUN_JSON, RunFolder
from pgn_studio.core.sweeps.jobs import Figures
from pgn_studio.core.sweeps.plan import NO_RESULT_CHANGES, Axis, run_name

VERSION = 1
TEST = "test.json"  # what a run of a sweep measured on the test split
LETTERS = "fbrw"  # one for each of OUTCOMES, in its order

Left = Literal["start", "resume", "measure"]


class SweepFolder:
    """One sweep, or one reproduction of the paper's tables, on disk; `kind` says which."""

    def __init__(self, path: Path, kind: str, content: Mapping[str, Any]) -> None:
        self.path = path
        self._file = path / f"{kind}.json"
        self._content = dict(content)

    @classmethod
    def open(
        cls, path: Path, settings: Mapping[str, Any], axes: Sequence[Axis], *, kind: str = "sweep"
    ) -> SweepFolder:
        """Begin in a new or empty folder, or go on with what is there.

        `settings` are those that all runs share. Values may be added to an axis or left out later;
        raises RunError, naming what differs, for other settings or other axes.
        """
        swept = {axis.name for axis in axes}
        content = {
            "format": f"pgn-studio-{kind}",
            "version": VERSION,
            "over": {axis.name: plain(axis.values) for axis in axes},
            "settings": {name: plain(value) for name, value in settings.items() if name not in swept},
        }
        folder = cls(path, kind, content)
        if folder._file.exists():
            before = _read(folder._file, kind)
            _check_same(folder._file, kind, _modern(before), content)
            folder._rename_runs(before)
        elif path.exists() and (not path.is_dir() or any(path.iterdir())):
            what = f"is not empty and holds no {kind}" if path.is_dir() else "is a file"
            raise RunError(f"{path} {what}.", hint=f"Choose a new or empty folder for the {kind}.")
        folder.write({})
        return folder

    def run_path(self, name: str) -> Path:
        return self.path / name

    def _rename_runs(self, before: Mapping[str, Any]) -> None:
        """Runs that an earlier version began lie in folders that say its names of the settings."""
        over = before["over"]
        for combination in itertools.product(*over.values()):
            values = dict(zip(over, combination, strict=True))
            today = modern({**before["settings"], **values})
            was = self.run_path(run_name(values))
            now = self.run_path(run_name({name: today[name] for name in modern(values)}))
            if was != now and was.is_dir() and not now.exists():
                try:
                    was.rename(now)
                except OSError as error:
                    raise RunError(
                        f"The run {was} cannot be renamed to {now.name} ({error.strerror or error}).",
                        hint="Close what uses it and check the folder's permissions.",
                    ) from error

    def write(self, results: Mapping[str, Any]) -> None:
        """Write what came so far. Raises RunError where the disk refuses."""
        try:
            write_json(self._file, {**self._content, **plain(results)})
        except OSError as error:
            raise RunError(
                f"The folder {self.path} cannot be written ({error.strerror or error}).",
                hint="Choose a folder that you may write to, on a disk with free space.",
            ) from error


def _read(path: Path, kind: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} is damaged: {error}.", hint="Restore it from a backup, or choose another folder."
        ) from None
    known = isinstance(value, dict) and value.get("format") == f"pgn-studio-{kind}"
    tables = known and all(isinstance(value.get(name, {}), dict) for name in ("over", "settings"))
    tables = tables and all(isinstance(values, list) for values in value.get("over", {}).values())
    if not tables or value.get("version") != VERSION or "settings" not in value:
        raise RunError(f"{path} is no {kind} that this version reads.", hint="Choose another folder.")
    return {"over": {}, **value}


def _modern(content: Mapping[str, Any]) -> dict[str, Any]:
    return {**content, "over": modern(content["over"]), "settings": modern(content["settings"])}


def _check_same(path: Path, kind: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    if list(before["over"]) != list(now["over"]):
        was, is_now = (" and ".join(content["over"]).replace("_", "-") for content in (before, now))
        raise RunError(
            f"The {kind} in {path.parent} is over {was}, not over {is_now}.",
            hint="Choose another folder for this one.",
        )
    changed = [
        f"{name.replace('_', '-')} {value_text(before['settings'][name])} (now {value_text(value)})"
        for name, value in now["settings"].items()
        if name not in NO_RESULT_CHANGES and before["settings"].get(name, value) != value
    ]
    if changed:
        raise RunError(
            f"The {kind} in {path.parent} was begun with {', '.join(changed)}.",
            hint="Give the same settings to continue it, or choose another folder.",
        )


def what_is_left(folder: Path) -> Left:
    """The next thing to do for the run in `folder`. Raises RunError for a damaged run."""
    if not (folder / RUN_JSON).exists():
        return "start"
    run = RunFolder.open(folder)
    if run.run_json.get("status") == "completed":
        return "measure"
    return "resume" if run.checkpoint_path.is_file() else "start"


def clear_start(folder: Path) -> None:
    """Remove the files of a run that ended before its first checkpoint, so that it can start anew."""
    if not (folder / RUN_JSON).exists():
        return
    run = RunFolder.open(folder)
    if run.checkpoint_path.is_file():
        raise RunError(f"The run {folder} has a checkpoint to go on from.", hint="Resume it.")
    checkpoint = run.checkpoint_path
    for path in (run.metrics_path, run.pgn_path, run.last_pgn_path, checkpoint.with_suffix(".json")):
        path.unlink(missing_ok=True)
    (folder / RUN_JSON).unlink()


def record_test(folder: Path, evaluation: Evaluation, **facts: Any) -> Figures:
    """Write the test figures of the run in `folder`, with a letter for each image's outcome."""
    letters = np.array(list(LETTERS))[[OUTCOMES.index(word) for word in evaluation.per_image.outcome]]
    figures = {**evaluation.to_json(), **facts, "outcomes": "".join(letters)}
    write_json(folder / TEST, figures)
    return figures


def recorded_test(folder: Path) -> Figures | None:
    """The figures of a completed run, or None where there are none or they are of another PGN."""
    run_json = folder / RUN_JSON
    figures = read_figures(folder / TEST)
    if figures is None or not run_json.exists():
        return None
    run = RunFolder.open(folder)
    if run.run_json.get("status") != "completed" or not run.pgn_path.is_file():
        return None
    return figures if figures.get("pgn_sha256") == sha256_of_file(run.pgn_path) else None


def telling_image(outcomes: Sequence[str], *, letter: str) -> int:
    """The image that came out as `letter` under most PGNs (f: fixed, b: broken); the first of equals.

    `outcomes` are the recorded letters, one text for each PGN, all of one split.
    """
    counts = np.sum([[found == letter for found in text] for text in outcomes], axis=0)
    return int(np.argmax(counts))


def read_figures(path: Path) -> dict[str, Any] | None:
    """A JSON object of figures; None where they are to be measured (again).

    There is no such file, it is damaged, or an earlier version measured in the precision of training.
    """
    try:
        value = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and value.get("precision") == "fp32" else None


def check_classifier_unchanged(folder: Path, sha256: str) -> None:
    """Raises ClassifierError where the run in `folder` was trained against a classifier of other contents."""
    if (folder / RUN_JSON).exists():
        RunFolder.open(folder).check_classifier(sha256)
