"""The Data page: counts, samples and skipped files of what is loaded; asks whether images may be mirrored."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QIcon, QImage, QPixmap, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListView,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.gui.operations import Operation, run_in_background
from pgn_studio.gui.pages.setup.cards import shortened
from pgn_studio.gui.plots.plot_widget import QuietPlot
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.widgets.row_table import Column, RowTable, count

if TYPE_CHECKING:
    from pgn_studio.core.data.dataset import ImageDataset, Split


SAMPLES = 60
TILE_PX = 72
MOST_NAMES = 30  # class names under the bars, in so many letters: more would run into each other
MOST_LETTERS = 50
LEAST_LETTERS = 5  # of a name that is cut
MOST_SKIPPED = 5000
_SPLITS = (("train", "first"), ("val", "good"), ("test", "second"))
_BAR = 0.27
COLUMNS = (
    Column("Class", "class"),
    *(Column(name.capitalize(), name, count) for name, _ in _SPLITS),
    Column("All", "all", count),
)


class DataPage(QWidget):
    """Follows the data set that is loaded; images are decoded in the background."""

    failed = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("data_page")
        self._dataset: ImageDataset | None = None
        self._reading: Operation | None = None
        self.summary = QLabel("No data set is loaded yet.", self)
        self.summary.setObjectName("data_summary")
        self.summary.setTextFormat(Qt.TextFormat.PlainText)
        self.summary.setWordWrap(True)
        self.split = QComboBox(self)
        self.split.setObjectName("sample_split")
        self.split.setAccessibleName("Split of the samples")
        self.split.setToolTip("Which images the samples below are drawn from")
        self.split.addItems([name for name, _ in _SPLITS])
        self.notices = QLabel(self)
        self.notices.setObjectName("data_notices")
        self.notices.setAccessibleName("Notices of loading")
        self.notices.setTextFormat(Qt.TextFormat.PlainText)
        self.notices.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.notices.setWordWrap(True)
        self.notices.hide()
        self.key = QLabel(self)
        self.plot = QuietPlot(self)
        self.plot.setAccessibleName("Images of each class, by split")
        self.bars = [pg.BarGraphItem(x=[], height=[], width=_BAR) for _ in _SPLITS]
        for bars in self.bars:
            self.plot.addItem(bars)
        self.plot.setLimits(yMin=0)  # bars stand on the axis
        self.plot.reset_requested.connect(self._show_all)
        self.classes = RowTable(COLUMNS, self)
        self.classes.setObjectName("class_counts")
        self.classes.setAccessibleName("Images of each class, by split, as a table")
        self.classes.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.classes.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # names often differ at their ends
        self.classes.setWordWrap(False)  # would cut them at the end after all
        self.classes.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._images = QStandardItemModel(self)
        self.samples = QListView(self)
        self.samples.setObjectName("sample_grid")
        self.samples.setAccessibleName("Samples")
        self.samples.setModel(self._images)
        self.samples.setViewMode(QListView.ViewMode.IconMode)
        self.samples.setResizeMode(QListView.ResizeMode.Adjust)
        self.samples.setMovement(QListView.Movement.Static)
        self.samples.setUniformItemSizes(True)
        self.samples.setIconSize(QSize(TILE_PX, TILE_PX))
        self.samples.setGridSize(QSize(TILE_PX + 20, TILE_PX + 26))
        self.samples.setViewportMargins(0, 6, 0, 0)
        self.samples.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._files = QStandardItemModel(0, 2, self)
        self._files.setHorizontalHeaderLabels(["Skipped file", "Reason"])
        self.skipped = QTableView(self)
        self.skipped.setObjectName("skipped_files")
        self.skipped.setAccessibleName("Skipped files")
        self.skipped.setModel(self._files)
        self.skipped.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.skipped.verticalHeader().hide()
        self.skipped.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.skipped.horizontalHeader().setStretchLastSection(True)
        self.skipped.setMaximumHeight(150)
        self.skipped.hide()
        self._lay_out()
        self.split.currentIndexChanged.connect(self._read_samples)
        current_theme().changed.connect(self._recolor)
        self._recolor()

    @Slot(object)
    def show_dataset(self, dataset: ImageDataset) -> None:
        self._dataset = dataset
        counts = ", ".join(f"{len(dataset.split(name)):,} {name}" for name, _ in _SPLITS)
        self.summary.setText(
            f"{dataset.name}: {len(dataset.classes):,} classes, {dataset.image_size} px; {counts}; "
            f"{len(dataset.skipped):,} files skipped"
        )
        self.summary.setToolTip(dataset.root)
        self.notices.setText("\n".join(dataset.notices))
        self.notices.setVisible(bool(dataset.notices))
        self._draw_counts(dataset)
        self._files.setRowCount(0)
        for item in dataset.skipped[:MOST_SKIPPED]:
            self._files.appendRow([QStandardItem(item.path), QStandardItem(item.reason)])
        self.skipped.setVisible(bool(dataset.skipped))
        self._read_samples()

    def add_question(self, question: QWidget) -> None:
        """Below the summary."""
        self._column.insertWidget(1, question)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.summary, 1)
        row.addWidget(self.key)
        row.addSpacing(24)  # the key belongs to the bars, what follows to the images below them
        row.addWidget(QLabel("Samples of", self))
        row.addWidget(self.split)
        layout = self._column = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        counts = QSplitter(self)
        counts.setChildrenCollapsible(False)
        counts.addWidget(self.plot)
        counts.addWidget(self.classes)
        counts.setSizes([3000, 2000])  # shares
        layout.addLayout(row)
        layout.addWidget(self.notices)
        layout.addWidget(counts, 2)
        layout.addWidget(self.samples, 3)
        layout.addWidget(self.skipped)

    def _draw_counts(self, dataset: ImageDataset) -> None:
        classes = len(dataset.classes)
        counts = dataset.class_counts()
        for offset, bars in enumerate(self.bars):
            bars.setOpts(x=np.arange(classes) + (offset - 1) * _BAR, height=counts[:, offset])
        self.classes.rows.show_rows(
            [
                {"class": name, "train": train, "val": val, "test": test, "all": train + val + test}
                for name, (train, val, test) in zip(dataset.classes, counts.tolist(), strict=True)
            ]
        )
        letters = MOST_LETTERS // classes
        fit = letters >= LEAST_LETTERS or max(map(len, dataset.classes)) <= letters
        names = [(number, shortened(name, letters)) for number, name in enumerate(dataset.classes)]
        self.plot.getAxis("bottom").setTicks([names] if fit and classes <= MOST_NAMES else None)
        self._show_all()

    @Slot()
    def _show_all(self) -> None:
        """Whole bars; pyqtgraph's own fit leaves room below them."""
        self.plot.autoRange()
        tallest = max(float(np.max(bars.opts["height"], initial=1)) for bars in self.bars)
        self.plot.setYRange(0, tallest * 1.05, padding=0)

    @Slot()
    def _read_samples(self) -> None:
        if self._dataset is None:
            return
        if self._reading is not None:
            self._reading.cancel()  # what it was reading is no longer wanted
        split = self._dataset.split(self.split.currentText())
        work = partial(_read, split, self._dataset.classes)
        self._reading = run_in_background(self, work, self._show_samples, self._failed)

    def _show_samples(self, samples: list[tuple[str, QImage]]) -> None:
        self._reading = None
        self._images.clear()
        for name, image in samples:
            item = QStandardItem(QIcon(QPixmap.fromImage(image)), name)
            item.setToolTip(name)
            self._images.appendRow(item)

    def _failed(self, error: Exception) -> None:
        self._reading = None
        self.failed.emit("The samples cannot be read", error)

    @Slot()
    def _recolor(self) -> None:
        colors = current_theme().colors
        self.plot.set_colors(colors)
        words = []
        for bars, (name, field) in zip(self.bars, _SPLITS, strict=True):
            color = getattr(colors, field)
            bars.setOpts(brush=color, pen=pg.mkPen(colors.background, width=1))
            words.append(f'<span style="color:{color}">■</span> {name}')
        self.key.setText("&nbsp;&nbsp;".join(words))


