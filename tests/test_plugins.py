"""The example packages of docs/examples as an installer leaves them, used through the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pgn_studio.core.paths import trained_folder
from tests.installed import installed

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"
PGN = trained_folder() / "digits-enhance.safetensors"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every example installed, and with a package whose plug-ins cannot be used."""
    folder = tmp_path_factory.mktemp("site")
    for example in sorted(path.parent for path in EXAMPLES.glob("*/pyproject.toml")):
        wheels = tmp_path_factory.mktemp("wheels")
        run("-m", "hatchling", "build", "-t", "wheel", "-d", wheels, cwd=example)
        (wheel,) = wheels.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    broken = {"broken": "faulty_package:Any", "fgsm": "pgn_studio_zero:Zero"}
    return installed(
        folder, "faulty", {"faulty_package": "import not_there"}, {"pgn_studio.baselines": broken}
    )


def run(*arguments: object, cwd: Path, path: Path | None = None) -> str:
    places = [str(path)] if path else []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*places, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_baseline(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "zero.json"
    run(
        "-m", "pgn_studio", "baseline", "zero", PGN, "--dataset", "digits", "--device", "cpu", "--json", file,
        cwd=tmp_path, path=site,
    )  # fmt: skip
    record = json.loads(file.read_text(encoding="utf-8"))
    zero = record["baselines"]["zero"]
    assert (zero["rms_mean"], zero["fooling_rate"]) == (0.0, 0.0)
    assert zero["perturbed_accuracy"] == record["pgn"]["clean_accuracy"]


def test_a_data_set(site: Path, tmp_path: Path) -> None:
    run(
        "-m", "pgn_studio", "train-classifier", "--dataset", "checkerboard", "--epochs", "2",
        "--device", "cpu", "--out", tmp_path / "c.safetensors",
        cwd=tmp_path, path=site,
    )  # fmt: skip
    figures = run(
        "-m", "pgn_studio", "classifier", tmp_path / "c.safetensors", "--dataset", "checkerboard",
        "--device", "cpu",
        cwd=tmp_path, path=site,
    )  # fmt: skip
    assert "checkerboard" in figures
    assert "stripes" in figures


def test_doctor_tells_where_plugins_come_from_and_which_cannot_be_used(site: Path, tmp_path: Path) -> None:
    found = json.loads(run("-m", "pgn_studio", "doctor", "--json", cwd=tmp_path, path=site))["plug-ins"]
    assert found["baselines: zero"] == "pgn_studio_zero:Zero (pgn-studio-zero)"
    assert "not_there" in found["baselines: broken"]
    assert "built in" in found["baselines: fgsm"]
