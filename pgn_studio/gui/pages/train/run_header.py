"""What stands above the plots: the run that is shown, or the offer of one that was interrupted."""

from __future__ import annotations

import html

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from pgn_studio.core.run_records import RunSummary
from pgn_studio.gui.training.shown_run import ShownRun
from pgn_studio.gui.widgets.compact import ElidedLabel


class RunHeader(QWidget):
    """Hidden while nothing is shown."""

    def __init__(self, shown: ShownRun, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("run_header")
        self._shown = shown
        self.name = ElidedLabel(self)
        self.name.setObjectName("shown_run_name")
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        font = self.name.font()
        font.setBold(True)
        self.name.setFont(font)
        self.status = QLabel(self)
        self.status.setObjectName("shown_run_status")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.name, 1)
        layout.addWidget(self.status)
        shown.changed.connect(self._show)
        self._show()

    @Slot()
    def _show(self) -> None:
        now = self._shown.now
        self.name.setText(now.name)
        self.name.setToolTip(f"<p>{html.escape(self._shown.path or now.name)}</p>")
        self.status.setText(now.status.value if now.status else "PGN file without a run")
        self.setVisible(bool(now.name))


class InterruptedOffer(QFrame):
    """Hidden until `show_run`."""

    continue_requested = Signal()
    show_requested = Signal()
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
        go_on = self._button(
            "Continue", "continue_interrupted", "Load its data and classifier, then continue training"
        )
        show = self._button("Show", "show_interrupted", "Load its data and classifier, then show its curves")
        later = self._button(
            "Not now", "decline_interrupted", "Do not offer this run again. The Runs page lists it."
        )
        go_on.setProperty("role", "primary")
        signals = (self.continue_requested, self.show_requested, self.declined)
        for button, signal in zip((go_on, show, later), signals, strict=True):
            layout.addWidget(button)
            button.clicked.connect(signal)
        self.hide()

    def show_run(self, run: RunSummary) -> None:
        self.run = run
        when = f"{run.created.astimezone():%Y-%m-%d %H:%M}"
        what = f"{run.problem}, {run.dataset}" if run.dataset else run.problem
        self.text.setText(
            f"<b>A run was interrupted: {html.escape(run.name)}.</b> Started {when} ({html.escape(what)}). "
            "Its last complete epoch is saved."
        )
        self.text.setToolTip(f"<p>{html.escape(str(run.path))}</p>")
        self.show()

    def _button(self, text: str, name: str, tip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setToolTip(tip)
        return button
