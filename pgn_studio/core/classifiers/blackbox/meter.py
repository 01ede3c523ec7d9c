"""Counting queries, holding them within a budget, and spacing them out."""

from __future__ import annotations

import time
from collections.abc import Callable

from pgn_studio.core.advice import Advice, Argument
from pgn_studio.core.errors import QueryBudgetError


class QueryMeter:
    """One query is one image sent to the black box. Not thread-safe: the black box's lock holds it."""

    def __init__(
        self,
        budget: int | None = None,
        per_second: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.budget = budget
        self.used = 0
        self._seconds_each = 1.0 / per_second if per_second else 0.0
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()

    @property
    def left(self) -> int | None:
        """None without a budget."""
        return None if self.budget is None else max(0, self.budget - self.used)

    def allows(self, count: int) -> bool:
        return self.left is None or count <= self.left

    def require(self, count: int, what: str = "The next answers") -> None:
        """Raise QueryBudgetError unless `count` more queries are within the budget."""
        if not self.allows(count):
            raise QueryBudgetError(
                f"{what} would take up to {count:,} queries, but of the query budget of {self.budget:,}"
                f" only {self.left:,} are left.",
                hint=Advice("Give a larger {}.", Argument("query_budget")),
            )

    def send(self, count: int) -> None:
        """Call before `count` images are sent: checks the budget, waits for the rate, counts."""
        self.require(count)
        wait = self._free_at - self._clock()
        if wait > 0:
            self._sleep(wait)
        self._free_at = max(self._free_at, self._clock()) + count * self._seconds_each
        self.used += count

    def take_back(self, count: int) -> None:
        """Call where `count` images did not get through, or were turned away unseen."""
        self.used -= count

    def add_earlier(self, count: int) -> None:
        """Queries of the same run in an earlier process."""
        self.used += max(0, count)

    def describe(self) -> str:
        of = "" if self.budget is None else f" of a budget of {self.budget:,}"
        return f"{self.used:,}{of}"
