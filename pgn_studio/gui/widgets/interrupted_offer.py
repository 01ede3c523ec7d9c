"""Offers to go on with a run whose process died; stays out of the way."""

from __future__ import annotations

import html

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from pgn_studio.core.run_records import RunSummary


class InterruptedOffer(QFrame):
    """Hidden until `show_run`."""

    continue_wanted = Signal()
    show_wanted = Signal()
    declined = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("interrupted_offer")
        self.setProperty("card", True)
        self.run: RunSummary | None = None
        self.text = QLabel(self)
        self.text.setObjectName("interrupted_text")
        self.text.setWordWrap(True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 4, 6, 4)
        layout.addWidget(self.text, 1)
        go_on = self._button("Continue", "continue_interrupted", "Load what it needs and train on")
        show = self._button("Show", "show_interrupted", "Load what it needs and show its curves")
        later = self._button("Not now", "decline_interrupted", "Do not offer this run again; Runs lists it")
        go_on.setProperty("role", "primary")
        signals = (self.continue_wanted, self.show_wanted, self.declined)
        for button, signal in zip((go_on, show, later), signals, strict=True):
            layout.addWidget(button)
            button.clicked.connect(signal)
        self.hide()

    def show_run(self, run: RunSummary) -> None:
        self.run = run
        when = f"{run.created.astimezone():%Y-%m-%d %H:%M}"
        what = f"{run.problem}, {run.dataset}" if run.dataset else run.problem
        self.text.setText(
            f"<b>A run was interrupted: {html.escape(run.name)}.</b> Begun {when} ({html.escape(what)}). "
            "What it learned up to its last epoch is kept."
        )
        self.text.setToolTip(f"<p>{html.escape(str(run.path))}</p>")
        self.show()

    def _button(self, text: str, name: str, tip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setToolTip(tip)
        return button
