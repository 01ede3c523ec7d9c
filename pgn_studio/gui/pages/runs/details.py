"""What is known about one run, and what people write about it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QTimer, Signal, Slot
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFormLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.annotations import LONGEST_NAME, Annotations, parse_tags
from pgn_studio.core.run_records import RunRecord
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.widgets.settings_form import LABELS, label_of

SAVE_AFTER_MS = 800  # of quiet while notes are typed
_NOTES_HEIGHT_PX = 84


class RunDetails(QWidget):
    """Editors for name, tags and notes over the settings. Empty and disabled without a run."""

    edited = Signal(object, object)  # Path of the run, Annotations

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._record: RunRecord | None = None
        self.name = QLineEdit(self)
        self.name.setObjectName("run_name")
        self.name.setMaxLength(LONGEST_NAME)
        self.name.setToolTip("The name of the folder does not change")
        self.tags = QLineEdit(self)
        self.tags.setObjectName("run_tags")
        self.tags.setToolTip("Words to find the run by")
        self.tags.setPlaceholderText("Separated by commas")
        self.notes = QPlainTextEdit(self)
        self.notes.setObjectName("run_notes")
        self.notes.setToolTip("Saved in the run folder and found by the search")
        self.notes.setPlaceholderText("Purpose and outcome of this run")
        self.notes.setTabChangesFocus(True)
        self.notes.setFixedHeight(_NOTES_HEIGHT_PX)
        self.damage = QLabel(self)
        self.damage.setObjectName("run_damage")
        self.damage.setProperty("role", "error")
        self.damage.setWordWrap(True)
        self._settings = QStandardItemModel(0, 2, self)
        table = QTableView(self)
        table.setObjectName("run_settings")
        table.setAccessibleName("Settings of the run")
        table.setModel(self._settings)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setShowGrid(False)
        table.horizontalHeader().hide()
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        table.horizontalHeader().setStretchLastSection(True)
        table.verticalHeader().hide()
        form = QFormLayout()
        form.addRow("&Name", self.name)
        form.addRow("Ta&gs", self.tags)
        form.addRow("N&otes", self.notes)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addLayout(form)
        layout.addWidget(self.damage)
        layout.addWidget(table, 1)
        self._table = table
        current_theme().changed.connect(self._fit)
        self._fit()
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(SAVE_AFTER_MS)
        self._quiet.timeout.connect(self.save)
        self.notes.textChanged.connect(self._notes_changed)
        self.notes.installEventFilter(self)
        self.name.editingFinished.connect(self.save)
        self.tags.editingFinished.connect(self.save)
        self.show_record(None)

    @Slot()
    def _fit(self) -> None:
        """Rows and notes have room for the texts, whatever their size."""
        line = self._table.fontMetrics().height()
        self._table.verticalHeader().setDefaultSectionSize(line + 8)
        self.notes.setFixedHeight(max(_NOTES_HEIGHT_PX, 3 * line + 24))

    def show_record(self, record: RunRecord | None) -> None:
        """Show a run; what was typed for the one before is saved first."""
        self.save()
        if record and self._record and record.path == self._record.path:
            record = _annotated(record, self._record.annotations)  # what is being typed stays as it is
        else:
            self._show_annotations(record)
        self._record = record
        self.damage.setText(record.summary.damage if record else "")
        self.damage.setVisible(bool(record and record.summary.damage))
        self._settings.setRowCount(0)
        for name, value in (record.settings if record else {}).items():
            if value is not None:  # else left to the program
                text = str(record.gammas) if record and record.gammas and name == "gamma" else _text(value)
                row = [QStandardItem(label_of(name)), QStandardItem(text)]
                row[0].setToolTip(name)  # as the command line and run.json have it
                self._settings.appendRow(row)
        self.setEnabled(record is not None)

    def _show_annotations(self, record: RunRecord | None) -> None:
        annotations = record.annotations if record else Annotations()
        self.name.setText(annotations.name)
        self.name.setPlaceholderText(record.summary.name if record else "")
        self.tags.setText(", ".join(annotations.tags))
        self.notes.blockSignals(True)
        self.notes.setPlainText(annotations.notes)
        self.notes.blockSignals(False)

    @Slot()
    def save(self) -> None:
        """Tell what was changed, if anything was."""
        self._quiet.stop()
        if self._record is None:
            return
        typed = Annotations(self.name.text().strip(), parse_tags(self.tags.text()), self.notes.toPlainText())
        if typed != self._record.annotations:
            record, self._record = self._record, _annotated(self._record, typed)
            self.edited.emit(record.path, typed)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.notes and event.type() is QEvent.Type.FocusOut:
            self.save()
        return super().eventFilter(watched, event)

    @Slot()
    def _notes_changed(self) -> None:
        self._quiet.start()


def _annotated(record: RunRecord, annotations: Annotations) -> RunRecord:
    return RunRecord(record.summary, annotations, record.settings, record.figures)


def _text(value: object) -> str:
    """As the forms have it."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else LABELS.get(str(value), str(value))
