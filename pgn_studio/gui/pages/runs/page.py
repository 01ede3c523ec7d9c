"""The Runs tab: table, search, what people wrote about a run, and the frontier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QFile, QItemSelectionModel, QPoint, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QAction, QDesktopServices, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QMessageBox,
    QPushButton,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.amounts import plural
from pgn_studio.core.annotations import Annotations, write_annotations
from pgn_studio.core.errors import PgnStudioError, RunError
from pgn_studio.core.paths import runs_folder
from pgn_studio.core.run_records import RunRecord, list_records
from pgn_studio.gui.operations import run_in_background
from pgn_studio.gui.pages.runs.details import RunDetails
from pgn_studio.gui.pages.runs.frontier_plot import FrontierPlot
from pgn_studio.gui.pages.runs.model import FilteredRuns, RunsModel

SEARCH_TIP = "Words in names, tags, notes; or settings: gamma=10, tag=paper, status=completed (Ctrl+F)"


class RunsPage(QWidget):
    """Reads the runs folder in the background whenever it is shown."""

    open_requested = Signal(object)  # Path
    compare_requested = Signal(list)  # list[RunRecord]
    failed = Signal(str, object)  # title, exception
    annotated = Signal()
    deleted = Signal(list)  # list[Path]

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runs_page")
        self.folder = runs_folder()
        self.active_folder = ""  # of the run that is under way: it cannot be deleted
        self.active_status = ""  # what this window knows of it beyond its run.json: "paused"
        self._reading = False
        self._again = False  # asked for while it was being read
        self.model = RunsModel(self)
        self.shown = FilteredRuns(self.model, self)
        self.search = QLineEdit(self)
        self.search.setObjectName("runs_search")
        self.search.setPlaceholderText("Search: words, gamma=10, tag=paper")
        self.search.setAccessibleName("Search runs")
        self.search.setToolTip(SEARCH_TIP)
        self.search.setClearButtonEnabled(True)
        self.count = QLabel(self)
        self.count.setObjectName("runs_count")
        self.count.setProperty("role", "muted")
        self.folder_button = QPushButton("Folder…", self)
        self.folder_button.setObjectName("runs_folder_button")
        self.table = self._table()
        self.details = RunDetails(self)
        self.frontier = FrontierPlot(self)
        self.actions_of_runs = self._make_actions()
        self._lay_out()
        self.search.textChanged.connect(self._search)
        self.folder_button.clicked.connect(self._choose_folder)
        self.table.activated.connect(self._open)
        self.table.customContextMenuRequested.connect(self._show_menu)
        self.table.selectionModel().selectionChanged.connect(self._selected)
        self.details.edited.connect(self._annotate)
        self.frontier.opened.connect(self._open_record)
        self._selected()

    def chosen(self) -> list[RunRecord]:
        """The selected runs, in the order in which they are shown."""
        rows = sorted(index.row() for index in self.table.selectionModel().selectedRows())
        return [self.shown.record(row) for row in rows]

    @Slot()
    def refresh(self) -> None:
        """Read the folder anew; the selection stays."""
        if self._reading:
            self._again = True
            return
        self._reading = True
        operation = run_in_background(self, partial(_read, self.folder), self._show, self._reading_failed)
        operation.finished.connect(self._read_ended)

    def show_folder(self, folder: Path) -> None:
        self.folder = folder
        self.folder_button.setToolTip(f"<p>Runs in {folder}<br>Click to choose another folder</p>")
        self.refresh()

    def select(self, path: Path) -> None:
        """Select one run; nothing where it is not shown."""
        row = self.shown.row_of(path)
        if row >= 0:
            self.table.selectRow(row)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.show_folder(self.folder)

    # ------------------------------------------------------------------ parts

    def _table(self) -> QTableView:
        table = QTableView(self)
        table.setObjectName("runs_table")
        table.setAccessibleName("Runs")
        table.setModel(self.shown)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        table.setAlternatingRowColors(True)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.verticalHeader().hide()
        table.horizontalHeader().setSectionsMovable(True)
        table.setSortingEnabled(True)
        table.sortByColumn(1, Qt.SortOrder.DescendingOrder)  # newest first
        return table

    def _make_actions(self) -> dict[str, QAction]:
        wanted: tuple[tuple[str, str, str, Callable[[], None]], ...] = (
            ("open", "Open", "", self._open),
            ("compare", "Compare curves", "", self._compare),
            ("rename", "Rename", "F2", self._rename),
            ("folder", "Show in file manager", "", self._open_folders),
            ("delete", "Delete…", "Del", self._ask_to_delete),
        )
        actions = {}
        for name, text, keys, slot in wanted:
            action = QAction(text, self)
            action.setObjectName(f"run_{name}")
            action.setShortcut(keys)
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.triggered.connect(slot)
            self.table.addAction(action)
            actions[name] = action
        return actions

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.search, 1)
        top.addWidget(self.count)
        for name in ("open", "compare", "rename", "folder", "delete"):
            top.addWidget(_button(self.actions_of_runs[name], self))
        top.addWidget(self.folder_button)
        lower = QSplitter(Qt.Orientation.Horizontal, self)
        lower.setObjectName("runs-lower-splitter")
        lower.addWidget(self.frontier)
        lower.addWidget(self.details)
        lower.setSizes([600, 340])
        both = QSplitter(Qt.Orientation.Vertical, self)
        both.setObjectName("runs-splitter")
        both.addWidget(self.table)
        both.addWidget(lower)
        both.setSizes([380, 340])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.addLayout(top)
        layout.addWidget(both, 1)

    # ------------------------------------------------------------------ reading

    def _show(self, records: list[RunRecord]) -> None:
        self.details.save()
        kept = [record.path for record in self.chosen()]
        records = [self._as_it_is(record) for record in records]
        first = not self.model.records
        self.model.show_records(records)
        selection = self.table.selectionModel()
        flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        for path in kept:
            row = self.shown.row_of(path)
            if row >= 0:
                selection.select(self.shown.index(row, 0), flags)
        if first:
            self.table.resizeColumnsToContents()
        self._selected()

    def _as_it_is(self, record: RunRecord) -> RunRecord:
        """run.json does not say that its run is paused."""
        if self.active_status and str(record.path) == self.active_folder:
            return replace(record, summary=replace(record.summary, status=self.active_status))
        return record

    def _reading_failed(self, error: Exception) -> None:
        self.failed.emit("The runs cannot be listed", error)

    @Slot()
    def _read_ended(self) -> None:
        self._reading = False
        if self._again:
            self._again = False
            self.refresh()

    @Slot(str)
    def _search(self, text: str) -> None:
        self.shown.set_query(text)
        self._selected()

    @Slot()
    def _selected(self) -> None:
        chosen = self.chosen()
        one = chosen[0] if len(chosen) == 1 else None
        self.details.show_record(one)
        shown = [self.shown.record(row) for row in range(self.shown.rowCount())]
        self.frontier.show_runs(shown, chosen[0] if chosen else None)
        total = len(self.model.records)
        runs = plural(total, "run")
        self.count.setText(f"{len(shown)} of {runs}" if len(shown) != total else runs)
        for name, action in self.actions_of_runs.items():
            action.setEnabled(bool(chosen) if name in ("compare", "folder", "delete") else one is not None)
        self.actions_of_runs["open"].setEnabled(one is not None and not one.summary.damage)

    # ------------------------------------------------------------------ what can be done with runs

    @Slot()
    def _open(self, *_: Any) -> None:
        for record in self.chosen()[:1]:
            self._open_record(record)

    @Slot(object)
    def _open_record(self, record: RunRecord) -> None:
        if record.summary.damage:
            self.failed.emit("This run cannot be opened", RunError(record.summary.damage))
        else:
            self.open_requested.emit(record.path)

    @Slot()
    def _compare(self) -> None:
        self.compare_requested.emit(self.chosen())

    @Slot()
    def _rename(self) -> None:
        self.details.name.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.details.name.selectAll()

    @Slot()
    def _open_folders(self) -> None:
        for record in self.chosen():
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(record.path)))

    @Slot()
    def _ask_to_delete(self) -> None:
        chosen = self.chosen()
        if any(str(record.path) == self.active_folder for record in chosen):
            error = RunError("One of these runs is being trained.", hint="Stop it first.")
            self.failed.emit("Delete runs", error)
            return
        what = chosen[0].name if len(chosen) == 1 else f"{len(chosen)} runs"
        box = QMessageBox(QMessageBox.Icon.Question, "Delete runs", f"Move {what} to the trash?", parent=self)
        box.setObjectName("delete_dialog")
        box.setInformativeText("The whole folder moves: PGNs, checkpoint, curves and notes.")
        move = box.addButton("Move to trash", QMessageBox.ButtonRole.DestructiveRole)
        move.setObjectName("move_to_trash_button")
        move.setAutoDefault(False)  # Return never deletes
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        move.clicked.connect(partial(self._delete, [record.path for record in chosen]))
        box.finished.connect(box.deleteLater)
        box.open()

    def _delete(self, paths: Sequence[Path]) -> None:
        gone = partial(self._deleted, paths)
        run_in_background(self, partial(_move_to_trash, paths), gone, self._deleting_failed)

    def _deleted(self, paths: Sequence[Path], _none: None) -> None:
        self.deleted.emit(list(paths))
        self.refresh()

    def _deleting_failed(self, error: Exception) -> None:
        self.failed.emit("Delete runs", error)
        self.refresh()

    @Slot(object, object)
    def _annotate(self, path: Path, annotations: Annotations) -> None:
        try:
            write_annotations(path, annotations)
        except PgnStudioError as error:
            self.failed.emit("The notes could not be saved", error)
        self.annotated.emit()
        self.refresh()

    @Slot()
    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Show the runs in a folder", str(self.folder))
        if folder:
            self.show_folder(Path(folder))

    @Slot(QPoint)
    def _show_menu(self, position: QPoint) -> None:
        menu = QMenu(self)
        menu.addActions(list(self.actions_of_runs.values()))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.table.viewport().mapToGlobal(position))


def _button(action: QAction, parent: QWidget) -> QPushButton:
    button = QPushButton(action.text(), parent)
    button.setObjectName(f"{action.objectName()}_button")
    keys = action.shortcut().toString()
    button.setToolTip(f"{action.text()} ({keys})" if keys else action.text())
    button.clicked.connect(action.trigger)
    action.enabledChanged.connect(button.setEnabled)
    return button


def _read(folder: Path, _progress: Any) -> list[RunRecord]:
    return list_records(folder)


def _move_to_trash(paths: Sequence[Path], progress: Callable[[int, int], None]) -> None:
    for done, path in enumerate(paths):
        progress(done, len(paths))
        if not QFile.moveToTrash(str(path)):
            raise RunError(
                f"{path} could not be moved to the trash.",
                hint="The disk may have no trash: delete the folder in the file manager.",
            )
