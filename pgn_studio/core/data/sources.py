"""The way in: settings to a loaded data set."""

from __future__ import annotations

import difflib
import os
from dataclasses import replace
from pathlib import Path

from pgn_studio.core.config import DataSettings, data_part
from pgn_studio.core.data import DATASETS
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.folder import load_folder
from pgn_studio.core.errors import DataError
from pgn_studio.core.plugins import PluginError
from pgn_studio.core.protocols import Progress


def load_dataset(settings: DataSettings, *, progress: Progress | None = None) -> ImageDataset:
    """Load the data set that `settings` name: always with train, val and test, always RGB.

    `progress` gets (images done, total) while files are checked for the first time, and (n, 0)
    while the extent is unknown; an exception from it (Canceled) ends the loading and passes
    through. Raises DataError with what to do about it.
    """
    return replace(_loaded(settings, progress), settings=data_part(settings))


def _loaded(settings: DataSettings, progress: Progress | None) -> ImageDataset:
    report = progress or _no_report
    wish = settings.dataset.strip()
    if wish in DATASETS:
        return _told(_load(wish, settings, report), _namesakes(wish))
    folder = Path(wish).expanduser()
    if wish and os.path.isdir(folder):
        return _told(load_folder(folder, settings, report), _named_like(wish))
    if wish and os.path.exists(folder):
        raise DataError(
            f"Expected a folder of images, found a file: {folder}.",
            hint="Name the folder that holds train|val|test/class/… or class/….",
        )
    spelled_otherwise = {_letters(name): name for name in DATASETS}.get(_letters(wish))
    if spelled_otherwise:
        return _told(_load(spelled_otherwise, settings, report), _namesakes(spelled_otherwise))
    raise _unknown(wish, folder)


def _load(name: str, settings: DataSettings, progress: Progress) -> ImageDataset:
    progress(0, 0)
    kind = DATASETS.load(name)
    with DATASETS.blaming(name):
        dataset = kind().load(settings, progress)
    if not isinstance(dataset, ImageDataset):
        raise PluginError(f"The data set {name} must be an ImageDataset, got {type(dataset).__name__}.")
    return dataset


def _told(dataset: ImageDataset, notice: str) -> ImageDataset:
    return replace(dataset, notices=(notice, *dataset.notices)) if notice else dataset


def _namesakes(name: str) -> str:
    """What to say of folders that could have been meant instead of the named data set."""
    try:
        with os.scandir() as entries:
            folders = sorted(e.name for e in entries if _letters(e.name) == _letters(name) and e.is_dir())
    except OSError:
        return ""
    if not folders:
        return ""
    paths = " or ".join(f"./{folder}" for folder in folders)
    return f"{name} is the data set that PGN Studio knows by this name; for the folder say {paths}."


def _named_like(wish: str) -> str:
    """The same the other way round; who writes a path means the folder."""
    name = {_letters(name): name for name in DATASETS}.get(_letters(wish))
    if name is None or Path(wish).name != wish:
        return ""
    return f"{wish} is the folder ./{wish}; for the data set that PGN Studio knows by this name say {name}."


def _no_report(done: int, total: int) -> None:
    """Progress that nobody watches."""


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _unknown(wish: str, folder: Path) -> DataError:
    known = f"Name an existing folder or one of: {', '.join(DATASETS)}."
    close = difflib.get_close_matches(wish.lower(), DATASETS.names(), n=2) + _similar_neighbors(folder)
    hint = f"Did you mean {' or '.join(close)}? {known}" if close else known
    return DataError(f"No folder and no data set is called {wish!r}.", hint=hint)


def _similar_neighbors(folder: Path) -> list[str]:
    """Folders beside where `folder` would be whose names are close to its own."""
    try:
        with os.scandir(folder.parent) as entries:
            names = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    except (OSError, ValueError):
        return []
    return [str(folder.parent / name) for name in difflib.get_close_matches(folder.name, names, n=2)]
