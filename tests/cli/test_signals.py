"""Ctrl+C: the first asks, the second aborts."""

from __future__ import annotations

import os
import signal

import pytest

from pgn_studio.cli.signals import Interruption


@pytest.mark.skipif(os.name == "nt", reason="signals to oneself work otherwise there")
def test_first_signal_asks_second_aborts() -> None:
    asked = []
    with Interruption() as stop:
        stop.on_ask = lambda: asked.append(True)
        signal.raise_signal(signal.SIGINT)
        assert stop.asked
        assert asked == [True]
        assert stop.exit_code == 130
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert asked == [True]


@pytest.mark.skipif(os.name == "nt", reason="signals to oneself work otherwise there")
def test_a_scheduler_may_ask_too() -> None:
    with Interruption() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked
        assert stop.exit_code == 143
