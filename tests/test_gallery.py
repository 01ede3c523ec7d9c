"""The gallery at 100,000 images beside 1,000, by `benchmarks/gallery.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
MOST_MIB = 400  # thumbnails and rows; 100,000 thumbnails alone would be 2,600
TIMES = 4  # as long as with 1,000 images at the most; work on every image would take a hundred times as long


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_painting_scrolling_and_jumping_cost_the_same_however_many_images(tmp_path: Path) -> None:
    """By the GUI thread's processor time, side by side: the bars in milliseconds are the benchmark's own."""
    few, many = (measured(rows, tmp_path / f"{rows}.json") for rows in (1_000, 100_000))
    assert many["rows"] == 100_000
    for name in ("first_paint_cpu_ms", "scroll_p50_cpu_ms", "jump_p50_cpu_ms"):
        assert many[name] <= TIMES * few[name], (name, few, many)
    assert many["memory_after_mib"] <= MOST_MIB


def measured(rows: int, file: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "benchmarks" / "gallery.py", "--rows", str(rows), "--json", file],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "QT_QPA_PLATFORM": "offscreen"},
    )
    assert done.returncode in (0, 1), done.stderr[-2000:]  # 1: above a bar
    assert file.is_file(), done.stdout + done.stderr[-2000:]
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    figures: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
    return figures
