"""What commands say: results to stdout, notes and progress to stderr.

On a terminal progress is a rich bar; elsewhere (a log, CI) plain lines, at most one a second.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Table

from pgn_studio.cli.signals import Interruption
from pgn_studio.core.amounts import duration
from pgn_studio.core.errors import Canceled
from pgn_studio.core.files import is_stdout, write_json

SECONDS_BETWEEN_LINES = 1.0


def result(text: str = "") -> None:
    """One line of the result, on stdout, never wrapped."""
    _console(stderr=False).print(text, soft_wrap=True)


def result_table(table: Table) -> None:
    """On a terminal as wide as it is; in a file wide enough that nothing is cut."""
    console = _console(stderr=False)
    if not console.is_terminal:
        console.width = 240
    console.print(table)


@contextmanager
def results_beside(json_file: Path | None) -> Iterator[None]:
    """Results, on stderr where the JSON goes to stdout: what reads that expects nothing else there."""
    if json_file is None or not is_stdout(json_file):
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def write_figures(json_file: Path | None, figures: Any) -> None:
    """Where a file was asked for, with a note that says so."""
    if json_file is not None:
        write_json(json_file.expanduser(), figures)
        note(f"Figures: {json_file}")


def note(text: str) -> None:
    """One line for the person at the terminal, on stderr."""
    error_console().print(text, soft_wrap=True)


def error_console() -> Console:
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    # Anew each time, since tests and pipes replace the streams.
    return Console(stderr=stderr, highlight=False, markup=False)


def is_live() -> bool:
    """Whether stderr is a terminal that can redraw a line."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class Throttle:
    """Lets one call through a second; the first only after a second, so that quick work stays silent."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def ready(self) -> bool:
        now = self._clock()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return False
        self._last = now
        return True


@contextmanager
def progress(what: str, stop: Interruption) -> Iterator[Callable[[int, int], None]]:
    """A core Progress callback, shown on stderr; raises Canceled once the user asked to stop."""
    with _shown(what) as show:

        def report(done: int, total: int) -> None:
            if stop.asked:
                raise Canceled
            show(done, total)

        yield report


@contextmanager
def _shown(what: str) -> Iterator[Callable[[int, int], None]]:
    if is_live():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with RichProgress(*columns, console=error_console(), transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total or None)
        return
    throttle = Throttle()

    def line(done: int, total: int) -> None:
        if done and throttle.ready():
            note(f"{what}: {done} of {total}" if total else f"{what}: {done}")

    yield line


class LiveLine:
    """One line about a running training: redrawn on a terminal, otherwise printed once a second."""

    def __init__(self) -> None:
        self._bar: RichProgress | None = None
        self._throttle = Throttle()
        self._started = time.monotonic()
        self._first: int | None = None

    def __enter__(self) -> LiveLine:
        if is_live():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=20),
                TextColumn("{task.fields[figures]}", markup=False),
            )
            self._bar = RichProgress(*columns, console=error_console(), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("", total=None, figures="")
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, step: int, total: int, where: str, figures: str, *, left: str | None = None) -> None:
        """`step` of `total` done; `where` stands before the bar and `figures` after it.

        `left`: how long it still takes, where somebody else knows better than by counting.
        """
        if self._first is None:
            self._first, self._started = step, time.monotonic()
        figures += self._left(step, total) if left is None else left
        if self._bar is not None:
            self._bar.update(self._task, completed=step, total=total, description=where, figures=figures)
        elif self._throttle.ready():
            note(f"{where}  step {step}/{total}  {figures}")

    def prepare(self, what: str, done: int, total: int) -> None:
        """`done` of `total` before the first step."""
        if self._bar is not None:
            figures = f"{done} of {total}"
            self._bar.update(self._task, completed=done, total=total, description=what, figures=figures)
        elif self._throttle.ready():
            note(f"{what}: {done} of {total}")

    def note(self, text: str) -> None:
        """A line that stays, above the live one."""
        if self._bar is None:
            note(text)
        else:
            self._bar.console.print(text)

    def _left(self, step: int, total: int) -> str:
        done = step - (self._first or 0)
        if done <= 0:
            return ""
        seconds = (time.monotonic() - self._started) / done * (total - step)
        return f"  {duration(seconds)} left"
