"""The one training loop: a PGN, a baseline and a classifier learn in it, each by its own step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

Batch = TypeVar("Batch")


class Learner(Protocol[Batch]):
    """What learns; epochs are 0-based."""

    def batches(self, epoch: int) -> Iterable[Batch]:
        """What is left of an epoch."""

    def proceed(self) -> bool:
        """Whether to take the next step: asked at each step's boundary, where a run may also pause."""

    def step(self, batch: Batch) -> None: ...

    def end_epoch(self, epoch: int) -> None:
        """After an epoch's last step: validation, and keeping the best by it."""


def train_epochs(learner: Learner[Batch], epochs: Iterable[int]) -> bool:
    """Train through `epochs`; returns whether it went through, False where the learner did not proceed."""
    for epoch in epochs:
        for batch in learner.batches(epoch):
            if not learner.proceed():
                return False
            learner.step(batch)
        learner.end_epoch(epoch)
    return True
