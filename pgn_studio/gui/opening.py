"""What a path is that somebody opens or drops on the window; looks at names and file heads only."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path

from pgn_studio.core.errors import DataError

PGN_FORMAT = "pgn-studio-pgn"
CLASSIFIER_FORMAT = "pgn-studio-classifier"
LARGEST_HEADER = 100 * 2**20  # safetensors' own limit
PROGRAM_SUFFIXES = (".pt2", ".pt")  # exported programs say their architecture by themselves
WEIGHT_SUFFIXES = (".pth", ".bin", ".ckpt")


class Kind(Enum):
    DATASET = "data set"
    RUN = "run"
    PGN = "PGN"
    CLASSIFIER = "classifier"
    WEIGHTS = "weights"  # of a classifier whose architecture the file does not say


def kind_of(path: Path) -> Kind:
    """Raises DataError for what the window has no use for."""
    if path.is_dir():
        return Kind.RUN if (path / "run.json").is_file() else Kind.DATASET
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return _kind_of_safetensors(path)
    if suffix in PROGRAM_SUFFIXES:
        return Kind.CLASSIFIER
    if suffix in WEIGHT_SUFFIXES:
        return Kind.WEIGHTS
    raise DataError(
        f"{path.name} is nothing that can be opened here.",
        hint="Expected a folder of images, a run folder, or a .safetensors, .pth, .pt or .pt2 file.",
    )


def _kind_of_safetensors(path: Path) -> Kind:
    kinds = {PGN_FORMAT: Kind.PGN, CLASSIFIER_FORMAT: Kind.CLASSIFIER}
    return kinds.get(_safetensors_format(path), Kind.WEIGHTS)


def _safetensors_format(path: Path) -> str:
    """The `format` in the file's metadata: eight bytes of length, then JSON; empty when there is none."""
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(min(length, LARGEST_HEADER)))
        return str(header.get("__metadata__", {}).get("format", ""))
    except (OSError, ValueError, AttributeError):
        return ""  # damaged: whoever loads it says what is wrong
