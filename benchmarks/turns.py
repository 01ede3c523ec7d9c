"""What benchmarks of two sides share: turns timed by the clock and by the processor, and their ratio."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

Turns = Sequence[dict[str, float]]  # seconds of each turn, by CLOCKS
CLOCKS = ("wall", "processor")


def timed(work: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Seconds by CLOCKS, and what came of `work`."""
    began, used = time.perf_counter(), time.process_time()
    outcome = work()
    return {"wall": time.perf_counter() - began, "processor": time.process_time() - used}, outcome


def ratio(above: Turns, below: Turns, clock: str) -> dict[str, float]:
    """Of the times of turns that belong together: the median with the least and the most."""
    rounds = sorted(one[clock] / other[clock] for one, other in zip(above, below, strict=True))
    return {"median": statistics.median(rounds), "least": rounds[0], "most": rounds[-1]}
