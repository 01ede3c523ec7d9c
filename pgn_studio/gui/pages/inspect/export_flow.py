"""From the export dialog to a file: asks where to, then lets the exporter work in the background."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from pgn_studio.core.evaluation.selection import first_of_each_class
from pgn_studio.gui.gallery.panel import GalleryPanel
from pgn_studio.gui.pages.inspect.command import ExportChoice
from pgn_studio.gui.pages.inspect.export_dialog import ExportDialog, Offered
from pgn_studio.gui.pages.inspect.exports import Exporter
from pgn_studio.gui.pages.inspect.subject import Subject

FILTERS = {
    "figure": "PNG image (*.png);;SVG drawing (*.svg);;PDF document (*.pdf)",
    "table": "CSV (*.csv);;Markdown (*.md);;LaTeX (*.tex);;JSON (*.json)",
    "list": "CSV (*.csv)",
    "model": "Exported program (*.pt2);;ONNX (*.onnx)",
    "abstaining": "PGN (*.safetensors)",
}


class ExportFlow(QObject):
    def __init__(self, gallery: GalleryPanel, exporter: Exporter, parent: QWidget) -> None:
        super().__init__(parent)
        self._window = parent
        self._gallery = gallery
        self._exporter = exporter
        self._subject: Subject | None = None
        self.dialog: ExportDialog | None = None

    def ask(self, subject: Subject, against: str = "") -> None:
        """Open the dialog on what `subject` and the gallery offer now; `against`: the other PGN's file."""
        self._subject = subject
        selected = tuple(self._gallery.view.selected_images())
        selection, shown = self._gallery.filters.selection, self._gallery.model.rowCount()
        self.dialog = ExportDialog(Offered(subject, selected, selection, shown, against), self._window)
        self.dialog.wanted.connect(self._ask_where)
        self.dialog.finished.connect(self.dialog.deleteLater)
        self.dialog.open()

    def _ask_where(self, choice: ExportChoice) -> None:
        if self._subject is None or self.dialog is None:
            return
        if choice.what == "images":
            name = QFileDialog.getExistingDirectory(self._window, "Folder for the perturbed images")
        elif choice.what == "report":
            place = QFileDialog.getExistingDirectory(
                self._window, f"Where to put the folder {self.dialog.file_name}"
            )
            name = str(Path(place) / self.dialog.file_name) if place else ""
        else:
            name, chosen = QFileDialog.getSaveFileName(
                self._window, "Export", self.dialog.file_name, FILTERS[choice.what]
            )
            if name and not Path(name).suffix:  # some platforms do not add the filter's own
                name += "." + chosen.split("*.")[-1].rstrip(")")
        if name:
            self._start(self._subject, choice, Path(name))

    def _start(self, subject: Subject, choice: ExportChoice, path: Path) -> None:
        if choice.what == "table":
            self._exporter.table(path, subject)
        elif choice.what == "model":
            self._exporter.model(path, subject)
        elif choice.what == "report":
            self._exporter.report(path, subject)
        elif choice.what == "abstaining":
            self._exporter.abstaining(path, subject, choice.share)
        elif choice.what == "list":
            self._exporter.list_of(path, subject, self._indices(choice, subject))
        elif choice.what == "images":
            self._exporter.images(path, subject, sorted(self._indices(choice, subject)))
        else:
            indices = self._indices(choice, subject)
            self._exporter.figure(path, subject, indices, None, dpi=choice.dpi, width_mm=choice.width_mm)

    def _indices(self, choice: ExportChoice, subject: Subject) -> list[int]:
        if choice.selection is None:
            return list(choice.indices)
        shown = self._gallery.model.shown
        if choice.per_class is not None:
            shown = first_of_each_class(subject.evaluation.per_image.labels, shown, choice.per_class)
        return [int(index) for index in shown]
