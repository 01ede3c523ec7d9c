"""The tour's steps on the bundled demo, and when it is offered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QScrollArea, QWidget

from pgn_studio.gui.tour.mark import TourCard

if TYPE_CHECKING:
    from pgn_studio.gui.main_window import MainWindow
    from pgn_studio.gui.pages.setup.panel import SetupPanel
    from pgn_studio.gui.preferences import Preferences


@dataclass(frozen=True)
class Step:
    """`find` gives the widget that is meant; `page` the number of its tab, None where any will do."""

    title: str
    text: str
    find: Callable[[MainWindow], QWidget]
    page: int | None = None


def _child(name: str) -> Callable[[MainWindow], QWidget]:
    def find(window: MainWindow) -> QWidget:
        found = window.findChild(QWidget, name)
        return found if isinstance(found, QWidget) else window.tabs

    return find


TRAIN, INSPECT = 0, 1
STEPS = (
    Step(
        "Images",
        "The demo brings 1,797 handwritten digits. Choose another data set here, or drop a folder of "
        "images anywhere on the window.",
        lambda window: _setup(window).data,
    ),
    Step(
        "A frozen classifier",
        "It is never changed. The demo's misses some of the digits: the images are to be changed a "
        "little, so that it is right more often.",
        lambda window: _setup(window).classifier,
    ),
    Step(
        "Train",
        "Start trains a network that makes these small changes, a perturbation generation network (PGN). "
        "The plots on this page follow it live.",
        _child("start_button"),
        TRAIN,
    ),
    Step(
        "γ: how strong",
        "A larger γ keeps the changes smaller. One PGN serves a whole range: turn the dial while a run is "
        "under way, or later in Inspect, and see what another γ does.",
        lambda window: _setup(window).gamma,
        TRAIN,
    ),
    Step(
        "What was fixed, what broke",
        "Every test image with what the classifier says before and after. The buttons above choose the "
        "fixed or the broken ones; click an image to see what was added to it.",
        _child("gallery"),
        INSPECT,
    ),
    Step(
        "Take it with you",
        "Figures, tables, images and the model itself; each can be copied as a command, too. Ctrl+K finds "
        "every command, ? lists the keys, and Help has this tour again.",
        _child("export-figure"),
        INSPECT,
    ),
)


class Tour(QObject):
    """Six marks, not modal. Observation once it was ended, in whatever way."""

    shown = Signal(int)  # a step's number, from 0
    ended = Signal()

    def __init__(self, window: MainWindow, state: Preferences) -> None:
        super().__init__(window)
        self._window, self._state = window, state
        self._number = -1
        self.card = TourCard(window)
        self.card.on.connect(self._on)
        self.card.back.connect(self._back)
        self.card.ended.connect(self.end)

    @property
    def active(self) -> bool:
        return self._number >= 0

    def offer(self) -> None:
        """At the first start: begin, unless somebody has seen it."""
        if not self._state.tour_seen:
            self.start()

    @Slot()
    def start(self) -> None:
        """From the first step, on the demo where nothing else is there to be inspected."""
        studio = self._window.studio
        if studio is None:
            return
        if not studio.inspection.split_name and not studio.workspace.busy and not studio.session.active:
            studio.open_demo()
        self._show(0)

    @Slot()
    def end(self) -> None:
        if self.active:
            self._number = -1
            self.card.leave()
            self._state.tour_seen = True
            self.ended.emit()

    @Slot()
    def _on(self) -> None:
        if self._number + 1 == len(STEPS):
            self.end()
        elif self.active:
            self._show(self._number + 1)

    @Slot()
    def _back(self) -> None:
        if self._number > 0:
            self._show(self._number - 1)

    def _show(self, number: int) -> None:
        self._number = number
        step = STEPS[number]
        if step.page is not None:
            self._window.tabs.setCurrentIndex(step.page)
        target = step.find(self._window)
        self._window.show_setup(of=target)
        _scroll_to(target)
        self.card.point_at(target, step.title, step.text, number + 1, len(STEPS))
        self.shown.emit(number)


def _setup(window: MainWindow) -> SetupPanel:
    assert window.studio is not None
    return window.studio.setup


def _scroll_to(target: QWidget) -> None:
    above = target.parentWidget()
    while above is not None:
        if isinstance(above, QScrollArea):
            above.ensureWidgetVisible(target)
        above = above.parentWidget()
