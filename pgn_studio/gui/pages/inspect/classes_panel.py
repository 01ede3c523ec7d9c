"""What became of each class: a table that sorts, and the confusion; both lead into the gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QHeaderView, QLabel, QSplitter, QVBoxLayout, QWidget

from pgn_studio.core.evaluation.selection import Outcome, Selection
from pgn_studio.gui.pages.inspect.confusion import ConfusionView, Side
from pgn_studio.gui.widgets.row_table import Column, RowTable, count, percent

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.evaluate import Evaluation

COLUMNS = (
    Column("Class", "class"),
    Column("n", "n", count),
    Column("Before", "clean_accuracy", percent),
    Column("After", "perturbed_accuracy", percent),
    Column("Change", "change", lambda value: f"{100 * value:+.1f}".replace("-", "−")),
    Column("Fixed", "fixed", count),
    Column("Broken", "broken", count),
)
HEADS = tuple(column.head for column in COLUMNS)
FIELDS = tuple(column.field for column in COLUMNS)
OUTCOMES = {"fixed": Outcome.FIXED, "broken": Outcome.BROKEN}


class ClassesPanel(QWidget):
    """`wanted` carries the Selection of the images behind what was clicked."""

    wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._evaluation: Evaluation | None = None
        self.table = RowTable(COLUMNS, self)
        self.confusion = ConfusionView(self)
        self._side = QComboBox(self)
        self._build()
        self.table.clicked.connect(self._table_clicked)
        self.table.activated.connect(self._table_clicked)
        self.confusion.chosen.connect(self._cell_clicked)
        self._side.currentIndexChanged.connect(self._show_confusion)

    @property
    def side(self) -> Side:
        return Side(self._side.currentText())

    def show_evaluation(self, evaluation: Evaluation | None) -> None:
        self._evaluation = evaluation
        rows = [] if evaluation is None else evaluation.per_class()
        for row in rows:
            row["change"] = row["perturbed_accuracy"] - row["clean_accuracy"]
        self.table.rows.show_rows(rows)
        self._show_confusion()

    def _build(self) -> None:
        self.table.setObjectName("class-table")
        self.table.setAccessibleName("Accuracy of each class")
        self.table.setToolTip("Click a row to see its images; Fixed and Broken show only those")
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)  # all seven fit, however narrow
        header.setMinimumSectionSize(40)
        self._side.setObjectName("confusion-side")
        self._side.setAccessibleName("Which confusion")
        self._side.setToolTip("Before or after the perturbation, or how the counts changed")
        for side in Side:
            self._side.addItem(side.value)
        self._side.setCurrentText(Side.AFTER.value)
        below = QWidget(self)
        column = QVBoxLayout(below)
        column.setContentsMargins(0, 0, 0, 0)
        line = QHBoxLayout()
        line.addWidget(QLabel("Confusion", below))
        line.addWidget(self._side)
        line.addStretch(1)
        column.addLayout(line)
        column.addWidget(self.confusion, 1)
        splitter = QSplitter(Qt.Orientation.Vertical, self)
        splitter.setObjectName("classes-splitter")
        splitter.addWidget(self.table)
        splitter.addWidget(below)
        splitter.setStretchFactor(0, 2)
        splitter.setStretchFactor(1, 3)
        splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(splitter)

    def _show_confusion(self) -> None:
        if self._evaluation is None:
            self.confusion.clear()
            return
        from pgn_studio.core.evaluation.metrics import confusion

        image, classes = self._evaluation.per_image, self._evaluation.classes
        before, after = (
            confusion(image.labels, said, len(classes))
            for said in (image.clean_prediction, image.perturbed_prediction)
        )
        counts = {Side.BEFORE: before, Side.AFTER: after, Side.CHANGE: after - before}[self.side]
        self.confusion.show_counts(counts, classes, self.side)

    def _table_clicked(self, index: QModelIndex) -> None:
        row = self.table.row_of(index)
        assert self._evaluation is not None
        label = self._evaluation.classes.index(row["class"])
        self.wanted.emit(Selection(label=label, outcome=OUTCOMES.get(FIELDS[index.column()])))

    def _cell_clicked(self, true: int, predicted: int) -> None:
        if self.side is Side.BEFORE:
            self.wanted.emit(Selection(label=true, before=predicted))
        else:
            self.wanted.emit(Selection(label=true, after=predicted))
