"""Live control of a run: γ, the preview's samples, pause and stop, each taking effect at a step boundary."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace

from pgn_studio.core.errors import ConfigError
from pgn_studio.core.gamma import GammaRange
from pgn_studio.core.training.samples import SampleChoice


@dataclass(frozen=True)
class LiveSettings:
    """The values that may change while a run goes on; read once per step, as one value."""

    gamma: float
    samples: SampleChoice = SampleChoice()


class TrainingControl:
    """Shared by the trainer's thread and whoever steers it. All methods are thread-safe.

    γ is what is learned for, or, where the run serves the range `gammas`, what is shown.
    """

    def __init__(
        self, *, gamma: float, gammas: GammaRange | None = None, samples: SampleChoice | None = None
    ) -> None:
        self._changed = threading.Condition()
        self._gammas = gammas
        self._live = LiveSettings(self._checked(gamma), samples or SampleChoice())
        self._paused = False
        self._stopping = False

    def set(self, *, gamma: float) -> None:
        """Use `gamma` from the next step on. Raises ConfigError unless finite, >= 0, in the run's range."""
        checked = self._checked(gamma)
        with self._changed:
            self._live = replace(self._live, gamma=checked)
            self._changed.notify_all()

    def show(self, samples: SampleChoice) -> None:
        """Preview these from the next step on; while paused at once."""
        with self._changed:
            self._live = replace(self._live, samples=samples)
            self._changed.notify_all()

    @property
    def live(self) -> LiveSettings:
        with self._changed:
            return self._live

    def pause(self) -> None:
        with self._changed:
            self._paused = True

    def resume(self) -> None:
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def stop(self) -> None:
        """Stop at the next step boundary and keep what was learned; also wakes a paused run."""
        with self._changed:
            self._stopping, self._paused = True, False
            self._changed.notify_all()

    @property
    def paused(self) -> bool:
        return self._paused

    @property
    def stopping(self) -> bool:
        return self._stopping

    def wait_while_paused(self, *, showing: SampleChoice | None = None, at: float | None = None) -> None:
        """Block while paused; given what is being shown, only until other samples or γ are wished for."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    not self._paused
                    or showing not in (None, self._live.samples)
                    or (self._gammas is not None and at not in (None, self._live.gamma))
                )
            )

    def _checked(self, gamma: float) -> float:
        if not math.isfinite(gamma) or gamma < 0:
            raise ConfigError(f"gamma must be a finite number of at least 0, got {gamma!r}.")
        return float(gamma) if self._gammas is None else self._gammas.check(gamma)
