"""When memory runs out: the run goes back to its checkpoint and on with half the batch."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.error_messages import is_out_of_memory
from pgn_studio.core.training.events import Notice
from pgn_studio.core.training.schedule import SMALLEST_BATCH

CODE = "out-of-memory"
RECORD = "out_of_memory"  # in run.json: a list of step, batch_size and smaller, one for each time


@dataclass(frozen=True)
class Shrinking:
    """Memory ran out in a step after `step` steps of `batch_size` images each; `smaller` are tried next."""

    step: int
    batch_size: int
    smaller: int

    def notice(self, from_step: int) -> Notice:
        """`from_step`: the steps that are kept, the last checkpoint's."""
        where = f"after step {from_step}" if from_step else "at the beginning"
        return Notice(
            from_step,
            CODE,
            f"Memory ran out in step {self.step + 1} at {self.batch_size} images a step. "
            f"The run goes on {where} with {self.smaller}.",
            Advice(
                "Nothing needs to be done; a new run is spared the retry by {}.",
                Setting("batch_size", self.smaller),
            ),
        )


def passed(step: int, batch_size: int) -> Notice:
    """An epoch with its validation has gone through since memory ran out."""
    return Notice(step, CODE, f"An epoch at {batch_size} images a step fits into memory.", "", "passed")


def shrinking(error: Exception, *, step: int, settings: TrainingSettings) -> Shrinking | None:
    """What to try after `error`; None where it has another reason or the batch is as small as it can be."""
    smaller = max(SMALLEST_BATCH, settings.batch_size // 2)
    if not is_out_of_memory(error) or smaller == settings.batch_size:
        return None
    return Shrinking(step, settings.batch_size, smaller)


def go_back(run: RunFolder, settings: TrainingSettings, shrunk: Shrinking) -> tuple[TrainingSettings, bool]:
    """Make `run` ready to go on with the smaller batch, and memory free.

    Returns the settings and whether there is a checkpoint, as to resume from.
    """
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    settings = settings.updated(batch_size=shrunk.smaller)
    times = [*recorded(run), asdict(shrunk)]
    run.update(settings=settings.model_dump(mode="json"), **{RECORD: times})
    return settings, run.rewind()


def recorded(run: RunFolder) -> list[dict[str, Any]]:
    """What run.json says of earlier times, the oldest first."""
    found = run.run_json.get(RECORD)
    entries = found if isinstance(found, list) else []
    return [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("smaller"), int)]


def fitting(run: RunFolder, settings: TrainingSettings) -> TrainingSettings:
    """`settings` with no larger batch than the one that memory has been found to hold."""
    sizes = [max(SMALLEST_BATCH, entry["smaller"]) for entry in recorded(run)]
    return settings.updated(batch_size=min([settings.batch_size, *sizes]))


def measuring_batch(run: RunFolder, usual: int) -> int:
    """Images in a batch that is only measured: halved as often as the training batch was."""
    return max(SMALLEST_BATCH, usual >> min(len(recorded(run)), usual.bit_length()))


def is_unsettled(records: Iterable[Mapping[str, Any]]) -> bool:
    """Whether, by a run's metrics, memory ran out and no epoch has gone through since."""
    levels = [record.get("level") for record in records if record.get("code") == CODE]
    return bool(levels) and levels[-1] != "passed"
