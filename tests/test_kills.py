"""A few kills -9 of the real command; `python benchmarks/kill_resume.py` makes as many as asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
KILLS = 4


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the benchmark forks")
@pytest.mark.timeout(300)
def test_killed_runs_open_again_and_end_with_the_same_weights(tmp_path: Path) -> None:
    command = [sys.executable, REPOSITORY / "benchmarks" / "kill_resume.py", "--kills", str(KILLS)]
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [*command, "--seed", "1", "--json", figures],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    found = json.loads(figures.read_text())
    assert found["kills"] >= KILLS
    assert found["opened"] == found["kills"]
    assert found["same_weights"] == found["runs"]
    assert found["most_steps_lost"] <= found["steps_per_epoch"]
