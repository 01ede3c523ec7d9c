"""What a path is, by name and head."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pgn_studio.core.classifiers.saved import FORMAT
from pgn_studio.core.errors import DataError
from pgn_studio.core.perturbation import pgn
from pgn_studio.gui import opening
from pgn_studio.gui.opening import Kind, kind_of

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier


def safetensors(path: Path, form: str) -> Path:
    header = json.dumps({"__metadata__": {"format": form}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def test_formats_are_those_that_core_writes() -> None:
    assert (opening.PGN_FORMAT, opening.CLASSIFIER_FORMAT) == (pgn.FORMAT, FORMAT)


def test_folders_are_runs_or_images(tmp_path: Path) -> None:
    assert kind_of(tmp_path) is Kind.DATASET
    (tmp_path / "run.json").write_text("{}")
    assert kind_of(tmp_path) is Kind.RUN


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.pth", Kind.WEIGHTS),
        ("a.PT2", Kind.PROGRAM),
        ("a.pt", Kind.PROGRAM),
        ("a.onnx", Kind.PROGRAM),
        ("a.ckpt", Kind.WEIGHTS),
        ("a.PNG", Kind.IMAGE),
        ("a.jpeg", Kind.IMAGE),
    ],
)
def test_files_by_suffix(tmp_path: Path, name: str, kind: Kind) -> None:
    assert kind_of(tmp_path / name) is kind


def test_safetensors_by_their_metadata(tmp_path: Path, classifier: Classifier) -> None:
    assert kind_of(Path(classifier.info.path)) is Kind.CLASSIFIER
    assert kind_of(safetensors(tmp_path / "p.safetensors", pgn.FORMAT)) is Kind.PGN
    assert kind_of(safetensors(tmp_path / "f.safetensors", "pt")) is Kind.WEIGHTS
    assert kind_of(tmp_path / "gone.safetensors") is Kind.WEIGHTS


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"not a file at all", b"\x02" + bytes(7) + b"[]"])
def test_a_damaged_file_is_told_before_anything_is_asked(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "damaged.safetensors").write_bytes(content)
    with pytest.raises(DataError, match=r"damaged\.safetensors is damaged"):
        kind_of(tmp_path / "damaged.safetensors")


def test_what_cannot_be_opened_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot open notes\.txt"):
        kind_of(tmp_path / "notes.txt")
