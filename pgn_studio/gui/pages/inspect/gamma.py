"""γ of a PGN that serves a range: measured in the background, shown as a dial and as a frontier."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QObject, QPointF, Qt, Signal, Slot
from PySide6.QtGui import QHideEvent, QMouseEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from pgn_studio.core.gamma import GammaRange
from pgn_studio.gui.operations import LatestRequest
from pgn_studio.gui.pages.inspect.subject import Subject, same_gamma
from pgn_studio.gui.plots.plot_widget import QuietPlot
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.widgets.gamma_control import GammaDial

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.along import AlongGamma
    from pgn_studio.core.evaluation.evaluate import Evaluation, Metrics
    from pgn_studio.core.protocols import Progress


MEASURE_DELAY_MS = 200  # whoever turns on does not wait for what is between
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
        self._latest = LatestRequest(self, delay_ms=MEASURE_DELAY_MS)
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


_POINT_PX, _SHOWN_PX = 7, 14
_ROOM = 0.15  # beside the points, of their span
_LEAST_POINTS = 4.0  # of accuracy that the axis spans before that
_EDGE = 1.0  # points beyond 0 and 100 %, for half of a dot
Floats = npt.NDArray[np.float64]


class GammaFrontier(QuietPlot):
    """Between two measured γ the curve is straight along log γ; a hollow point is not measured yet."""

    dragged = Signal(float)  # to this γ, one of the positions

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gamma_frontier")
        self.setAccessibleName("Frontier along gamma: accuracy against RMS; the dial moves the same point")
        self.setToolTip(
            "Accuracy after 8-bit rounding against RMS. Dashed: without perturbation. "
            "Drag the point along the curve to change γ"
        )
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the dial is for the keyboard
        self.getPlotItem().vb.setMouseEnabled(x=False, y=False)
        self.getAxis("bottom").enableAutoSIPrefix(False)
        self.setLabel("bottom", "RMS")
        self.setLabel("left", "%")
        self.getAxis("left").setWidth(54)
        self._gammas: Floats = np.empty(0)  # measured, rising
        self._rms: Floats = np.empty(0)
        self._accuracy: Floats = np.empty(0)
        self._positions: Floats = np.empty(0)  # γ to which the point can be dragged
        self._shown = 0.0
        self._dragging = False
        self.clean = pg.InfiniteLine(angle=0, movable=False)
        self.line = pg.PlotDataItem()
        self.points = pg.ScatterPlotItem()
        self.point = pg.ScatterPlotItem()
        for item in (self.clean, self.line, self.points, self.point):
            self.addItem(item, ignoreBounds=True)
        self._labels: list[pg.TextItem] = []
        current_theme().changed.connect(self._draw)

    def show_curve(self, places: Mapping[float, Metrics], positions: Sequence[float], shown: float) -> None:
        """What was measured by γ, and which γ is shown."""
        self._gammas = np.array(sorted(places), dtype=np.float64)
        measured = [places[gamma] for gamma in self._gammas.tolist()]
        self._rms = np.array([one.rms_mean for one in measured])
        self._accuracy = np.array([100 * one.perturbed_accuracy_8bit for one in measured])
        self._positions = np.array(positions, dtype=np.float64)
        self._shown = shown
        self.clean.setVisible(bool(measured))
        if measured:
            self.clean.setPos(100 * measured[0].clean_accuracy)
        self._draw()

    def show_gamma(self, gamma: float) -> None:
        """Move the point."""
        self._shown = gamma
        self._draw_point()

    def place_of(self, gamma: float) -> QPointF:
        """RMS and accuracy in percent; beyond what is measured those of the nearest end."""
        x, y = self._along(np.array([gamma]))
        return QPointF(float(x[0]), float(y[0]))

    def position_of(self, gamma: float) -> QPointF:
        """Where in the widget that is."""
        return QPointF(self.mapFromScene(self.getPlotItem().vb.mapViewToScene(self.place_of(gamma))))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._dragging = event.button() is Qt.MouseButton.LeftButton
        self._drag(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._drag(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._dragging = False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def _drag(self, event: QMouseEvent) -> None:
        if not self._dragging or len(self._gammas) < 2:
            return
        x, y = self._along(self._positions)
        box = self.getPlotItem().vb
        scale = box.viewPixelSize()  # of the plot's units, in one pixel
        here = box.mapSceneToView(self.mapToScene(event.position().toPoint()))
        distance = ((x - here.x()) / scale[0]) ** 2 + ((y - here.y()) / scale[1]) ** 2
        gamma = float(self._positions[int(distance.argmin())])
        if gamma != self._shown:
            self.show_gamma(gamma)
            self.dragged.emit(gamma)

    def _along(self, gammas: Floats) -> tuple[Floats, Floats]:
        logs, known = np.log(gammas), np.log(self._gammas)
        return np.interp(logs, known, self._rms), np.interp(logs, known, self._accuracy)

    @Slot()
    def _draw(self) -> None:
        colors = current_theme().colors
        self.set_colors(colors)
        line = self.fontMetrics().height()  # texts have other sizes from time to time
        self.getAxis("bottom").setHeight(2 * line + 6)
        self.setMinimumHeight(8 * line)
        self.clean.setPen(pg.mkPen(colors.muted, width=1, style=Qt.PenStyle.DashLine))
        self.line.setPen(pg.mkPen(colors.first, width=1))
        self.line.setData(self._rms, self._accuracy)
        self.points.setData(
            self._rms, self._accuracy, size=_POINT_PX, brush=colors.first, pen=pg.mkPen(colors.background)
        )
        for label in self._labels:
            self.removeItem(label)
        ends = sorted({0, len(self._gammas) - 1}) if len(self._gammas) else []
        self._labels = [self._label(number, colors.muted) for number in ends]
        self._fit()
        self._draw_point()

    def _label(self, number: int, color: str) -> pg.TextItem:
        label = pg.TextItem(f"γ {self._gammas[number]:g}", color=color, anchor=(0.5, 1.2))
        label.setPos(self._rms[number], self._accuracy[number])
        self.addItem(label, ignoreBounds=True)
        return label

    def _fit(self) -> None:
        """All points with room around them."""
        if not len(self._gammas):
            return
        low, high = float(self._rms.min()), float(self._rms.max())
        room = _ROOM * (high - low) or 0.5 * high or 0.01
        self.setXRange(max(0.0, low - room), high + room, padding=0)
        levels = [*self._accuracy.tolist(), float(self.clean.value())]
        room = 2 * _ROOM * max(max(levels) - min(levels), _LEAST_POINTS)
        self.setYRange(max(-_EDGE, min(levels) - room), max(levels) + 2 * room, padding=0)  # labels lie above

    def _draw_point(self) -> None:
        if not len(self._gammas):
            self.point.clear()
            return
        colors, place = current_theme().colors, self.place_of(self._shown)
        measured = bool(np.isclose(self._gammas, self._shown, rtol=1e-5, atol=0).any())
        self.point.setData(
            [place.x()],
            [place.y()],
            size=_SHOWN_PX,
            brush=colors.second if measured else colors.background,
            pen=pg.mkPen(colors.second, width=2),
        )


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
