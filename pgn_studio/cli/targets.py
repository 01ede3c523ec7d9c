"""From what the user typed to a run folder or a PGN file. Without torch, so that a typo shows at once."""

from __future__ import annotations

from pathlib import Path

from pgn_studio.core.errors import ClassifierError, PgnFileError, RunError
from pgn_studio.core.paths import runs_folder
from pgn_studio.core.runs import RunFolder


def find_pgn(target: str) -> tuple[Path, RunFolder | None]:
    """The PGN's file, and the run that it belongs to where it is in one.

    `target` is a .safetensors file, a run folder, or the name of a run among the runs.
    """
    path = Path(target).expanduser()
    if path.is_file():
        return path.absolute(), _run_around(path)
    run = find_run(target)
    for candidate in (run.pgn_path, run.last_pgn_path):
        if candidate.is_file():
            return candidate.absolute(), run
    raise PgnFileError(
        f"The run {run.path} has no PGN yet.", hint=f"Train on with `pgn-studio train --resume {run.path}`."
    )


def find_run(target: str) -> RunFolder:
    """A run by its folder, or by its name among the runs. Raises RunError."""
    path = Path(target).expanduser()
    if not path.exists() and len(path.parts) == 1 and (runs_folder() / path).is_dir():
        path = runs_folder() / path
    if not path.exists():
        raise RunError(f"There is no run and no PGN {target!r}.", hint="`pgn-studio runs` lists the runs.")
    return RunFolder.open(path.absolute())


def _run_around(file: Path) -> RunFolder | None:
    try:
        return RunFolder.open(file.absolute().parent)
    except RunError:
        return None


def check_classifier(given: str) -> None:
    """Raises ClassifierError unless `given` is a file or names an architecture."""
    path = Path(given).expanduser()
    if given.startswith("arch:") or path.is_file():
        return
    if path.is_dir():
        raise ClassifierError(
            f"{given} is a folder; expected a classifier's file.", hint="Name the file in it."
        )
    raise ClassifierError(
        f"There is no classifier file {given}.", hint="`pgn-studio train-classifier` makes one."
    )
