"""Counts and shares as a person reads them."""

from __future__ import annotations

import pytest

from pgn_studio.core.amounts import duration, percent, plural


def test_one_is_one_and_thousands_are_grouped() -> None:
    assert plural(1, "run") == "1 run"
    assert plural(0, "run") == "0 runs"
    assert plural(2000, "run") == "2,000 runs"


def test_shares_are_per_cent() -> None:
    assert percent(0.9123) == "91.2 %"
    assert percent(0.9123, 0) == "91 %"
    assert percent(None) == "–"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65.4, "1:05"), (3725, "1:02:05"), (-3, "0:00")])
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
