"""What a path is that somebody opens or drops on the window; looks at names and file heads only."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from pgn_studio.core.data.images import IMAGE_SUFFIXES
from pgn_studio.core.errors import DataError
from pgn_studio.core.files import parse_json

PGN_FORMAT = "pgn-studio-pgn"
CLASSIFIER_FORMAT = "pgn-studio-classifier"
OUR_ENTRY = "pgn-studio"
LARGEST_HEADER = 16 * 2**20  # ours are far below
PROGRAM_SUFFIXES = (".pt2", ".pt", ".onnx")
WEIGHT_SUFFIXES = (".pth", ".bin", ".ckpt")


class Kind(Enum):
    DATASET = "data set"
    RUN = "run"
    PGN = "PGN"
    CLASSIFIER = "classifier"
    PROGRAM = "program"  # an exported classifier, which says its architecture but not its classes
    IMAGE = "image"  # of no data set
    WEIGHTS = "weights"  # of a classifier whose architecture the file does not say


def kind_of(path: Path) -> Kind:
    """Raises DataError for what the window has no use for."""
    if path.is_dir():
        return Kind.RUN if (path / "run.json").is_file() else Kind.DATASET
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return _kind_of_safetensors(path)
    if suffix in PROGRAM_SUFFIXES:
        return Kind.PROGRAM
    if suffix[1:] in IMAGE_SUFFIXES:
        return Kind.IMAGE
    if suffix in WEIGHT_SUFFIXES:
        return Kind.WEIGHTS
    raise DataError(
        f"PGN Studio cannot open {path.name}.",
        hint="Expected an image or a folder of them, a run folder, or a .safetensors, .pth, .pt, .pt2 or"
        " .onnx file.",
    )


def _kind_of_safetensors(path: Path) -> Kind:
    kinds = {PGN_FORMAT: Kind.PGN, CLASSIFIER_FORMAT: Kind.CLASSIFIER}
    return kinds.get(_safetensors_format(path), Kind.WEIGHTS)


def _safetensors_format(path: Path) -> str:
    """What the file's metadata says it is; empty when it says nothing that is known here.

    Raises DataError for a head that is none, before anybody is asked whose weights these are.
    """
    try:
        with path.open("rb") as stream:  # eight bytes of length, then JSON
            length = int.from_bytes(stream.read(8), "little")
            header = parse_json(stream.read(min(length, LARGEST_HEADER)))
        metadata = header.get("__metadata__", {})
        if OUR_ENTRY in metadata:  # a classifier's metadata is one entry, so that its bytes never vary
            metadata = parse_json(metadata[OUR_ENTRY])
        return str(metadata.get("format", ""))
    except OSError:
        return ""  # whoever loads it says what is wrong
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"{path.name} is damaged: it does not begin as .safetensors files do.",
            hint="Copy it again from where it came from.",
        ) from error
