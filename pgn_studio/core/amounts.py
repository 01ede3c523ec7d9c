"""Counts and shares as a person reads them."""

from __future__ import annotations


def plural(number: int, noun: str) -> str:
    """ "1 run", "2,000 runs"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def percent(value: float | None, digits: int = 1) -> str:
    """0.9123 as "91.2 %"."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"
