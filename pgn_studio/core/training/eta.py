"""How long a run still takes, said so that it does not jump."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

WINDOW = 400  # steps whose durations count
FEWEST = 5  # steps before anything is said: the first ones warm up
OWN = 20  # steps from which on an earlier session's durations are forgotten
STALL = 10.0  # times the median: no step counts for more, a disk may have slept
VALIDATION_SHARE = 0.5  # of a training step's time for as many images, before the first has been measured
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


class ETA:
    """Durations of steps and of what comes at an epoch's end, by a clock that stands while it pauses."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps: deque[float] = deque(maxlen=WINDOW)
        self._ends: deque[float] = deque(maxlen=5)
        self._earlier: list[float] = []  # steps of the session before
        self._last = clock()
        self._val_images, self._batch_size = 0, 1

    def begin(self, records: Iterable[Mapping[str, Any]], *, batch_size: int, val_images: int) -> None:
        """The first step follows. `records`: the metrics of a run that goes on, which start it right."""
        self._val_images, self._batch_size = val_images, batch_size
        self._steps.clear()
        rates = [_number(r.get("images_per_second")) for r in records if r.get("event") == "StepCompleted"]
        self._earlier = [batch_size / rate for rate in rates[-WINDOW:] if rate > 0]
        ends = [_number(r.get("validation_seconds")) for r in records if r.get("event") == "EpochCompleted"]
        self._ends = deque((end for end in ends if end > 0), maxlen=self._ends.maxlen)
        self._last = self._clock()

    def paused(self, seconds: float) -> None:
        """These count for no step."""
        self._last += seconds

    def step(self) -> None:
        """A step has ended, with all that belongs to it."""
        self._steps.append(self._lap())
        if len(self._steps) == OWN:
            self._earlier = []

    def epoch_end(self) -> None:
        """An epoch's validation and checkpoint are done."""
        self._ends.append(self._lap())

    def left(self, *, steps: int, epochs: int) -> float | None:
        """Seconds for so many more steps and ends of epochs; None while too little is known."""
        durations = np.array([*self._earlier, *self._steps])
        if len(durations) < FEWEST:
            return None
        typical = float(np.minimum(durations, STALL * np.median(durations)).mean())
        guess = VALIDATION_SHARE * typical * self._val_images / self._batch_size
        end = float(np.median(self._ends)) if self._ends else guess
        return steps * typical + epochs * end

    def _lap(self) -> float:
        now = self._clock()
        lap, self._last = max(0.0, now - self._last), now
        return lap


class ETAWords:
    """'about 12 min left': the figure stays until the estimate is clearly another one."""

    def __init__(self) -> None:
        self._shown: float | None = None

    def say(self, seconds: float | None) -> str:
        """Empty while nothing is known."""
        if seconds is None:
            self._shown = None
            return ""
        unit = _unit(seconds)
        if self._shown is None or _unit(self._shown) != unit or abs(seconds - self._shown) > 0.75 * unit:
            self._shown = unit * max(1, round(seconds / unit))
        return f"{_words(self._shown, seconds)} left"


def _unit(seconds: float) -> float:
    """What is rounded to: a minute, 5 minutes from half an hour on, 30 from 5 hours on."""
    if seconds < 30 * _MINUTE:
        return _MINUTE
    return 5 * _MINUTE if seconds < 5 * _HOUR else 30 * _MINUTE


def _words(shown: float, seconds: float) -> str:
    if seconds < 0.75 * _MINUTE:
        return "less than a minute"
    days, rest = divmod(shown, _DAY)
    hours, rest = divmod(rest, _HOUR)
    parts = [(days, "d"), (hours, "h"), (rest // _MINUTE, "min")]
    return "about " + " ".join(f"{count:.0f} {name}" for count, name in parts if count)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
