"""Jobs in a row: skipped when done, noted when they fail, ended by a stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from pgn_studio.core.errors import Canceled, DataError, RunError
from pgn_studio.core.sweeps.jobs import Figures, NotRun, Outcome, run_jobs


@dataclass
class FakeJob:
    name: str
    left: Figures | None = None
    work: Callable[[], Figures] = field(default=lambda: {"n": 1})
    runs: int = 0
    lacks: str = ""

    def recorded(self) -> Figures | None:
        return self.left

    def ready(self) -> None:
        if self.lacks:
            raise NotRun(self.lacks)

    def run(self) -> Figures:
        self.runs += 1
        return self.work()


def raising(error: Exception) -> Callable[[], Figures]:
    def work() -> Figures:
        raise error

    return work


def run(
    jobs: list[FakeJob], stop_after: int | None = None
) -> tuple[list[Outcome], list[list[str]], list[int]]:
    told: list[list[str]] = []
    begun: list[int] = []
    outcomes = run_jobs(
        jobs,
        stopping=lambda: stop_after is not None and len(begun) >= stop_after,
        begin=lambda index, job: begun.append(index),
        ended=lambda all_of_them: told.append([outcome.status for outcome in all_of_them]),
    )
    return outcomes, told, begun


def test_what_is_recorded_is_not_done_again() -> None:
    jobs = [FakeJob("a", left={"n": 7}), FakeJob("b")]
    outcomes, told, begun = run(jobs)
    assert [job.runs for job in jobs] == [0, 1]
    assert begun == [1]
    assert [dict(outcome.figures) for outcome in outcomes] == [{"n": 7}, {"n": 1}]
    assert told == [["done", "waiting"], ["done", "done"]]


@pytest.mark.parametrize(
    ("error", "status", "said", "internal"),
    [
        (RunError("It broke.", hint="Mend it."), "failed", "It broke. Mend it.", False),
        (OSError(28, "No space left"), "failed", "No space left", False),
        (NotRun("needs a GPU"), "not run", "needs a GPU", False),
        (Canceled(), "stopped", "", False),
        (KeyError("oops"), "failed", "KeyError", True),
    ],
)
def test_one_that_fails_does_not_end_the_others(
    error: Exception, status: str, said: str, internal: bool
) -> None:
    outcomes, _, _ = run([FakeJob("a", work=raising(error)), FakeJob("b")])
    assert outcomes[0].status == status
    assert said in outcomes[0].error
    assert outcomes[0].internal is internal
    assert outcomes[1].status == "done"


def test_what_is_not_ready_does_not_begin() -> None:
    outcomes, _, begun = run([FakeJob("a", lacks="a GPU"), FakeJob("b")])
    assert begun == [1]
    assert (outcomes[0].status, outcomes[0].error) == ("not run", "a GPU")


def test_a_stop_leaves_the_rest_waiting() -> None:
    outcomes, _, _ = run([FakeJob("a"), FakeJob("b"), FakeJob("c")], stop_after=1)
    assert [outcome.status for outcome in outcomes] == ["done", "waiting", "waiting"]


def test_damaged_records_fail_that_job_alone() -> None:
    class Damaged(FakeJob):
        def recorded(self) -> Figures | None:
            raise DataError("torn")

    outcomes, _, _ = run([Damaged("a"), FakeJob("b")])
    assert [(outcome.status, outcome.error) for outcome in outcomes] == [("failed", "torn"), ("done", "")]
