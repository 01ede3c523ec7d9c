"""The runs as a table model that is sorted by any column and filtered by words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)

from pgn_studio.core.run_records import RunRecord
from pgn_studio.gui.pages.setup.cards import shortened

Index = QModelIndex | QPersistentModelIndex
SORT_ROLE = int(Qt.ItemDataRole.UserRole)
RECORD_ROLE = SORT_ROLE + 1
_NOTHING = QModelIndex()
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


@dataclass(frozen=True)
class Column:
    """`key` is what is sorted by, None where unknown; `text` what is shown of it, or `whole` of the run."""

    title: str
    key: Callable[[RunRecord], Any]
    text: Callable[[Any], str] = str
    tip: str = ""
    number: bool = False
    whole: Callable[[RunRecord], str] | None = None


def _setting(name: str) -> Callable[[RunRecord], Any]:
    return lambda record: record.settings.get(name)


def _figure(name: str) -> Callable[[RunRecord], Any]:
    return lambda record: record.figures.get(name)


def _change(record: RunRecord) -> float | None:
    clean, perturbed = (record.figures.get(name) for name in ("clean_accuracy", "perturbed_accuracy_8bit"))
    return None if clean is None or perturbed is None else perturbed - clean


def _file_name(value: str) -> str:
    return shortened(Path(value).name or value, 30)


def _date(value: datetime) -> str:
    return f"{value.astimezone():%Y-%m-%d %H:%M}"


def _short(value: float) -> str:
    return f"{value:g}"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _rms(value: float) -> str:
    return f"{value:.4f}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


_KEPT = "on validation, of the PGN that the run kept"
_ROUNDED = f"after 8-bit rounding, {_KEPT}; empty where it was not recorded"
COLUMNS = (
    Column("Name", lambda record: record.name),
    Column("Created", lambda record: record.summary.created, _date),
    Column("Status", lambda record: record.summary.status),
    Column(
        "γ",
        lambda record: record.gamma,
        _short,
        "Weight of the L2 term. For a range the figures are at its middle.",
        number=True,
        whole=lambda record: record.gamma_text,
    ),
    Column(
        "Perturbed %",
        _figure("perturbed_accuracy_8bit"),
        _percent,
        f"Accuracy of perturbed images after 8-bit rounding, {_KEPT}",
        number=True,
    ),
    Column("Change", _change, _points, "Perturbed minus clean, in points", number=True),
    Column("Clean %", _figure("clean_accuracy"), _percent, f"Without perturbation, {_KEPT}", number=True),
    Column("RMS", _figure("rms_mean"), _rms, f"Root mean square {_KEPT}", number=True),
    Column("Fixed", _figure("fixed_8bit"), tip=f"Misclassified → correct, {_ROUNDED}", number=True),
    Column("Broken", _figure("broken_8bit"), tip=f"Correct → misclassified, {_ROUNDED}", number=True),
    Column("Epoch", _figure("epoch"), tip="The epoch whose PGN was kept", number=True),
    Column("Tags", lambda record: ", ".join(record.annotations.tags)),
    Column("Data set", _setting("dataset"), _file_name),
    Column("Classifier", _setting("classifier"), _file_name),
    Column("Problem", _setting("problem")),
    Column("Discriminator", _setting("discriminator")),
    Column("Encoder", _setting("encoder")),
)


class RunsModel(QAbstractTableModel):
    """One row for each run. Rows do not change: the list is read anew."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.records: list[RunRecord] = []

    def show_records(self, records: Sequence[RunRecord]) -> None:
        self.beginResetModel()
        self.records = list(records)
        self.endResetModel()

    def rowCount(self, parent: Index = _NOTHING) -> int:
        return 0 if parent.isValid() else len(self.records)

    def columnCount(self, parent: Index = _NOTHING) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        record, column = self.records[index.row()], COLUMNS[index.column()]
        if role == RECORD_ROLE:
            return record
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column.number else _LEFT
        if role == Qt.ItemDataRole.ToolTipRole:
            return record.summary.damage or record.annotations.notes or str(record.path)
        if role in (SORT_ROLE, Qt.ItemDataRole.DisplayRole):
            value = column.key(record)
            if role == SORT_ROLE:
                return value
            if column.whole is not None:
                return column.whole(record)
            return "" if value is None else column.text(value)
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation is Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return COLUMNS[section].title
            if role == Qt.ItemDataRole.ToolTipRole:
                return COLUMNS[section].tip or None
        return None


class FilteredRuns(QSortFilterProxyModel):
    """Those that match the query; what is unknown is sorted last in both directions."""

    def __init__(self, model: RunsModel, parent: QObject) -> None:
        super().__init__(parent)
        self._model = model
        self._query = ""
        self.setSourceModel(model)
        self.setSortRole(SORT_ROLE)

    def set_query(self, query: str) -> None:
        self._query = query
        self.invalidate()

    def record(self, row: int) -> RunRecord:
        """Of a row as it is shown."""
        return self._model.records[self.mapToSource(self.index(row, 0)).row()]

    def row_of(self, path: Path) -> int:
        """The shown row of a run; -1 where it is not shown."""
        rows = range(self.rowCount())
        return next((row for row in rows if self.record(row).path == path), -1)

    def filterAcceptsRow(self, source_row: int, _parent: Index) -> bool:
        return self._model.records[source_row].matches(self._query)

    def lessThan(self, source_left: Index, source_right: Index) -> bool:
        left, right = (index.data(SORT_ROLE) for index in (source_left, source_right))
        if left is None or right is None:
            ascending = self.sortOrder() is Qt.SortOrder.AscendingOrder
            return (right is None) == ascending and left is not right
        if isinstance(left, str):
            return left.casefold() < str(right).casefold()
        return bool(left < right)
