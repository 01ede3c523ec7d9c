"""What people write about a run: a name, tags and notes, in a file of their own in its folder.

Not in run.json: that belongs to the trainer, which may be writing it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from pgn_studio.core.advice import Advice, Command
from pgn_studio.core.errors import RunError
from pgn_studio.core.files import write_json

ANNOTATIONS = "annotations.json"
LONGEST_NAME = 200


@dataclass(frozen=True)
class Annotations:
    """`name` is shown instead of the folder's; empty where nobody gave one."""

    name: str = ""
    tags: tuple[str, ...] = ()
    notes: str = ""


def parse_tags(text: str) -> tuple[str, ...]:
    """Tags separated by commas, each once, in their order."""
    return _clean_tags(text.split(","))


def read_annotations(run: Path) -> Annotations:
    """Empty ones where there are none. Raises RunError for a damaged file."""
    path = run / ANNOTATIONS
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        tags = value.get("tags", [])
        if not isinstance(tags, list):
            raise TypeError("`tags` is no list")
        return Annotations(str(value.get("name", "")), _clean_tags(tags), str(value.get("notes", "")))
    except FileNotFoundError:
        return Annotations()
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise RunError(
            f"{path} cannot be read: {error}.", hint="Delete it, or restore it from a backup."
        ) from error


def write_annotations(run: Path, annotations: Annotations) -> None:
    """Replace them, atomically. Raises RunError for a name that is too long, no run, or a full disk."""
    if not run.is_dir():
        raise RunError(
            f"There is no run folder {run}.", hint=Advice("The runs are listed by {}.", Command("runs"))
        )
    if len(annotations.name) > LONGEST_NAME or "\n" in annotations.name:
        raise RunError(
            f"A run's name is one line of at most {LONGEST_NAME} characters.",
            hint="Put longer texts into its notes.",
        )
    clean = Annotations(annotations.name.strip(), _clean_tags(annotations.tags), annotations.notes)
    try:
        write_json(run / ANNOTATIONS, asdict(clean))
    except OSError as error:
        raise RunError(
            f"{run / ANNOTATIONS} cannot be written ({error.strerror or error}).",
            hint="Check the folder's permissions and the free space.",
        ) from error


def _clean_tags(tags: Iterable[object]) -> tuple[str, ...]:
    stripped = (" ".join(str(tag).replace(",", " ").split()) for tag in tags)
    return tuple(dict.fromkeys(tag for tag in stripped if tag))
