"""A small part of the corpus; `python -m tests.fuzz` opens thousands of files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
CASES = 180
KINDS = {"image", "folder", "pth", "safetensors", "program", "pgn", "run", "checkpoint", "settings"}


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks, and reads /proc")
@pytest.mark.timeout(600)
def test_hostile_files_are_refused_or_load(tmp_path: Path) -> None:
    told = tmp_path / "cases.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--cases", str(CASES), "--seed", "7", "--json", told],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == 0, done.stdout[-6000:]
    cases = json.loads(told.read_text())
    assert Counter(case["kind"] for case in cases) == dict.fromkeys(KINDS, CASES // len(KINDS))
    assert {case["verdict"] for case in cases} == {"loaded", "refused"}
