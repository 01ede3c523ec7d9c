"""`perturb`: image files through the bundled demo's PGN, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from pgn_studio.core.paths import trained_folder
from tests.cli.conftest import RunCommand

PGN = "digits-enhance.safetensors"


@pytest.fixture
def digit(tmp_path: Path) -> Path:
    pixels = (load_digits().images[10] * 15.9).astype(np.uint8)
    path = tmp_path / "zero.png"
    Image.fromarray(pixels).resize((16, 16)).save(path)
    return path


def test_a_file_is_perturbed_at_a_strength(pgn_studio: RunCommand, digit: Path, tmp_path: Path) -> None:
    target = trained_folder() / PGN
    pictures = []
    for strength in ("0", "1", "2"):
        out = tmp_path / strength
        outcome = pgn_studio(
            "perturb", target, digit, "--out", out, "--strength", strength, "--device", "cpu"
        )
        assert outcome.code == 0, outcome.err
        assert re.fullmatch(
            r"zero\.png: \d [\d.]+ % → \d [\d.]+ %; with growing strength: .+\n", outcome.out
        ), outcome.out
        with Image.open(out / "zero.png") as picture:
            pictures.append(np.asarray(picture).astype(int))
    assert np.array_equal(pictures[0][..., 0], np.asarray(Image.open(digit)))
    one, two = np.abs(pictures[1] - pictures[0]).sum(), np.abs(pictures[2] - pictures[0]).sum()
    assert 0 < one < two


def test_bad_input_is_one_line(pgn_studio: RunCommand, digit: Path, tmp_path: Path) -> None:
    target = trained_folder() / PGN
    (tmp_path / "bad.png").write_bytes(b"x")
    out = tmp_path / "out"
    out.mkdir()
    (out / "zero.png").write_bytes(b"mine")
    for arguments, said in (
        ((tmp_path / "none.png",), "There is no file"),
        ((tmp_path / "bad.png",), "no readable image"),
        ((digit, "--out", out), "is there already"),
        ((digit, digit, "--out", tmp_path / "new"), "the same name"),
        ((digit, "--strength", "-1"), "--strength"),
    ):
        outcome = pgn_studio("perturb", target, *arguments)
        assert outcome.code == 2, outcome.out
        assert said in outcome.error_lines[-1]
    assert (out / "zero.png").read_bytes() == b"mine"


def test_two_pgns_are_compared_on_a_file(pgn_studio: RunCommand, digit: Path) -> None:
    target, other = trained_folder() / PGN, trained_folder() / "digits-adversarial.safetensors"
    outcome = pgn_studio("perturb", target, digit, "--against", other, "--device", "cpu")
    assert outcome.code == 0, outcome.err
    second = outcome.out.splitlines()[1]
    form = r": \d [\d.]+ %; RMS ([\d.]+) beside ([\d.]+), of the difference ([\d.]+)$"
    assert re.search(form, second), second
    same = pgn_studio("perturb", target, digit, "--against", target, "--device", "cpu")
    assert same.out.splitlines()[1].endswith("of the difference 0")
    refused = pgn_studio("perturb", target, digit, "--against", digit)
    assert refused.code == 2


def test_an_image_is_left_as_it_is_where_the_classifier_is_surer_of_it(
    pgn_studio: RunCommand, tmp_path: Path
) -> None:
    files = []
    for index in range(40):
        files.append(tmp_path / f"{index}.png")
        pixels = (load_digits().images[index] * 15.9).astype(np.uint8)
        Image.fromarray(pixels).resize((16, 16)).save(files[-1])
    out = tmp_path / "out"
    outcome = pgn_studio(
        "perturb", trained_folder() / PGN, *files, "--if-surer", "--out", out, "--device", "cpu"
    )
    assert outcome.code == 0, outcome.err
    left = 0
    for file, line in zip(files, outcome.out.splitlines(), strict=True):
        before, after = (float(share) for share in re.findall(r" ([\d.]+) %", line)[:2])
        with Image.open(file) as original, Image.open(out / file.name) as written:
            same = np.array_equal(np.asarray(original), np.asarray(written)[..., 0])
        assert line.endswith("; left as it is") == same
        if before != after:  # as far as the line's digits tell
            assert same == (before > after), line
        left += same
    assert 0 < left < len(files)


def test_an_attack_is_not_held_back(pgn_studio: RunCommand, digit: Path) -> None:
    attack = trained_folder() / "digits-adversarial.safetensors"
    outcome = pgn_studio("perturb", attack, digit, "--if-surer", "--device", "cpu")
    assert outcome.code == 2
    assert "this one attacks" in outcome.error_lines[-1]
