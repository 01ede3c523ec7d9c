"""Live control of a run: γ, pause and stop, each taking effect at a step boundary."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace

from pgn_studio.core.errors import ConfigError


@dataclass(frozen=True)
class LiveSettings:
    """The values that may change while a run goes on; read once per step, as one value."""

    gamma: float


class TrainingControl:
    """Shared by the trainer's thread and whoever steers it. All methods are thread-safe."""

    def __init__(self, *, gamma: float) -> None:
        self._lock = threading.Lock()
        self._live = LiveSettings(gamma=_checked_gamma(gamma))
        self._running = threading.Event()
        self._running.set()
        self._stopping = threading.Event()

    def set(self, *, gamma: float) -> None:
        """Use `gamma` from the next step on. Raises ConfigError unless finite and >= 0."""
        checked = _checked_gamma(gamma)
        with self._lock:
            self._live = replace(self._live, gamma=checked)

    @property
    def live(self) -> LiveSettings:
        with self._lock:
            return self._live

    def pause(self) -> None:
        self._running.clear()

    def resume(self) -> None:
        self._running.set()

    def stop(self) -> None:
        """Stop at the next step boundary and keep what was learned; also wakes a paused run."""
        self._stopping.set()
        self._running.set()

    @property
    def paused(self) -> bool:
        return not self._running.is_set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def wait_while_paused(self) -> None:
        """Block while paused; returns at once when running or stopping."""
        self._running.wait()


def _checked_gamma(gamma: float) -> float:
    if not math.isfinite(gamma) or gamma < 0:
        raise ConfigError(f"gamma must be a finite number of at least 0, got {gamma!r}.")
    return float(gamma)