def _read(split: Split, classes: tuple[str, ...], _progress: Any) -> list[tuple[str, QImage]]:
    """Evenly spaced images with their classes' names, enlarged so that pixels stay pixels."""
    if not len(split):
        return []
    chosen = np.unique(np.linspace(0, len(split) - 1, SAMPLES).astype(np.int64))
    names = [classes[label] for label in split.labels[chosen]]
    return [(name, _tile(image)) for name, image in zip(names, split.images(chosen), strict=True)]


def _tile(image: Any) -> QImage:
    pixels = np.ascontiguousarray(image)
    height, width, _ = pixels.shape
    whole = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    how = Qt.TransformationMode.SmoothTransformation
    how = how if width > TILE_PX else Qt.TransformationMode.FastTransformation
    return whole.scaled(TILE_PX, TILE_PX, Qt.AspectRatioMode.KeepAspectRatio, how)


ANSWERS = (("not sure", None), ("yes", True), ("no", False))
_TOLD = (
    "Training mirrors half of the images. Answer no where a mirrored image shows another class, as with "
    "digits, letters, or left and right. Not sure: the images are mirrored. "
    "The answer applies from the next training on and is remembered for this folder."
)


class MirrorQuestion(QWidget):
    """Hidden where the data set says it itself; the answer is kept for its folder."""

    def __init__(self, preferences: Preferences, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self._folder = ""
        self.answer = QComboBox(self)
        self.answer.setObjectName("mirrored_answer")
        self.answer.setAccessibleName("A mirrored image keeps its class")
        self.answer.setToolTip(_TOLD)
        for text, keeps in ANSWERS:
            self.answer.addItem(text, keeps)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("A mirrored image keeps its class", self))
        row.addWidget(self.answer)
        row.addStretch(1)
        self.answer.activated.connect(self._keep)
        self.hide()

    @Slot(object)
    def show_dataset(self, dataset: ImageDataset) -> None:
        self._folder = dataset.root
        known = self._preferences.mirrored(self._folder)
        self.answer.setCurrentIndex([keeps for _, keeps in ANSWERS].index(known))
        self.setVisible(dataset.mirrorable is None)

    @Slot(int)
    def _keep(self, index: int) -> None:
        self._preferences.remember_mirrored(self._folder, ANSWERS[index][1])
