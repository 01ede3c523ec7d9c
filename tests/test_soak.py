"""A few rounds of the soak and a short rain of steps; `python benchmarks/soak.py` makes many."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
ROUNDS, STEPS = 5, 3000


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads and files are counted in /proc")
@pytest.mark.timeout(600)
def test_nothing_grows_when_windows_open_and_close_and_steps_rain(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, REPOSITORY / "benchmarks" / "soak.py", "--rounds", str(ROUNDS)]
    done = subprocess.run(
        [*command, "--steps", str(STEPS), "--json", figures],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "nothing grew" in done.stdout
    found = json.loads(figures.read_text())
    assert found["rounds"][-1]["at"] == ROUNDS
    assert found["rounds"][-1]["timers"] == 0
    assert found["steps"][-1]["at"] >= 0.9 * STEPS
