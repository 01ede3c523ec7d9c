"""The controls above the plots: steps or epochs, logarithmic scale, smoothing, zoom."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QSpinBox, QToolButton, QWidget

from pgn_studio.gui.plots.live_plots import LivePlots
from pgn_studio.gui.theme import current_theme, icon


class PlotBar(QWidget):
    """Steers the four plots."""

    def __init__(self, plots: LivePlots, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.along = QComboBox(self)
        self.along.setObjectName("plot_axis")
        self.along.setAccessibleName("Plot along")
        self.along.addItems(["Per step", "Per epoch"])
        self.along.setToolTip("Every step, or the mean of each epoch; dots are the validation split")
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
        self.smoothing.setToolTip("Lines are means over this many steps; the steps lie faintly behind")
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
