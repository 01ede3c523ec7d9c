"""Nothing is written into the folder of a data set, whose images it would be taken for."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pgn_studio.core.paths import trained_folder
from pgn_studio.core.perturbation.pgn import load_pgn, save_pgn
from tests.cli.conftest import RunCommand

CLASSIFIER = trained_folder() / "digits-classifier.safetensors"


@pytest.fixture
def digits_folder(tmp_path: Path) -> Path:
    """Class folders of the demo's ten classes."""
    root = tmp_path / "data"
    for name in "0123456789":
        (root / name).mkdir(parents=True)
        for index in range(6):
            pixels = np.full((16, 16, 3), 20 * int(name) + index, dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{index}.png")
    return root


@pytest.fixture
def pgn(tmp_path: Path, digits_folder: Path) -> Path:
    """The demo's PGN, as if it had been trained on that folder."""
    demo = load_pgn(trained_folder() / "digits-enhance.safetensors")
    info = replace(demo.info, settings={**demo.info.settings, "dataset": str(digits_folder)})
    save_pgn(tmp_path / "p.safetensors", demo.generator, info)
    shutil.copy(CLASSIFIER, tmp_path)
    return tmp_path / "p.safetensors"


@pytest.mark.parametrize("place", ["run", "0/run", "../link/run"])
def test_a_run_is_not_made_in_its_data_set(
    pgn_studio: RunCommand, digits_folder: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "link").symlink_to(digits_folder)
    out = digits_folder / place
    common = ("--dataset", digits_folder, "--classifier", CLASSIFIER, "--out", out)
    for arguments in (("train", *common), ("sweep", *common, "--over", "gamma=1,2")):
        outcome = pgn_studio(*arguments)
        assert outcome.code == 2, outcome.out
        assert "inside the data set" in outcome.err
        assert not out.exists()


def test_images_are_not_written_into_the_data_set(
    pgn_studio: RunCommand, digits_folder: Path, pgn: Path, tmp_path: Path
) -> None:
    image = digits_folder / "0" / "0.png"
    for arguments in (("perturb", pgn, image), ("export", pgn, "--what", "images")):
        out = digits_folder / "perturbed"
        outcome = pgn_studio(*arguments, "--out", out, "--device", "cpu")
        assert outcome.code == 2, outcome.out
        assert "inside the data set" in outcome.err
        assert not out.exists()
    outcome = pgn_studio("perturb", pgn, image, "--out", tmp_path / "data-perturbed", "--device", "cpu")
    assert outcome.code == 0, outcome.err
