"""A run against a black box stays within its query budget, and keeps what it has when answers stop."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pgn_studio.core.advice import Advice, Argument, Setting
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import TrainingSettings, check_discriminator, soft_targets
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.errors import ConfigError, PgnStudioError
from pgn_studio.core.perturbation.pgn import PgnInfo, save_pgn
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.checkpoint import TrainingState, save_checkpoint
from pgn_studio.core.training.events import Notice
from pgn_studio.core.training.input_mixup import most_queries
from pgn_studio.core.training.schedule import steps_per_epoch
from pgn_studio.core.training.step import TrainStep

_ASKED_PER_IMAGE = 2  # in a step: x̃ and the clean image


class QueryBudget:
    """For a classifier that is no black box there is nothing to count: all is allowed."""

    def __init__(self, classifier: Classifier, settings: TrainingSettings, dataset: ImageDataset) -> None:
        self._meter = classifier.queries
        self._per_step = settings.batch_size * _ASKED_PER_IMAGE
        self._train, self._val = len(dataset.split("train")), len(dataset.split("val"))
        self._per_epoch = steps_per_epoch(self._train, settings.batch_size)
        self._choosing = most_queries(classifier, self._train) if settings.input_mixup is None else 0
        if self._meter is not None:
            check_discriminator(settings)
        if soft_targets(settings) and not classifier.gives_scores:
            raise ConfigError(
                Advice(
                    "{} needs the classifier's probabilities, but this one answers with labels.",
                    Setting("soft_targets"),
                ),
                hint="Leave it at its default: labels are enough.",
            )

    @property
    def is_needed(self) -> bool:
        return self._meter is not None

    @property
    def used(self) -> int | None:
        return None if self._meter is None else self._meter.used

    def check_start(self) -> None:
        """Raises ConfigError, before anything is asked, when the budget may not reach through one step."""
        if self._meter is None:
            return
        # The classifier on training and validation images, G's first validation, a step, the last one.
        needed = self._train + self._choosing + 3 * self._val + self._per_step
        if not self._meter.allows(needed):
            raise ConfigError(
                f"The query budget leaves {self._meter.left:,} queries, but measuring this data and one step"
                f" may take {needed:,}.",
                hint=Advice("Give a larger {}, or fewer images.", Argument("query_budget")),
            )

    def allows_step(self) -> bool:
        """Whether a step, and the measurement that judges the PGN at the end, are within the budget."""
        return self._meter is None or self._meter.allows(self._per_step + self._val)

    def allows_choosing(self, gammas: int) -> bool:
        """Whether validation at so many γ is within the budget."""
        return self._meter is None or self._meter.allows(gammas * self._val)

    def exhausted(self, step: int) -> Notice:
        assert self._meter is not None
        return Notice(
            step,
            "query-budget",
            f"The query budget of {self._meter.budget:,} used: {self._meter.used:,}; the rest does not reach"
            " through another step and the last measurement. Training stops and keeps the best PGN so far.",
            Advice("Go on with {} and a larger {}.", Argument("resume"), Argument("query_budget")),
        )

    def keep(self, step: TrainStep, state: TrainingState, run: RunFolder, info: PgnInfo) -> None:
        """After a black box has failed: save the steps since the last checkpoint, and the last PGN.

        f fails before a step changes anything. At the end of an epoch, where the measurement failed,
        the checkpoint before it is the one to go on from. What cannot be saved does not hide why.
        """
        if self._meter is None or not state.step:
            return
        with suppress(PgnStudioError, OSError):
            if state.step % self._per_epoch:
                save_checkpoint(run.checkpoint_path, step, state)
            save_pgn(run.last_pgn_path, step.result, info)
            record(run, self.used)

    def spent(self, step: int) -> Notice | None:
        if self._meter is None:
            return None
        used = f"Queries to the black box in this run: {self._meter.describe()}."
        return Notice(step, "queries", used, "", "info")


def record(run: RunFolder, used: int | None, **fields: Any) -> None:
    """Into run.json, with the count of queries where there is one."""
    if used is not None:
        fields["queries"] = used
    if fields:
        run.update(**fields)
