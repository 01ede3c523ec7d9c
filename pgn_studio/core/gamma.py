"""γ, the weight of the L2 term: one value, or the range that one generator serves (a dial)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.errors import ConfigError

MOST_GAMMA = 1e6
_SEPARATOR = ".."
_SLACK = 1 + 1e-6  # of a value that was written with six digits


@dataclass(frozen=True)
class GammaRange:
    """The γ, `low` to `high`, that one generator serves; 0 < low < high."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """The geometric mean, to six digits."""
        return float(f"{math.sqrt(self.low * self.high):.6g}")

    def __contains__(self, gamma: float) -> bool:
        return self.low / _SLACK <= gamma <= self.high * _SLACK

    def __str__(self) -> str:
        return gamma_text((self.low, self.high))

    def check(self, gamma: float) -> float:
        """`gamma` itself. Raises ConfigError where it is outside."""
        if gamma not in self:
            raise ConfigError(
                Advice(
                    "{} {:g} is outside of the range {} that this PGN was trained for.",
                    Setting("gamma"),
                    gamma,
                    self,
                ),
                hint=f"Choose one from {self.low:g} to {self.high:g}, or train a PGN for another range.",
            )
        return float(gamma)

    def spaced(self, count: int) -> tuple[float, ...]:
        """`count` γ, at least two, from low to high in equal ratios; between the ends they are rounded."""
        step = math.log(self.high / self.low) / (count - 1)
        inner = [float(f"{self.low * math.exp(step * number):.3g}") for number in range(1, count - 1)]
        if count % 2:
            inner[len(inner) // 2] = self.middle
        return (self.low, *(min(max(self.low, gamma), self.high) for gamma in inner), self.high)


def parsed_gamma(value: Any) -> Any:
    """A number, or (low, high) of "LOW..HIGH"; raises ValueError that says what was expected.

    What is no text comes back as it is.
    """
    if not isinstance(value, str):
        return value
    low, separator, high = value.partition(_SEPARATOR)
    try:
        found = (float(low), float(high)) if separator else float(value)
    except ValueError:
        raise ValueError("expected one value, such as 3, or a range LOW..HIGH, such as 0.3..30") from None
    check_gamma(found)
    return found


def gamma_text(value: float | Sequence[float]) -> str:
    """A γ, or a range of it, as a person writes it: 3, 0.3..30."""
    return f"{value:g}" if isinstance(value, (int, float)) else _SEPARATOR.join(f"{end:g}" for end in value)


def check_gamma(value: float | tuple[float, float]) -> None:
    """Raises ValueError for what is no γ and no range of it."""
    ends = value if isinstance(value, tuple) else (value,)
    if not all(math.isfinite(end) and 0 <= end <= MOST_GAMMA for end in ends):
        raise ValueError(f"expected values from 0 to {MOST_GAMMA:,.0f}")
    if len(ends) > 1 and not 0 < ends[0] < ends[1]:
        raise ValueError("expected a range LOW..HIGH with LOW above 0 and below HIGH")
