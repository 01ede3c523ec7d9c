"""What became of each class: a table that sorts, and the confusion; both lead into the gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.evaluation.selection import Outcome, Selection
from pgn_studio.gui.inspection.confusion import ConfusionView, Side

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.evaluate import Evaluation

HEADS = ("Class", "n", "Before", "After", "Change", "Fixed", "Broken")
FIELDS = ("class", "n", "clean_accuracy", "perturbed_accuracy", "change", "fixed", "broken")
OUTCOMES = {"fixed": Outcome.FIXED, "broken": Outcome.BROKEN}
SORT_ROLE = Qt.ItemDataRole.UserRole + 1
AnyIndex = QModelIndex | QPersistentModelIndex


class ClassTable(QAbstractTableModel):
    """One row for each class that has images."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[dict[str, Any]] = []

    def show_rows(self, rows: list[dict[str, Any]]) -> None:
        self.beginResetModel()
        self.rows = [{**row, "change": row["perturbed_accuracy"] - row["clean_accuracy"]} for row in rows]
        self.endResetModel()

    def rowCount(self, parent: AnyIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: AnyIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(HEADS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        shown = role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal
        return HEADS[section] if shown else None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        value = self.rows[index.row()][FIELDS[index.column()]]
        if role == SORT_ROLE:
            return value
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(FIELDS[index.column()], value)
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None


class ClassesPanel(QWidget):
    """`wanted` carries the Selection of the images behind what was clicked."""

    wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._evaluation: Evaluation | None = None
        self.model = ClassTable(self)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self.model)
        self._sorted.setSortRole(SORT_ROLE)
        self.table = QTableView(self)
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
        self.model.show_rows([] if evaluation is None else evaluation.per_class())
        self._show_confusion()

    def _build(self) -> None:
        self.table.setObjectName("class-table")
        self.table.setAccessibleName("Accuracy of each class")
        self.table.setToolTip("Click a row to see its images; Fixed and Broken show only those")
        self.table.setModel(self._sorted)
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)  # as the classes are numbered
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)  # all seven fit, however narrow
        header.setMinimumSectionSize(40)
        self.table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        self._side.setObjectName("confusion-side")
        self._side.setAccessibleName("Which confusion")
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
        row = self.model.rows[self._sorted.mapToSource(index).row()]
        assert self._evaluation is not None
        label = self._evaluation.classes.index(row["class"])
        self.wanted.emit(Selection(label=label, outcome=OUTCOMES.get(FIELDS[index.column()])))

    def _cell_clicked(self, true: int, predicted: int) -> None:
        if self.side is Side.BEFORE:
            self.wanted.emit(Selection(label=true, before=predicted))
        else:
            self.wanted.emit(Selection(label=true, after=predicted))


def _text(field: str, value: Any) -> str:
    if field in ("clean_accuracy", "perturbed_accuracy"):
        return f"{100 * value:.1f} %"
    if field == "change":
        return f"{100 * value:+.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
