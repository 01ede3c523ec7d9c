"""The γ dial of a PGN that serves a range, with its frontier."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from pgn_studio.core.gamma import GammaRange
from pgn_studio.gui.pages.inspect.gamma_frontier import GammaFrontier
from pgn_studio.gui.pages.inspect.gamma_measuring import GammaMeasuring
from pgn_studio.gui.pages.inspect.subject import Subject
from pgn_studio.gui.widgets.gamma_dial import GammaDial

_BAR_PX = 70


class GammaPanel(QWidget):
    """`turned`: by the dial or along the frontier. Hidden where the PGN has one γ alone."""

    turned = Signal(float)

    def __init__(self, measuring: GammaMeasuring, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gamma_panel")
        self._measuring = measuring
        self._subject: Subject | None = None
        self.dial = GammaDial("inspection_gamma", GammaRange(0.3, 30.0), self)
        self.frontier = GammaFrontier(self)
        self.bar = QProgressBar(self)
        self.bar.setObjectName("gamma_progress")
        self.bar.setAccessibleName("Progress of measuring the split at this gamma")
        self.bar.setFixedWidth(_BAR_PX)
        self.bar.setTextVisible(False)
        self.measure_button = QPushButton("Measure", self)
        self.measure_button.setObjectName("measure_gamma_button")
        self.measure_button.setToolTip("Ask the black box about every image at this γ")
        caption = QLabel("γ", self)
        line = QHBoxLayout()
        line.addWidget(caption)
        line.addWidget(self.dial, 1)
        line.addWidget(self.bar)
        line.addWidget(self.measure_button)
        size = self.bar.sizePolicy()
        size.setRetainSizeWhenHidden(True)  # else the slider would jump below the pointer
        self.bar.setSizePolicy(size)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 0)
        column.setSpacing(2)
        column.addLayout(line)
        column.addWidget(self.frontier, 1)
        self.dial.turned.connect(self._turn)
        self.frontier.dragged.connect(self.dial.turn)
        self.measure_button.clicked.connect(measuring.measure)
        measuring.changed.connect(self._refresh)
        measuring.progressed.connect(self._advance)
        self.show_subject(None)

    def show_subject(self, subject: Subject | None) -> None:
        self._subject = subject
        gammas = None if subject is None else subject.gammas
        if subject is not None and gammas is not None:
            self.dial.set_range(gammas)
            self.dial.set_gamma(subject.pgn.gamma)
            count = len(subject.split)
            self.measure_button.setText(f"Measure: up to {count:,} queries")
            self._refresh()
        self.setVisible(gammas is not None)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._measuring.watch(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._measuring.watch(False)

    @Slot(float)
    def _turn(self, gamma: float) -> None:
        self.frontier.show_gamma(gamma)
        self.turned.emit(gamma)

    @Slot()
    def _refresh(self) -> None:
        if self._subject is None or self._subject.gammas is None:
            return
        measuring, dial = self._measuring, self.dial
        self.bar.setVisible(measuring.measures_wanted)
        if not measuring.measures_wanted:
            self.bar.setRange(0, 0)
        idle = not (measuring.wanted_is_known or measuring.measures_wanted)
        self.measure_button.setVisible(measuring.asks_first and idle)
        positions = [dial.gamma_at(number) for number in range(dial.steps + 1)]
        self.frontier.show_curve(measuring.places, positions, dial.gamma)

    @Slot(int, int)
    def _advance(self, done: int, total: int) -> None:
        self.bar.setRange(0, total)
        self.bar.setValue(done)
