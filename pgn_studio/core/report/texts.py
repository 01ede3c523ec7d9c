"""Figures as people read them."""

from __future__ import annotations

from typing import Protocol

from pgn_studio.core.evaluation.bootstrap import Interval


class Flipped(Protocol):
    """A row of most tables."""

    @property
    def change(self) -> Interval: ...
    @property
    def fixed(self) -> int: ...
    @property
    def broken(self) -> int: ...


def percent(interval: Interval) -> str:
    return "undefined" if interval.value is None else f"{100 * interval.value:.1f} %"


def points(interval: Interval) -> str:
    """A change of a share, with its sign."""
    return "undefined" if interval.value is None else _signed(100 * interval.value)


def span(interval: Interval, form: str = "{:.1f}", *, scale: float = 100.0) -> str:
    """The interval as "low … high"; empty where there is none."""
    if interval.low is None or interval.high is None:
        return ""
    low, high = (_tidied(form.format(scale * end)) for end in (interval.low, interval.high))
    return f"{low} … {high}"


def p_value(p: float | None) -> str:
    if p is None:
        return "undefined"
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def _signed(value: float) -> str:
    return _tidied(f"{value:+.1f}")


def _tidied(number: str) -> str:
    """A zero without a sign, and a minus as wide as a plus."""
    return number.lstrip("+-") if not number.strip("+-0.") else number.replace("-", "−")


def with_span(interval: Interval) -> str:
    """A share as "95.8 (93.6 … 97.8)"."""
    if interval.value is None:
        return "undefined"
    inside = span(interval)
    return f"{100 * interval.value:.1f}" + (f" ({inside})" if inside else "")


def change_with_span(interval: Interval) -> str:
    if interval.value is None:
        return "undefined"
    inside = span(interval, "{:+.1f}")
    return points(interval) + (f" ({inside})" if inside else "")


def outcome(row: Flipped) -> tuple[str, str, str]:
    """Change, fixed, broken: what most tables say of a row."""
    return change_with_span(row.change), str(row.fixed), str(row.broken)
