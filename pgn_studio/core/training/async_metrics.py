"""The figures of a step, read off the device: at once on a CPU, one step late on a GPU.

A GPU computes behind the program's back; reading a number waits until it has caught up, and then
has nothing to do. So the numbers of step k travel while step k + 1 is under way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pgn_studio.core.training.step import StepResult


@dataclass(frozen=True)
class StepTaken:
    """What the trainer knows of a step when it has asked for it."""

    step: int
    epoch: int
    images: int
    gamma: float
    seconds: float = (
        0.0  # that asking took: no step is faster, though an epoch's last is reported right behind
    )


class AsyncMetrics:
    """Reports each step's figures once, in order; `finish` reports what is still on its way."""

    def __init__(self, report: Callable[[list[float], StepTaken], None], *, late: bool) -> None:
        self._report = report
        self._late = late
        self._waiting: tuple[_Traveling, StepTaken] | None = None

    def add(self, result: StepResult, taken: StepTaken) -> None:
        values = torch.stack([value.float() for value in result])
        if not self._late:
            self._report(values.tolist(), taken)  # waits for the device
            return
        traveling = _Traveling(values)
        self.finish()
        self._waiting = traveling, taken

    def finish(self) -> None:
        """At an epoch's and the run's end; not after a failure: the run ends where its last event says."""
        if self._waiting is not None:
            (traveling, taken), self._waiting = self._waiting, None
            self._report(traveling.arrived(), taken)


class _Traveling:
    """Numbers on their way from the device; `arrived` waits for them and for nothing after them."""

    def __init__(self, values: Tensor) -> None:
        self._values = torch.empty(values.shape, dtype=values.dtype, pin_memory=values.is_cuda)
        self._values.copy_(values, non_blocking=True)
        self._event = torch.cuda.Event() if values.is_cuda else None  # type: ignore[no-untyped-call]
        if self._event is not None:
            self._event.record(torch.cuda.current_stream(values.device))

    def arrived(self) -> list[float]:
        if self._event is not None:
            self._event.synchronize()
        numbers: list[float] = self._values.tolist()
        return numbers
