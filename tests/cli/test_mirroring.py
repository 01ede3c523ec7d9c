"""What is done to images that nobody has spoken of is said, with the option that changes it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pgn_studio.core.classifiers import load_classifier
from tests.cli.conftest import RunCommand

FAST = ("--epochs", "1", "--device", "cpu", "--image-size", "12")


def folder(path: Path, classes: tuple[str, ...]) -> Path:
    for label, name in enumerate(classes):
        (path / name).mkdir(parents=True)
        for number in range(8):
            pixels = np.full((12, 12, 3), 12 * number + 60 * label, dtype=np.uint8)
            Image.fromarray(pixels).save(path / name / f"{number}.png")
    return path


@pytest.mark.parametrize(
    ("classes", "options", "augment", "said"),
    [
        (("kitten", "puppy"), (), "flip", True),
        (("kitten", "puppy"), ("--augment", "flip"), "flip", False),
        (("kitten", "puppy"), ("--augment", "none"), "none", False),
        (("3", "7"), (), "none", False),
    ],
)
def test_the_guess_is_told_and_recorded(
    pgn_studio: RunCommand, tmp_path: Path, classes: tuple[str, ...], options: tuple[str, ...],
    augment: str, said: bool,
) -> None:  # fmt: skip
    data, file, run = folder(tmp_path / "digits", classes), tmp_path / "c.safetensors", tmp_path / "run"
    made = pgn_studio("train-classifier", "--dataset", data, *options, *FAST, "--out", file)
    assert made.code == 0, made.err
    trained = pgn_studio(
        "train", "--dataset", data, "--classifier", file, *options, *FAST, "--encoder", "small",
        "--set", "decoder_widths=8", "--out", run,
    )  # fmt: skip
    assert trained.code == 0, trained.err
    for outcome in (made, trained):
        assert ("--augment none" in outcome.err) is said, outcome.err
    assert load_classifier(file).info.training["settings"]["augment"] == augment
    assert json.loads((run / "run.json").read_text())["settings"]["augment"] == augment
