"""The plots of a run, redrawn one at a time so that no turn of the event loop is long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QToolButton,
    QWidget,
)

from pgn_studio.core.gamma import GammaRange
from pgn_studio.core.training.plots import PLOTS
from pgn_studio.gui.plots.legend import LegendSwitch
from pgn_studio.gui.plots.overlays import GammaOverlay
from pgn_studio.gui.plots.series import ComparedRun, Look
from pgn_studio.gui.plots.series_plot import SeriesPlot
from pgn_studio.gui.theme import current_theme, icon
from pgn_studio.gui.training.history import RunHistory

TURN_MS = 60  # between two plots: each is redrawn about four times a second


class LivePlots(QWidget):
    """Those of PLOTS, that of L2 with γ. Dots are validation, lines are batches."""

    zoom_changed = Signal(bool)  # whether it is zoomed by hand

    def __init__(self, history: RunHistory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._history = history
        self._look = Look()
        self._compared: tuple[ComparedRun, ...] = ()
        self._zoomed = False
        self.by_name = {plot.name: SeriesPlot(plot, parent=self) for plot in PLOTS}
        self.plots = tuple(self.by_name.values())
        self.losses, self.l2 = self.by_name["losses"], self.by_name["l2"]
        self.gamma = GammaOverlay(self.l2.plot)
        self.gamma_switch = LegendSwitch("γ (right axis)", "gamma_switch", self.l2)
        self.gamma_switch.toggled.connect(self._show_gamma)
        self.l2.add_switch(self.gamma_switch)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        for index, plot in enumerate(self.plots):
            layout.addWidget(plot, index // 2, index % 2)
            plot.pointed.connect(self._point_all)
            plot.zoomed.connect(self._zoomed_by_hand)
            plot.reset_requested.connect(self.reset_zoom)
            if plot is not self.losses:
                plot.plot.setXLink(self.losses.plot)
        self._dirty: list[SeriesPlot] = []
        self._turn = QTimer(self)
        self._turn.setSingleShot(True)
        self._turn.setInterval(TURN_MS)
        self._turn.timeout.connect(self._draw_next)
        current_theme().changed.connect(self._recolor)
        self._recolor()

    @Slot()
    def refresh(self) -> None:
        """The history has changed: draw each plot in its turn, if they can be seen."""
        self._dirty += [plot for plot in self.plots if plot not in self._dirty]
        if self.isVisible() and not self._turn.isActive():
            self._turn.start()

    def show_range(self, gammas: GammaRange | None) -> None:
        """Steps are over all γ of this range, and validation is at one of them; None: γ has a course."""
        self.gamma.set_used(gammas is None)
        self.gamma_switch.setVisible(gammas is None)
        note = "" if gammas is None else f"all γ {gammas}"
        for plot in (plot for plot in self.plots if not plot.kind.has_validation):
            plot.set_note(note, note and f"Each image of a step has a γ of its own, drawn from {gammas}")

    def show_gamma(self, gamma: float | None) -> None:
        """The γ at which validation was measured; None where there is only one, or nothing measured."""
        note = "" if gamma is None else f"Validation at γ {gamma:g}"
        for plot in (plot for plot in self.plots if plot.kind.has_validation):
            plot.set_note(note, note and "Dots: the measured γ nearest to the dial. Lines: steps, over all γ")

    @Slot()
    def mark_notices(self) -> None:
        """The history's notices have changed, or where and how they are drawn."""
        notices = self._history.notices
        positions = [self._position(notice.step) for notice in notices]
        for plot in self.plots:
            plot.set_marks(notices, positions)

    @Slot(int)
    def point_to(self, step: int) -> None:
        self._point_all(self._position(step))

    @Slot(bool)
    def set_logarithmic(self, on: bool) -> None:
        for plot in self.plots:
            plot.set_logarithmic(on)
        self.refresh()

    @Slot(int)
    def set_smoothing(self, window: int) -> None:
        """Draw means over the last `window` steps."""
        self._set_look(replace(self._look, window=window))

    @Slot(bool)
    def set_per_epoch(self, on: bool) -> None:
        """Draw one mean for each epoch instead of the steps."""
        self._set_look(replace(self._look, per_epoch=on))
        self.mark_notices()
        self.reset_zoom()

    def compare(self, runs: Sequence[ComparedRun]) -> None:
        """Draw these runs beside the shown one."""
        self._compared = tuple(runs)
        self._draw_compared()
        self.reset_zoom()

    @Slot()
    def reset_zoom(self) -> None:
        """Show all there is, and follow it as it grows."""
        self._zoomed = False
        self._follow()
        for plot in self.plots:
            plot.plot.enableAutoRange(axis="y")
        self.zoom_changed.emit(False)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._turn.stop()

    def _position(self, step: int) -> float:
        if not self._look.per_epoch:
            return float(step)
        return float(self._history.epochs_of(np.array([float(step)]))[0])

    def _set_look(self, look: Look) -> None:
        self._look = look
        self._draw_compared()
        self.refresh()

    def _draw_compared(self) -> None:
        for plot in self.plots:
            plot.compare(self._compared, self._look)

    def _follow(self) -> None:
        """All plots' x range: from the first to the last of what is drawn."""
        name = "epoch" if self._look.per_epoch else "step"
        histories = (self._history, *(run.history for run in self._compared))
        ends = [history.steps.ends(name) for history in histories if len(history.steps)]
        if ends:
            first, last = min(first for first, _ in ends), max(last for _, last in ends)
            self.losses.plot.setXRange(first, max(last, first + 1), padding=0.02)

    @Slot(float)
    def _point_all(self, position: float) -> None:
        for plot in self.plots:
            plot.point_to(position)

    @Slot()
    def _zoomed_by_hand(self) -> None:
        self._zoomed = True
        self.zoom_changed.emit(True)

    @Slot(bool)
    def _show_gamma(self, shown: bool) -> None:
        self.gamma.curve.setVisible(shown)
        for plot in self.plots:
            plot.gamma_ticks.setVisible(shown)

    @Slot()
    def _draw_next(self) -> None:
        if not self._dirty:
            return
        plot = self._dirty.pop(0)
        if not plot.redraw(self._history, self._look):
            self._dirty.append(plot)
        if plot is self.losses and not self._zoomed:
            self._follow()
        if plot is self.l2:
            self.gamma.redraw(self._history, self._look)
        if self._dirty:
            self._turn.start()

    @Slot()
    def _recolor(self) -> None:
        colors = current_theme().colors
        for plot in self.plots:
            plot.set_colors(colors)
        self.gamma.set_colors(colors)
        self.gamma_switch.set_color(colors.marker)
        self.mark_notices()
        self.refresh()


