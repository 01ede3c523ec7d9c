"""`pgn-studio abstain` on the bundled demo, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pgn_studio.core.paths import trained_folder
from pgn_studio.core.perturbation.pgn import read_pgn_info
from tests.cli.conftest import RunCommand

DEMO = trained_folder() / "digits-enhance.safetensors"
CLASSIFIER = trained_folder() / "digits-classifier.safetensors"
HERE = ("--classifier", CLASSIFIER, "--device", "cpu")


def test_the_new_pgn_leaves_images_alone_in_every_command(pgn_studio: RunCommand, tmp_path: Path) -> None:
    out = tmp_path / "cautious.safetensors"
    before = DEMO.read_bytes()
    made = pgn_studio("abstain", DEMO, "--share", "0.3", "--out", out, "--device", "cpu")
    assert made.code == 0, made.err
    assert made.out.startswith("Abstains on 81 of 269 images (val)")
    assert made.out.splitlines()[-1] == str(out)
    assert DEMO.read_bytes() == before
    info = read_pgn_info(out)
    assert info.name == "cautious"
    assert info.abstain_below_rms > 0

    measured = pgn_studio("evaluate", out, *HERE, "--split", "val", "--json", tmp_path / "v.json")
    assert measured.code == 0, measured.err
    assert any("left as they are" in line and " 81 " in line for line in measured.out.splitlines())
    figures = json.loads((tmp_path / "v.json").read_text(encoding="utf-8"))
    assert figures["perturbed_accuracy_8bit"] == info.metrics["perturbed_accuracy_8bit"]

    undone = pgn_studio("abstain", out, *HERE, "--share", "0", "--out", tmp_path / "as-it-was.safetensors")
    assert undone.code == 0, undone.err
    assert read_pgn_info(tmp_path / "as-it-was.safetensors").abstain_below_rms == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.safetensors", "--out", "c.safetensors"), "no run and no PGN"),
        ((DEMO, "--out", "c.pth"), "expected a .safetensors file"),
        ((DEMO, "--out", "there.safetensors"), "is there already"),
        ((DEMO, "--out", "folder"), "is a folder"),
        ((DEMO, "--out", "c.safetensors", "--share", "1"), "--share"),
        ((DEMO,), "--out"),
        ((trained_folder() / "digits-adversarial.safetensors", "--out", "c.safetensors"), "attacks"),
    ],
)
def test_bad_input_is_one_line(
    pgn_studio: RunCommand,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[object, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "there.safetensors").write_bytes(b"mine")
    outcome = pgn_studio("abstain", *arguments)
    assert outcome.code == 2, outcome.out
    assert said in outcome.error_lines[-1]
    assert (tmp_path / "there.safetensors").read_bytes() == b"mine"
    assert not (tmp_path / "c.safetensors").exists()


def test_a_runs_own_record_is_not_overwritten(pgn_studio: RunCommand, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text('{"settings": {}}', encoding="utf-8")
    shutil.copy(DEMO, run / "pgn.safetensors")
    outcome = pgn_studio("abstain", run, "--out", run / "pgn.safetensors", "--force")
    assert outcome.code == 2
    assert "own record" in outcome.error_lines[-1]
