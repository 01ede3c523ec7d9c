"""Trackers: what follows a run beside its own files, such as an experiment server. Imports no torch."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from pgn_studio.core.plugins import Registry
from pgn_studio.core.training.events import Event, EventSink, Notice, RunFailed, RunFinished, RunStarted

log = logging.getLogger(__name__)


class Tracker(ABC):
    """Is told what a run tells, in the run's own thread: it must not take long."""

    @abstractmethod
    def start(self, run_json: Mapping[str, Any]) -> None:
        """The run begins or goes on; `run_json` says its settings, data set, classifier and versions."""

    @abstractmethod
    def log(self, event: Event) -> None:
        """Every event after the start but the last one."""

    @abstractmethod
    def finish(self, ending: RunFinished | RunFailed) -> None:
        """The last call, whatever became of the run."""


TRACKERS: Registry[Tracker] = Registry("trackers", "pgn_studio.core.trackers:Tracker", {})


class Tracked:
    """An event sink that tells a tracker, too; one that fails costs a notice and is then left out."""

    def __init__(
        self, name: str, tracker: Tracker, sink: EventSink, run_json: Callable[[], Mapping[str, Any]]
    ) -> None:
        """`run_json` is asked when the run starts, once all is written there."""
        self._name, self._tracker, self._sink, self._run_json = name, tracker, sink, run_json
        self._started = self._failed = False

    def __call__(self, event: Event) -> None:
        if not self._failed:
            try:
                self._tell(event)
            except Exception as error:  # another's code may raise anything; the run goes on
                log.warning("tracker %s", self._name, exc_info=True)
                self._failed = True
                self._sink(self._notice(getattr(event, "step", 0), error))
        self._sink(event)

    def _tell(self, event: Event) -> None:
        if isinstance(event, RunStarted) and not self._started:
            self._started = True
            self._tracker.start(self._run_json())
        if not self._started:
            return
        if isinstance(event, RunFinished | RunFailed):
            self._tracker.finish(event)
        else:
            self._tracker.log(event)

    def _notice(self, step: int, error: Exception) -> Notice:
        return Notice(
            step,
            "tracker-failed",
            f"The tracker {self._name} failed and is left out from here on: {type(error).__name__}: {error}.",
            "The run itself goes on.",
        )
