"""A table of rows that sorts by what its cells hold, not by their texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Slot,
)
from PySide6.QtWidgets import QAbstractItemView, QTableView, QWidget

from pgn_studio.gui.theme import current_theme

SORT_ROLE = Qt.ItemDataRole.UserRole + 1
AnyIndex = QModelIndex | QPersistentModelIndex
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """`field` of each row under `head`, as `text` writes it."""

    head: str
    field: str
    text: Callable[[Any], str] = str


class RowModel(QAbstractTableModel):
    """The first column stands left, numbers right; a value of None is sorted below all others."""

    def __init__(self, columns: Sequence[Column], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.columns = tuple(columns)
        self.rows: list[Row] = []

    def show_rows(self, rows: Sequence[Row]) -> None:
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def rowCount(self, parent: AnyIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: AnyIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        said = role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole)
        shown = said and orientation == Qt.Orientation.Horizontal
        return self.columns[section].head if shown else None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        column = self.columns[index.column()]
        value = self.rows[index.row()][column.field]
        if role == SORT_ROLE:
            return -1.0 if value is None else value
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return column.text(value)
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() and not isinstance(value, str):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None


class RowTable(QTableView):
    """In the order in which the rows came, until a head is clicked."""

    def __init__(self, columns: Sequence[Column], parent: QWidget) -> None:
        super().__init__(parent)
        self.rows = RowModel(columns, self)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self.rows)
        self._sorted.setSortRole(SORT_ROLE)
        self.setModel(self._sorted)
        self.setSortingEnabled(True)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideRight)  # its tooltip has all of it
        self._whole = 0
        current_theme().changed.connect(self._fit)
        self._fit()

    def show_whole(self, rows: int) -> None:
        """As high as so many rows, whatever the size of texts."""
        self._whole = rows
        self.rows.modelReset.connect(self._fit_width)
        self._fit()

    @Slot()
    def _fit(self) -> None:
        height = self.fontMetrics().height() + 8
        self.verticalHeader().setDefaultSectionSize(height)
        if self._whole:
            header = self.horizontalHeader().sizeHint().height()
            self.setFixedHeight(self._whole * height + header + 2 * self.frameWidth() + 2)
            self._fit_width()

    @Slot()
    def _fit_width(self) -> None:
        """A scroll bar would hide the last row."""
        header = self.horizontalHeader()
        columns = range(header.count())
        widths = (max(header.sectionSizeHint(n), self.sizeHintForColumn(n)) for n in columns)
        self.setMinimumWidth(sum(widths) + 2 * self.frameWidth())

    def row_of(self, index: QModelIndex) -> Row:
        """The row behind a cell of the view."""
        return self.rows.rows[self._sorted.mapToSource(index).row()]

    @property
    def chosen(self) -> Row | None:
        """The selected row."""
        found = self.selectionModel().selectedRows()
        return self.row_of(found[0]) if found else None

    def choose(self, number: int) -> None:
        """Select the row that came as this one; its place may be another."""
        index = self._sorted.mapFromSource(self.rows.index(number, 0))
        self.setCurrentIndex(index)
        self.selectRow(index.row())


def interval(low: float | None, high: float | None) -> str:
    """As "90.1 – 93.2 %"; nothing where there is none."""
    return "" if low is None or high is None else f"{100 * low:.1f} – {100 * high:.1f} %"


def count(value: int) -> str:
    return f"{value:,}"
