"""Jobs one after the other: one that fails is noted and the next begins; a stop keeps what there is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol

import torch

from pgn_studio.core.errors import Canceled, PgnStudioError

log = logging.getLogger(__name__)

Status = Literal["done", "failed", "stopped", "waiting", "not run"]
Figures = Mapping[str, Any]  # plain numbers and texts, as JSON can hold them


class Job(Protocol):
    """One piece of work that leaves its figures on disk."""

    @property
    def name(self) -> str: ...

    def recorded(self) -> Figures | None:
        """The figures that an earlier command left, if they still hold. Raises PgnStudioError."""

    def ready(self) -> None:
        """Raises NotRun where this machine lacks what the job needs."""

    def run(self) -> Figures:
        """Do what is left to do. Raises PgnStudioError, or Canceled when it was stopped and kept."""


class NotRun(Exception):  # noqa: N818 - not an error: something that this machine does not have
    """Raised for a job that cannot be done here; says what it needs."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended. `error`, which may be an Advice, is why it failed or was not run.

    `internal`: through a fault of ours.
    """

    name: str
    status: Status
    figures: Figures = field(default_factory=dict)
    error: str = ""
    internal: bool = False


def run_jobs(
    jobs: Sequence[Job],
    *,
    stopping: Callable[[], bool],
    begin: Callable[[int, Job], None],
    ended: Callable[[list[Outcome]], None],
) -> list[Outcome]:
    """Run what is not done yet, in order.

    `begin(index, job)` comes before the work of a job that has some and is ready; `ended` gets the
    outcomes of all jobs, those to come as "waiting", before the first job and after each.
    """
    outcomes = [Outcome(job.name, "waiting") for job in jobs]
    for index, job in enumerate(jobs):
        outcomes[index] = _recorded(job)
    ended(list(outcomes))
    for index, job in enumerate(jobs):
        if stopping():
            break
        if outcomes[index].status == "waiting":
            outcomes[index] = _outcome(job, partial(begin, index, job))
            ended(list(outcomes))
    return outcomes


def _recorded(job: Job) -> Outcome:
    try:
        figures = job.recorded()
    except PgnStudioError as error:
        return Outcome(job.name, "failed", error=error.advice)
    return Outcome(job.name, "waiting") if figures is None else Outcome(job.name, "done", figures)


def _outcome(job: Job, begin: Callable[[], None]) -> Outcome:
    try:
        job.ready()
        begin()
        return Outcome(job.name, "done", job.run())
    except Canceled:
        return Outcome(job.name, "stopped")
    except NotRun as reason:
        return Outcome(job.name, "not run", error=reason.args[0])
    except PgnStudioError as error:
        log.warning("%s failed: %s %s", job.name, error, error.details)
        return Outcome(job.name, "failed", error=error.advice)
    except (OSError, torch.OutOfMemoryError) as error:
        log.warning("%s failed", job.name, exc_info=error)
        return Outcome(job.name, "failed", error=" ".join(str(error).split()))
    except Exception as error:  # the other jobs go on whatever happened
        log.critical("%s failed", job.name, exc_info=error)
        return Outcome(job.name, "failed", error=f"{type(error).__name__}: {error}", internal=True)
