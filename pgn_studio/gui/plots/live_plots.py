"""The four plots of a run, redrawn one at a time so that no turn of the event loop is long."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from pgn_studio.gui.plots.gamma_axis import GammaOverlay
from pgn_studio.gui.plots.series_plot import COLUMNS, Series, SeriesPlot
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.training.history import RunHistory

TURN_MS = 60  # between two plots: each is redrawn about four times a second

LOSSES = (Series("L<sub>G</sub>", "first", "loss_g"), Series("L<sub>D</sub>", "second", "loss_d"))
L2 = (Series("mean p²", "first", "l2", smooth=False),)
FLIPS = (
    Series("fixed", "good", "fixed", "fixed", unit="count"),
    Series("broken", "bad", "broken", "broken", unit="count"),
)
ACCURACIES = (
    Series("clean", "first", "clean_accuracy", "clean_accuracy", unit="share"),
    Series("perturbed", "second", "perturbed_accuracy", "perturbed_accuracy", unit="share"),
)


class LivePlots(QWidget):
    """Losses; L2 with γ; fixed and broken; accuracies. Dots are validation, lines are batches."""

    def __init__(self, history: RunHistory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._history = history
        self._window = 20
        self.losses = SeriesPlot("losses", "Losses", LOSSES, logarithmic=True, parent=self)
        self.l2 = SeriesPlot("l2", "L2", L2, logarithmic=True, parent=self)
        self.flips = SeriesPlot("flips", "Fixed and broken, %", FLIPS, logarithmic=False, parent=self)
        self.accuracies = SeriesPlot("accuracy", "Accuracy, %", ACCURACIES, logarithmic=False, parent=self)
        self.plots = (self.losses, self.l2, self.flips, self.accuracies)
        self.gamma = GammaOverlay(self.l2.plot, COLUMNS)
        for plot in self.plots[1:]:
            plot.plot.setXLink(self.losses.plot)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        for index, plot in enumerate(self.plots):
            layout.addWidget(plot, index // 2, index % 2)
        self._dirty: list[SeriesPlot] = []
        self._turn = QTimer(self)
        self._turn.setSingleShot(True)
        self._turn.setInterval(TURN_MS)
        self._turn.timeout.connect(self._draw_next)
        theme = current_theme()
        theme.changed.connect(self._recolor)
        self._recolor()

    @Slot()
    def refresh(self) -> None:
        """The history has changed: draw each plot in its turn, if they can be seen."""
        self._dirty += [plot for plot in self.plots if plot not in self._dirty]
        if self.isVisible() and not self._turn.isActive():
            self._turn.start()

    @Slot()
    def mark_notices(self) -> None:
        """The history's notices have changed: few, so all are drawn anew."""
        for plot in self.plots:
            plot.set_marks(self._history.notices)

    @Slot(int)
    def point_to(self, step: int) -> None:
        for plot in self.plots:
            plot.point_to(step)

    @Slot(bool)
    def set_logarithmic(self, on: bool) -> None:
        for plot in self.plots:
            plot.set_logarithmic(on)
        self.refresh()

    @Slot(int)
    def set_smoothing(self, window: int) -> None:
        """Draw means over the last `window` steps."""
        self._window = window
        self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._turn.stop()

    @Slot()
    def _draw_next(self) -> None:
        if not self._dirty:
            return
        plot = self._dirty.pop(0)
        plot.redraw(self._history, window=self._window)
        if plot is self.l2:
            self.gamma.redraw(self._history)
        if self._dirty:
            self._turn.start()

    @Slot()
    def _recolor(self) -> None:
        colors = current_theme().colors
        for plot in self.plots:
            plot.set_colors(colors)
        self.gamma.set_colors(colors)
        self.l2.add_legend_entry("γ (right axis)", colors.marker)
        self.mark_notices()
        self.refresh()
