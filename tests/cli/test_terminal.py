"""Progress without a terminal: plain lines, at most one a second."""

from __future__ import annotations

import pytest

from pgn_studio.cli import terminal
from pgn_studio.cli.signals import Interruption
from pgn_studio.core.errors import Canceled


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_throttle_lets_one_through_a_second() -> None:
    clock = Clock()
    throttle = terminal.Throttle(clock)
    passed = []
    for tick in range(40):
        clock.now = tick / 10
        if throttle.ready():
            passed.append(clock.now)
    assert passed == [1.0, 2.0, 3.0]


def test_quick_work_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.progress("Reading", Interruption()) as report:
        for done in range(100):
            report(done, 100)
    assert capsys.readouterr() == ("", "")


def test_long_work_prints_plain_lines_to_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "SECONDS_BETWEEN_LINES", 0.0)
    with terminal.progress("Reading", Interruption()) as report:
        report(3, 10)
        report(7, 0)
    assert capsys.readouterr() == ("", "Reading: 3 of 10\nReading: 7\n")


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "is_live", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with terminal.progress("Reading", Interruption()) as report:
        report(3, 10)
    assert "3/10" in capsys.readouterr().err


def test_progress_cancels_once_the_user_asked() -> None:
    stop = Interruption()
    with terminal.progress("Reading", stop) as report:
        report(1, 2)
        stop.asked = True
        with pytest.raises(Canceled):
            report(2, 2)


def test_live_line_says_the_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(terminal, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr("time.monotonic", clock)
    with terminal.LiveLine() as line:
        line.show(10, 100, "epoch 1/2", "loss 1")
        clock.now = 30.0
        line.show(40, 100, "epoch 1/2", "loss 1")
        line.note("[brackets] stay")
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1/2  step 10/100  loss 1",
        "epoch 1/2  step 40/100  loss 1  1:00 left",
        "[brackets] stay",
    ]
