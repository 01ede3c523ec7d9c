"""A split at several γ of one PGN, measured in the background: the γ that is shown, then the frontier."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from pgn_studio.gui.pages.inspect.latest import LatestRequest
from pgn_studio.gui.pages.inspect.subject import Subject, same_gamma

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.along import AlongGamma
    from pgn_studio.core.evaluation.evaluate import Evaluation, Metrics
    from pgn_studio.core.protocols import Progress

DELAY_MS = 200  # whoever turns on does not wait for what is between
KEPT = 24  # evaluations: turning back to one of them is instant
FRONTIER = 5  # γ of the frontier


class GammaMeasuring(QObject):
    """Measures while it is watched; a black box, whose answers cost queries, only when told to."""

    measured = Signal(object)  # Evaluation at the wanted γ
    changed = Signal()  # what is known, or what is being measured
    progressed = Signal(int, int)
    failed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.places: dict[float, Metrics] = {}  # by γ
        self._subject: Subject | None = None
        self._along: AlongGamma | None = None
        self._known: OrderedDict[float, Evaluation] = OrderedDict()  # least recently used first
        self._wanted = 0.0
        self._doing: float | None = None
        self._told = False  # to ask a black box about the wanted γ
        self._watched = False
        self._gave_up = False  # something failed: the next turn tries again
        self._latest = LatestRequest(self, delay_ms=DELAY_MS)
        self._latest.succeeded.connect(self._keep)
        self._latest.failed.connect(self._give_up)
        self._latest.progressed.connect(self.progressed)

    @property
    def wanted_is_known(self) -> bool:
        return _key(self._wanted) in self._known

    @property
    def measures_wanted(self) -> bool:
        """Whether the γ that is shown is being measured now."""
        return self._doing is not None and same_gamma(self._doing, self._wanted)

    @property
    def asks_first(self) -> bool:
        return self._subject is not None and self._subject.classifier.queries is not None

    def set_subject(self, subject: Subject | None) -> None:
        """Forget what is known: it is of another PGN, classifier or split."""
        self._latest.cancel()
        self.places, self._doing, self._gave_up = {}, None, False
        self._known.clear()
        self._subject, self._along = subject, None
        if subject is not None and subject.gammas is not None:
            from pgn_studio.core.evaluation.along import AlongGamma

            self._along = AlongGamma(subject.pgn, subject.classifier, subject.split, subject.evaluation)
            self._wanted = subject.pgn.gamma
            self._remember(subject.evaluation)
        self._go_on()
        self.changed.emit()

    def watch(self, watched: bool) -> None:
        self._watched = watched
        self._go_on()

    def want(self, gamma: float) -> None:
        """Measure at this γ before anything else; `measured` follows, at once where it is known."""
        self._wanted, self._told, self._gave_up = gamma, False, False
        known = self._known.get(_key(gamma))
        if known is not None:
            self._known.move_to_end(_key(gamma))
            self.measured.emit(known)
        self._go_on()
        self.changed.emit()

    @Slot()
    def measure(self) -> None:
        """A black box, too."""
        self._told = True
        self._go_on()
        self.changed.emit()

    def _next(self) -> float | None:
        """What is to be measured now, if anything."""
        if self._subject is None or self._along is None or self._gave_up:
            return None
        if not self.wanted_is_known:
            return self._wanted if self._told or not self.asks_first else None
        if not self._watched or self.asks_first or self._subject.gammas is None:
            return None
        missing = (gamma for gamma in self._subject.gammas.spaced(FRONTIER) if _key(gamma) not in self.places)
        return next(missing, None)

    def _go_on(self) -> None:
        gamma = self._next()
        if gamma == self._doing:
            return
        self._doing = gamma
        if gamma is None or self._along is None:
            self._latest.cancel()
        else:
            self._latest.request(partial(_measure, self._along, gamma))

    def _keep(self, evaluation: Evaluation) -> None:
        self._doing = None
        gamma = self._remember(evaluation)
        if same_gamma(gamma, self._wanted):
            self.measured.emit(evaluation)
        self._go_on()
        self.changed.emit()

    def _remember(self, evaluation: Evaluation) -> float:
        gamma = float(evaluation.facts["gamma"])
        self.places[_key(gamma)] = evaluation.metrics
        self._known[_key(gamma)] = evaluation
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return gamma

    def _give_up(self, error: Exception) -> None:
        self._doing, self._gave_up = None, True
        self.failed.emit(error)
        self.changed.emit()


def _key(gamma: float) -> float:
    return float(f"{gamma:.6g}")


def _measure(along: AlongGamma, gamma: float, progress: Progress) -> Evaluation:
    return along.measure(gamma, progress)
