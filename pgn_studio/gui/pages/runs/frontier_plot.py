"""The γ frontier: accuracy after 8-bit rounding against RMS, a point for each run, which opens its PGN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from pgn_studio.core.amounts import plural
from pgn_studio.core.run_records import RunRecord, frontier, has_figures, needs_log_axis
from pgn_studio.gui.pages.setup.cards import shortened
from pgn_studio.gui.theme import current_theme

MOST_LABELS = 40  # of γ beside points: more would hide each other
_ROOM, _ALONE = 0.12, 0.5  # beside the points: of their span; of the RMS of a single one
_LEAST_POINTS = 10.0  # of accuracy that the axis spans before that
_EDGE = 1.0  # points beyond 0 and 100 %, for half of a dot
_POINT_PX = 10
_CHOSEN_PX = 15


class FrontierPlot(QFrame):
    """Runs on the same images with the same classifier and problem as the one that is looked at."""

    opened = Signal(object)  # RunRecord, of the point that was clicked

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("frontier_plot")
        self.setAccessibleName("Frontier: accuracy against RMS; the table opens the same runs")
        self.setProperty("card", True)
        self.records: list[RunRecord] = []
        self._all: list[RunRecord] = []
        self._chosen: RunRecord | None = None
        self.caption = QLabel(self)
        self.caption.setObjectName("frontier_caption")
        self.caption.setTextFormat(Qt.TextFormat.RichText)
        self.caption.setWordWrap(True)
        self.plot = pg.PlotWidget(self)
        self.plot.setFrameShape(QFrame.Shape.NoFrame)
        self.plot.setAcceptDrops(False)
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.getAxis("bottom").enableAutoSIPrefix(False)
        self.plot.setLabel("bottom", "RMS of the perturbation")
        self.plot.setLabel("left", "after 8-bit rounding, %")
        self.line = pg.PlotDataItem()
        self.clean = pg.InfiniteLine(angle=0, movable=False)
        self.points = pg.ScatterPlotItem(hoverable=True, hoverSize=_CHOSEN_PX, tip=None)
        for item in (self.clean, self.line, self.points):
            self.plot.addItem(item)
        self._labels: list[pg.TextItem] = []
        self._curves: list[pg.PlotDataItem] = []  # of the runs that serve a range of γ
        self._logarithmic = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(2)
        layout.addWidget(self.caption)
        layout.addWidget(self.plot, 1)
        self.points.sigClicked.connect(self._clicked)
        self.points.sigHovered.connect(self._hovered)
        current_theme().changed.connect(self._draw)
        self._draw()

    def show_runs(self, records: Sequence[RunRecord], chosen: RunRecord | None) -> None:
        """Those of `records` that can be compared with `chosen`, or with the newest that has figures."""
        self._all = list(records)
        self._chosen = chosen
        self._draw()

    def place_of(self, record: RunRecord) -> QPointF:
        """Where a run's point lies, in the plot's own units."""
        x = float(record.figures["rms_mean"])
        accuracy = 100 * float(record.figures["perturbed_accuracy_8bit"])
        return QPointF(float(np.log10(x)) if self._logarithmic else x, accuracy)

    @Slot()
    def _draw(self) -> None:
        colors = current_theme().colors
        self.plot.setBackground(colors.background)
        for side in ("left", "bottom"):
            self.plot.getAxis(side).setPen(pg.mkPen(colors.muted, width=1))
            self.plot.getAxis(side).setTextPen(colors.muted)
        measured = [record for record in self._all if has_figures(record) and record.figures["rms_mean"] > 0]
        chosen = self._chosen if self._chosen in measured else None
        model = chosen or next(iter(measured), None)
        self.records = [record for record in measured if model and _family(record) == _family(model)]
        for label in self._labels:
            self.plot.removeItem(label)
        self._labels = []
        self.caption.setText(self._title(model))
        if model is None:
            self.points.clear()
            self._draw_curves()
            self.line.setData([], [])
            self.clean.hide()
            return
        sizes = [record.figures["rms_mean"] for record in self.records]
        sizes += [rms for record in self.records for rms, _ in record.along if rms > 0]
        self._logarithmic = needs_log_axis(sizes)
        self.plot.getAxis("bottom").setLogMode(x=self._logarithmic)
        self._draw_points(chosen)
        self._draw_curves()
        best = frontier(self.records, lower=model.settings.get("problem") == "adversarial")
        places = [self.place_of(record) for record in best]
        self.line.setData([place.x() for place in places], [place.y() for place in places])
        self.line.setPen(pg.mkPen(colors.first, width=1))
        self.clean.setPen(pg.mkPen(colors.muted, width=1, style=Qt.PenStyle.DashLine))
        self.clean.setPos(100 * float(model.figures.get("clean_accuracy") or 0.0))
        self.clean.show()
        levels = [100 * record.figures["perturbed_accuracy_8bit"] for record in self.records]
        self._fit(sizes, levels + [100 * level for record in self.records for _, level in record.along])

    def _fit(self, sizes: list[float], accuracies: list[float]) -> None:
        """All points with room around them, also one alone; no RMS below 0, no accuracy beyond 100 %."""
        low, high = np.log10([min(sizes), max(sizes)]) if self._logarithmic else (min(sizes), max(sizes))
        room = _ROOM * (high - low) or _ALONE * high
        self.plot.setLimits(xMin=None if self._logarithmic else 0.0, yMin=-_EDGE, yMax=100 + _EDGE)
        self.plot.setXRange(low - room if self._logarithmic else max(0.0, low - room), high + room, padding=0)
        levels = [*accuracies, float(self.clean.value())]
        room = _ROOM * max(max(levels) - min(levels), _LEAST_POINTS)
        bottom, top = max(-_EDGE, min(levels) - room), min(100 + _EDGE, max(levels) + room)
        self.plot.setYRange(bottom, top, padding=0)

    def _draw_points(self, chosen: RunRecord | None) -> None:
        colors = current_theme().colors
        spots = []
        for record in self.records:
            place, picked = self.place_of(record), record is chosen
            spots.append(
                {
                    "pos": (place.x(), place.y()),
                    "data": record,
                    "size": _CHOSEN_PX if picked else _POINT_PX,
                    "brush": colors.second if picked else colors.first,
                    "pen": pg.mkPen(colors.background, width=1),
                }
            )
            if record.gamma_text and len(self.records) <= MOST_LABELS:
                label = pg.TextItem(f"γ {record.gamma_text}", color=colors.muted, anchor=(-0.15, 0.9))
                label.setPos(place)
                self.plot.addItem(label, ignoreBounds=True)
                self._labels.append(label)
        self.points.setData(spots)

    def _draw_curves(self) -> None:
        """Of a PGN that serves a range of γ what it does from the largest to the smallest."""
        for curve in self._curves:
            self.plot.removeItem(curve)
        self._curves = []
        for record in self.records:
            places = [(rms, 100 * level) for rms, level in record.along if rms > 0]
            if len(places) > 1:
                x = [np.log10(rms) if self._logarithmic else rms for rms, _ in places]
                pen = pg.mkPen(current_theme().colors.muted, width=1)
                curve = pg.PlotDataItem(x, [level for _, level in places], pen=pen)
                curve.setZValue(-1)
                self.plot.addItem(curve, ignoreBounds=True)
                self._curves.append(curve)

    def _title(self, model: RunRecord | None) -> str:
        if model is None:
            return "<b>Frontier</b>&nbsp;&nbsp; No run in this folder has completed an epoch yet."
        dataset, classifier, problem = _family(model)
        count = plural(len(self.records), "run")
        names = " · ".join(shortened(_last(text), 24) for text in (dataset, classifier, problem))
        return f"<b>Frontier</b>&nbsp;&nbsp; {names} · {count}; dashed: clean. Click a point: open its PGN."

    @Slot(object, object, object)
    def _clicked(self, _item: Any, points: Sequence[Any], _event: Any = None) -> None:
        if len(points):
            self.opened.emit(points[0].data())

    @Slot(object, object, object)
    def _hovered(self, _item: Any, points: Sequence[Any], _event: Any = None) -> None:
        if not len(points):
            self.plot.setToolTip("")
            return
        record: RunRecord = points[0].data()
        figures = record.figures
        self.plot.setToolTip(
            f"<p>{record.name}<br>Epoch {figures.get('epoch')}, γ {record.gamma_text}, "
            f"RMS {figures['rms_mean']:.4f}, "
            f"{100 * figures['perturbed_accuracy_8bit']:.1f} % on validation after 8-bit rounding</p>"
        )


def _family(record: RunRecord) -> tuple[str, str, str]:
    """Only runs that agree in these can be compared in one plot."""
    known = record.settings
    return str(known.get("dataset", "")), str(known.get("classifier", "")), str(known.get("problem", ""))


def _last(text: str) -> str:
    return text.replace("\\", "/").rstrip("/").split("/")[-1]
