"""What commands say of a data set before they use it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import RunCommand

MakeFolders = Callable[..., Path]


@pytest.fixture
def make_folders(tmp_path: Path) -> MakeFolders:
    """make_folders({"train/cat": 4}) -> the root, with so many images in each folder."""

    def make(counts: dict[str, int]) -> Path:
        root = tmp_path / "photos"
        for folder, count in counts.items():
            (root / folder).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (8, 8), (number, len(folder), 0)).save(root / folder / f"{number}.png")
        return root

    return make


def said(pgn_studio: RunCommand, root: Path) -> list[str]:
    """The lines on stderr of a command that reads the data set and then finds nothing to do."""
    outcome = pgn_studio(
        "train-classifier", "--dataset", root, "--weights", "pretrained", "--out", root / "c.safetensors"
    )
    assert outcome.code == 2, outcome.err
    return outcome.error_lines[:-1]


def test_classes_with_their_counts(pgn_studio: RunCommand, make_folders: MakeFolders) -> None:
    counts = {"train/cat": 9, "train/dog": 8, "val/cat": 3, "val/dog": 2, "test/cat": 1, "test/dog": 4}
    first, second, *_ = said(pgn_studio, make_folders(counts))
    assert first.startswith("Data: photos, 2 classes")
    assert first.endswith("17 train, 5 val, 5 test images.")
    assert "cat 9/3/1, dog 8/2/4" in second


def test_of_many_classes_the_smallest_and_the_largest(
    pgn_studio: RunCommand, make_folders: MakeFolders
) -> None:
    sizes = {f"c{number:02}": 5 for number in range(30)} | {"c17": 9, "c23": 4}
    line = said(pgn_studio, make_folders(sizes))[1]
    assert "c00 " in line
    assert "more" in line
    assert "smallest c23 " in line
    assert "largest c17 " in line
    assert len(line) < 200


def test_what_was_decided_is_a_note(pgn_studio: RunCommand, make_folders: MakeFolders) -> None:
    lines = said(pgn_studio, make_folders({"Training/a": 8, "Training/b": 8, "Testing/a": 2, "Testing/b": 2}))
    assert [line for line in lines if line.startswith("note: ")] == lines[2:]
    assert "'Testing' as test" in lines[2]


@pytest.mark.parametrize("folder", ["train", "test1"])
def test_an_unclear_folder_is_one_line_and_code_2(
    pgn_studio: RunCommand, make_folders: MakeFolders, folder: str
) -> None:
    root = make_folders({"train": 4, "test1": 4})
    outcome = pgn_studio("train-classifier", "--dataset", root, "--out", root / "c.safetensors")
    assert outcome.code == 2
    assert len(outcome.error_lines) == 1
    assert f"'{folder}'" in outcome.err
