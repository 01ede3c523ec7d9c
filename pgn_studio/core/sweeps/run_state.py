"""What is left to do for one run of a sweep, and the figures that it was found to have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pgn_studio.core.errors import RunError
from pgn_studio.core.evaluation.evaluate import OUTCOMES, Evaluation
from pgn_studio.core.files import parse_json, sha256_of_file, write_json
from pgn_studio.core.runs import RUN_JSON, RunFolder
from pgn_studio.core.sweeps.jobs import Figures

TEST = "test.json"  # what a run of a sweep measured on the test split
LETTERS = "fbrw"  # one for each of OUTCOMES, in its order

Left = Literal["start", "resume", "measure"]


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
