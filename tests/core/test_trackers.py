"""A tracker hears a run from its start to its end; one that fails never stops it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pgn_studio.core.trackers import Tracked, Tracker
from pgn_studio.core.training.events import (
    Event,
    GammaChanged,
    Notice,
    Preparing,
    RunFailed,
    RunFinished,
    RunStarted,
)
from pgn_studio.plugins import plugins

END = RunFailed(3, "run", "no more", "", "")


def started(step: int) -> RunStarted:
    return RunStarted("run", step, 40, 10, 4, "cpu", "fp32", 640, 100, 0.9, 0.95)


class Remembering(Tracker):
    def __init__(self, fails_in: str = "") -> None:
        self.heard: list[Any] = []
        self._fails_in = fails_in

    def _hear(self, what: str, value: Any) -> None:
        if what == self._fails_in:
            raise OSError("no server")
        self.heard.append((what, value))

    def start(self, run_json: Mapping[str, Any]) -> None:
        self._hear("start", run_json)

    def log(self, event: Event) -> None:
        self._hear("log", event)

    def finish(self, ending: RunFinished | RunFailed) -> None:
        self._hear("finish", ending)


EVENTS: list[Event] = [
    Preparing(1, 2),
    started(0),
    GammaChanged(step=1, gamma=2.0),
    started(1),
    GammaChanged(step=2, gamma=3.0),
    END,
]


def told_to(tracker: Tracker) -> list[Event]:
    passed_on: list[Event] = []
    sink = Tracked("mine", tracker, passed_on.append, lambda: {"seed": 5})
    for event in EVENTS:
        sink(event)
    return passed_on


def test_it_starts_once_and_hears_all_that_follows() -> None:
    tracker = Remembering()
    assert told_to(tracker) == EVENTS
    assert tracker.heard[0] == ("start", {"seed": 5})
    assert [value for what, value in tracker.heard if what == "log"] == EVENTS[1:-1]
    assert tracker.heard[-1] == ("finish", END)


@pytest.mark.parametrize("where", ["start", "log", "finish"])
def test_one_that_fails_costs_one_notice(where: str) -> None:
    tracker = Remembering(where)
    passed_on = told_to(tracker)
    assert [event for event in passed_on if not isinstance(event, Notice)] == EVENTS
    (notice,) = (event for event in passed_on if isinstance(event, Notice))
    assert "mine" in notice.message
    assert "no server" in notice.message


def test_no_plugins_are_installed_here() -> None:
    assert plugins() == []
