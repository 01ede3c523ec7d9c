"""A run's series as growing NumPy arrays; plain, so that it is tested without Qt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from pgn_studio.core.training.events import EpochCompleted, Notice, NoticeLevel, StepCompleted
from pgn_studio.core.training.plots import CURVES

FloatArray = npt.NDArray[np.float64]

# "images": in this step, on average: what its counts are out of
STEP_COLUMNS = tuple(dict.fromkeys(("step", "epoch", "gamma", "images", *(item.column for item in CURVES))))
EPOCH_COLUMNS = tuple(
    dict.fromkeys((
        "gamma", "epoch", "step", "clean_accuracy", "perturbed_accuracy_8bit", "fixed_8bit", "broken_8bit",
        "rms_mean", *(item.epoch_column for item in CURVES if item.epoch_column),
    ))
)  # fmt: skip


BLOCK = 65_536  # rows that are made room for at once: growing moves nothing


class Table:
    """Named float columns of equal length; appending costs the same however long it is."""

    def __init__(self, columns: Sequence[str], *, block: int = BLOCK) -> None:
        self._index = {name: position for position, name in enumerate(columns)}
        self._block = block
        self._blocks: list[FloatArray] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows; NaN where one says nothing of use for a column."""
        while len(self._blocks) * self._block < self._length + len(rows):
            self._blocks.append(np.empty((len(self._index), self._block), dtype=np.float64))
        for number, row in enumerate(rows, start=self._length):
            block, offset = divmod(number, self._block)
            values = self._blocks[block]
            for name, position in self._index.items():
                values[position, offset] = _number(row.get(name))
        self._length += len(rows)

    def put(self, number: int, row: Mapping[str, Any]) -> None:
        """Other values for the columns that `row` names."""
        block, offset = divmod(number, self._block)
        for name in row.keys() & self._index.keys():
            self._blocks[block][self._index[name], offset] = _number(row[name])

    def column(self, name: str) -> FloatArray:
        """All values (len,)."""
        return self.between(name, 0, self._length)

    def between(self, name: str, start: int, stop: int) -> FloatArray:
        """The values of rows `start` to `stop`: a view where they lie in one block."""
        position, parts = self._index[name], []
        for number in range(start // self._block, -(-stop // self._block)):
            first = number * self._block
            begin, end = max(0, start - first), min(self._block, stop - first)
            parts.append(self._blocks[number][position, begin:end])
        if not parts:
            return np.empty(0)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def ends(self, name: str) -> tuple[float, float]:
        """The first and the last value; there must be one."""
        position, (block, offset) = self._index[name], divmod(self._length - 1, self._block)
        return float(self._blocks[0][position, 0]), float(self._blocks[block][position, offset])

    def clear(self) -> None:
        self._length = 0
        del self._blocks[1:]

    def keep_until(self, name: str, last: float) -> None:
        """Forget the rows from the first on whose `name` is beyond `last`."""
        beyond = np.flatnonzero(self.column(name) > last)
        self._length = int(beyond[0]) if len(beyond) else self._length
        del self._blocks[-(-self._length // self._block) :]


class RunHistory:
    """What one run has told so far: a row per step and a row per epoch (validation)."""

    def __init__(self) -> None:
        self.steps = Table(STEP_COLUMNS)
        self.epochs = Table(EPOCH_COLUMNS, block=256)
        self.notices: list[Notice] = []
        self.images_per_step = 1.0  # what counts in a batch are out of
        self.val_images = 1.0
        self.generation = 0  # counts how often something was forgotten
        self._at_gamma: list[list[Mapping[str, Any]]] = []  # of each epoch, where its PGN serves a range
        self._shown_gamma: float | None = None
        self._gamma_seen = 0
        self._gamma_changes: list[float] = []

    def clear(self) -> None:
        self._forget()
        self.steps.clear()
        self.epochs.clear()
        self._at_gamma.clear()
        self.notices.clear()

    def keep_until(self, step: int) -> None:
        """Forget what comes after `step`: a run that goes on from there tells it anew."""
        if not step:
            self.clear()
        self._forget()
        self.steps.keep_until("step", step)
        self.epochs.keep_until("step", step)
        del self._at_gamma[len(self.epochs) :]
        self.notices = [notice for notice in self.notices if notice.step <= step]

    def _forget(self) -> None:
        self.generation += 1
        self._gamma_seen = 0
        self._gamma_changes = []

    def add_steps(self, events: Sequence[StepCompleted]) -> None:
        self.steps.append([{**vars(event), "images": self.images_per_step} for event in events])

    def add_epoch(self, event: EpochCompleted) -> None:
        self._add_epoch(vars(event), [vars(one) for one in event.at_gamma])

    def _add_epoch(self, told: Mapping[str, Any], at_gamma: Sequence[Mapping[str, Any]]) -> None:
        self.epochs.append([told])
        self._at_gamma.append([one for one in at_gamma if _number(one.get("gamma")) > 0])
        self._show_nearest(len(self.epochs) - 1)

    def show_gamma(self, gamma: float) -> None:
        """Validation at the measured γ nearest to this one, of all epochs, where there are several."""
        self._shown_gamma = gamma
        for number in range(len(self.epochs)):
            self._show_nearest(number)

    def _show_nearest(self, number: int) -> None:
        gamma, measured = self._shown_gamma, self._at_gamma[number]
        if gamma is not None and gamma > 0 and measured:
            self.epochs.put(number, min(measured, key=lambda one: abs(math.log(one["gamma"] / gamma))))

    def add_notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    def replay(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Fill from the lines of a metrics.jsonl."""
        self.clear()
        rows: list[Mapping[str, Any]] = []
        for line in lines:
            if line.get("event") == "RunStarted":  # again where the run went on, maybe with another batch
                images, steps, val = (
                    _number(line.get(name)) for name in ("train_images", "steps_per_epoch", "val_images")
                )
                if images > 0 and steps > 0 and val > 0:  # False for NaN
                    self.describe(images=images, steps=steps, val=val)
            elif line.get("event") == "StepCompleted":
                rows.append({**line, "images": self.images_per_step})
        self.steps.append(rows)
        for line in lines:
            if line.get("event") == "EpochCompleted":
                self._add_epoch(line, _tables(line.get("at_gamma")))
        self.notices += [_notice(line) for line in lines if line.get("event") == "Notice"]

    def describe(self, *, images: float, steps: float, val: float) -> None:
        """What the counts are out of from now on: `images` in `steps` steps, `val` at an epoch's end."""
        self.images_per_step = max(1.0, images / max(1, steps))
        self.val_images = max(1.0, float(val))

    def gamma_changes(self) -> FloatArray:
        """The steps that were the first with another γ."""
        if self._gamma_seen < len(self.steps):
            start = max(0, self._gamma_seen - 1)  # a change is between two rows
            stop = len(self.steps)
            gamma, step = (self.steps.between(name, start, stop) for name in ("gamma", "step"))
            self._gamma_changes += step[1:][gamma[1:] != gamma[:-1]].tolist()
            self._gamma_seen = len(self.steps)
        return np.array(self._gamma_changes, dtype=np.float64)

    def epochs_of(self, steps: FloatArray) -> FloatArray:
        """Where `steps` lie on an axis of epochs, on which epoch 2 reaches from 1.5 to 2.5."""
        known, epochs = self.steps.column("step"), self.steps.column("epoch")
        if not len(known):
            return np.zeros(len(steps))
        index = np.clip(np.searchsorted(known, steps), 0, len(known) - 1)
        first = np.searchsorted(epochs, epochs[index], side="left")
        length = np.searchsorted(epochs, epochs[index], side="right") - first
        before = first - np.searchsorted(epochs, epochs[np.maximum(first - 1, 0)], side="left")
        whole = np.maximum(1.0, np.maximum(length, before))  # the newest epoch may be under way
        fractions: FloatArray = epochs[index] - 0.5 + (index - first) / whole
        return fractions


def means_per_epoch(history: RunHistory, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The epochs and the mean over each one's steps; `values` has one for each step."""
    epochs = history.steps.column("epoch")
    if not len(epochs):
        return epochs, values
    numbers, starts, counts = np.unique(epochs, return_index=True, return_counts=True)
    means: FloatArray = np.add.reduceat(np.nan_to_num(values), starts) / counts
    return numbers, means


def holding(notices: Sequence[Notice]) -> list[Notice]:
    """Those that ask for something and have not passed, in the order in which they started."""
    found: dict[str, Notice] = {}
    for notice in notices:
        found.pop(notice.code, None)
        if notice.level in ("warning", "severe"):
            found[notice.code] = notice
    return list(found.values())


def _tables(value: Any) -> list[Mapping[str, Any]]:
    """What of a list are tables; a damaged file may hold anything."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _number(value: Any) -> float:
    """What a line of metrics.jsonl says, as a float; NaN where it says nothing of use."""
    try:
        return float(value) if isinstance(value, (int, float)) else math.nan
    except OverflowError:
        return math.nan


def _notice(line: Mapping[str, Any]) -> Notice:
    """From a line of metrics.jsonl; runs of older versions have no levels."""
    code, message, hint = (str(line.get(name) or "") for name in ("code", "message", "hint"))
    levels: dict[Any, NoticeLevel] = {level: level for level in get_args(NoticeLevel)}
    older: NoticeLevel = "info" if code == "blending" else "warning"
    step = _number(line.get("step"))
    level = levels.get(str(line.get("level")), older)
    return Notice(int(step) if math.isfinite(step) else 0, code, message, hint, level)


def smoothed(values: FloatArray, window: int) -> FloatArray:
    """The mean over the last `window` values (fewer at the start), as float64 of the same length."""
    if window <= 1 or len(values) < 2:
        return values
    finite = np.nan_to_num(values)
    sums = np.cumsum(finite)
    result = sums.copy()
    result[window:] -= sums[:-window]
    counts = np.minimum(np.arange(1, len(values) + 1), window)
    means: FloatArray = result / counts
    return means
