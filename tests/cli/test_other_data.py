"""A classifier and a PGN that meet other images than those of their training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import RunCommand

QUICK = ("--epochs", "1", "--device", "cpu")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Noise in two class folders without splits: nobody can be right about what he has not seen."""
    monkeypatch.setenv("PGN_STUDIO_HOME", str(tmp_path / "home"))
    random = np.random.default_rng(0)
    for title in ("cat", "dog"):
        (tmp_path / "photos" / title).mkdir(parents=True)
        for number in range(30):
            noise = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / "photos" / title / f"{number:02d}.png")
    return tmp_path / "photos"


@pytest.fixture
def classifier(photos: Path, pgn_studio: RunCommand) -> Path:
    file = photos.parent / "c.safetensors"
    done = pgn_studio("train-classifier", "--dataset", photos, "--out", file, "--image-size", "16", *QUICK)
    assert done.code == 0, done.err
    return file


def splits(pgn_studio: RunCommand, classifier: Path, photos: Path) -> tuple[dict[str, Any], str]:
    out = classifier.with_suffix(".json")
    done = pgn_studio("classifier", classifier, "--dataset", photos, "--json", out)
    assert done.code == 0, done.err
    return json.loads(out.read_text(encoding="utf-8"))["splits"], done.out + done.err


def test_a_file_less_changes_no_split_and_is_told(
    pgn_studio: RunCommand, classifier: Path, photos: Path
) -> None:
    before, said = splits(pgn_studio, classifier, photos)
    assert "changed" not in said
    run = photos.parent / "run"
    training = ("train", "--dataset", photos, "--classifier", classifier, "--encoder", "small", *QUICK)
    done = pgn_studio(*training, "--out", run)
    assert done.code == 0, done.err
    assert "changed" not in done.err
    (photos / "cat" / "00.png").unlink()
    after, said = splits(pgn_studio, classifier, photos)
    assert sum(before[name]["n"] - after[name]["n"] for name in before) == 1
    assert after["test"]["learned_from"] == 0
    assert "note: The data set is not the one that the classifier was trained on, or has changed" in said
    measured = pgn_studio("evaluate", run, "--dataset", photos, "--json", run / "e.json")
    assert measured.code == 0, measured.err
    assert measured.err.count("learned from 0 of the") == 2  # the classifier and the PGN
    assert json.loads((run / "e.json").read_text(encoding="utf-8"))["learned_from"] == {
        "classifier": 0,
        "pgn": 0,
    }
    resumed = pgn_studio("train", "--resume", run, "--epochs", "2")
    assert "note: The data set is not the one that the PGN was trained on" in resumed.err
    done = pgn_studio(*training, "--out", photos.parent / "again")
    assert "changed" in done.err


def test_what_was_learned_from_is_not_called_a_test(
    pgn_studio: RunCommand, classifier: Path, photos: Path
) -> None:
    """All images in a test folder, under other names."""
    for part in ("train", "test"):
        for title in ("cat", "dog"):
            shutil.copytree(photos / title, photos.parent / "moved" / part / title)
    found, said = splits(pgn_studio, classifier, photos.parent / "moved")
    assert found["test"]["learned_from"] > 30
    assert f"learned from {found['test']['learned_from']} of the 60 test images" in said
    assert "no test" in said
    assert "images in test are exact copies of images in train" in said


def test_a_pgn_is_trained_on_the_classifiers_own_division(pgn_studio: RunCommand, photos: Path) -> None:
    file, run = photos.parent / "c3.safetensors", photos.parent / "run"
    common = ("--dataset", photos, "--image-size", "16", *QUICK)
    done = pgn_studio("train-classifier", *common, "--split-seed", "3", "--out", file)
    assert done.code == 0, done.err
    done = pgn_studio("train", *common, "--classifier", file, "--encoder", "small", "--out", run)
    assert "divided into train, val and test as when the classifier was trained" in done.err
    assert json.loads((run / "run.json").read_text(encoding="utf-8"))["settings"]["split_seed"] == 3
    measured = pgn_studio("evaluate", run)
    assert "note:" not in measured.err
    chosen = pgn_studio("classifier", file, "--dataset", photos, "--split-seed", "5")
    assert "no test" in chosen.out