class PlotBar(QWidget):
    """Steers the plots."""

    def __init__(self, plots: LivePlots, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.along = QComboBox(self)
        self.along.setObjectName("plot_axis")
        self.along.setAccessibleName("Plot along")
        self.along.addItems(["Per step", "Per epoch"])
        self.along.setToolTip("Every step or the mean of each epoch. Dots: validation split.")
        self.logarithmic = QCheckBox("Log scale", self)
        self.logarithmic.setObjectName("log_scale")
        self.logarithmic.setToolTip("Draw losses and L2 on a logarithmic scale")
        label = QLabel("S&moothing", self)
        self.smoothing = QSpinBox(self)
        self.smoothing.setObjectName("smoothing")
        self.smoothing.setAccessibleName("Smoothing in steps")
        self.smoothing.setRange(1, 500)
        self.smoothing.setValue(20)
        self.smoothing.setSuffix(" steps")
        self.smoothing.setToolTip("Lines are means over this many steps. Single steps are drawn faintly.")
        label.setBuddy(self.smoothing)
        self.reset = QToolButton(self)
        self.reset.setObjectName("reset_zoom")
        self.reset.setAccessibleName("Show all of the plots")
        self.reset.setToolTip("Show all of the plots (Ctrl+R, or double click a plot)")
        self.reset.setShortcut("Ctrl+R")
        self.reset.setEnabled(False)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.along, self.logarithmic, label, self.smoothing, self.reset):
            layout.addWidget(part)
        self._plots = plots
        self.along.currentIndexChanged.connect(self._choose_axis)
        self.logarithmic.toggled.connect(plots.set_logarithmic)
        self.smoothing.valueChanged.connect(plots.set_smoothing)
        self.reset.clicked.connect(plots.reset_zoom)
        plots.zoom_changed.connect(self.reset.setEnabled)
        current_theme().changed.connect(self._set_icon)
        self._set_icon()

    @Slot(int)
    def _choose_axis(self, index: int) -> None:
        self._plots.set_per_epoch(index == 1)
        self.smoothing.setEnabled(index == 0)  # a mean over the epoch needs no other

    @Slot()
    def _set_icon(self) -> None:
        self.reset.setIcon(icon("expand"))
