"""Ctrl+C and the scheduler's SIGTERM: the first stops and keeps, the second aborts."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_NOTE = b"\npgn-studio: stopping at the next step; what there is will be kept (again to abort)\n"


class Interruption:
    """While entered, the first signal sets `asked` and calls `on_ask`; the second raises KeyboardInterrupt.

    Only the main thread may enter it. `exit_code` is the shell's for the signal that came: 130 for
    Ctrl+C, 143 for SIGTERM.
    """

    def __init__(self) -> None:
        self.asked = False
        self.exit_code = 0
        self.on_ask: Callable[[], None] | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.exit_code = 128 + number
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        os.write(2, _NOTE)  # not print: the signal may have come in the middle of one
        if self.on_ask is not None:
            self.on_ask()
