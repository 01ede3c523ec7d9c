"""The normalization doctor's findings: a row for each way to normalize, and the one to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QHeaderView, QLabel, QPushButton, QVBoxLayout, QWidget

from pgn_studio.core.amounts import percent
from pgn_studio.gui.widgets.row_table import Column, RowTable, interval

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.normalization_check import Diagnosis

COLUMNS = (
    Column("Normalization", "title"),
    Column("Accuracy", "accuracy", percent),
    Column("95 % interval", "interval"),
    Column("Mean", "mean"),
    Column("Std", "std"),
    Column("Order", "order"),
)


class TrialsPanel(QWidget):
    """Hidden until there is a diagnosis. `use_requested` carries the chosen row's Normalization."""

    use_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.verdict = QLabel(self)
        self.verdict.setObjectName("doctor_verdict")
        self.verdict.setWordWrap(True)
        self.verdict.setTextFormat(Qt.TextFormat.PlainText)
        self.verdict.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.table = RowTable(COLUMNS, self)
        self.table.setObjectName("doctor_table")
        self.table.setAccessibleName("Accuracy under each normalization")
        self.table.setToolTip("The same images under each normalization")
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        self.use_button = QPushButton("Us&e this", self)
        self.use_button.setObjectName("use_normalization_button")
        self.use_button.setProperty("role", "primary")
        self.use_button.setToolTip("Reload the classifier with the normalization of the chosen row")
        close = QPushButton("Close", self)
        close.setObjectName("close_doctor_button")
        close.setToolTip("Close the table")
        row = QHBoxLayout()
        row.addWidget(self.verdict, 1)
        row.addWidget(self.use_button)
        row.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.table, 1)
        self.use_button.clicked.connect(self._use)
        close.clicked.connect(self.hide)
        self.table.selectionModel().selectionChanged.connect(self._chosen)
        self.table.rows.modelReset.connect(self._chosen)
        self.hide()

    def show_diagnosis(self, diagnosis: Diagnosis) -> None:
        """The better one is chosen, if there is one; else the classifier's own."""
        self.verdict.setText(diagnosis.verdict)
        rows = []
        for trial in diagnosis.trials:
            how, found = trial.normalization, trial.accuracy
            rows.append(
                {
                    "title": trial.title,
                    "accuracy": found.value,
                    "interval": interval(found.low, found.high),
                    "mean": " ".join(f"{value:.4g}" for value in how.mean),
                    "std": " ".join(f"{value:.4g}" for value in how.std),
                    "order": how.channels.upper(),
                    "trial": trial,
                }
            )
        self.table.rows.show_rows(rows)
        self.table.choose(diagnosis.trials.index(diagnosis.better or diagnosis.own))
        self.show()

    @Slot()
    def _chosen(self) -> None:
        row = self.table.chosen
        self.use_button.setEnabled(row is not None and not row["trial"].own)

    @Slot()
    def _use(self) -> None:
        row = self.table.chosen
        if row is not None:
            self.use_requested.emit(row["trial"].normalization)
