"""What the window tells: messages and refusals in the status bar, problems in a dialog, all in a log."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from pgn_studio.gui.dialogs.error import ErrorDialog, show_error
from pgn_studio.gui.wording import error_text

LOG_LINES = 2000


class Reporter(QObject):
    """Given to every part that has something to tell."""

    message = Signal(str)  # for the status bar
    refused = Signal(str)  # for the status bar, for a while

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.deferred: list[str] | None = None  # problems are collected here while a session is restored
        self.dialog: ErrorDialog | None = None
        self.log = QPlainTextEdit(window)
        self.log.setObjectName("messages")
        self.log.setAccessibleName("Messages")
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(LOG_LINES)

    @Slot(str)
    def say(self, text: str) -> None:
        self.message.emit(text)

    @Slot(str)
    def refuse(self, reason: str) -> None:
        """Why something was not done."""
        self.refused.emit(reason)

    @Slot(str, object)
    def show_problem(self, title: str, error: Exception) -> None:
        line = f"{title}: {error_text(error)}"
        self.write(line)
        if self.deferred is not None:
            self.deferred.append(line)
        else:
            self.dialog = show_error(self._window, title, error)

    def write(self, line: str) -> None:
        """To the log alone."""
        self.log.appendPlainText(f"{time.strftime('%H:%M:%S')}  {line}")
