"""What to export, of which images and with which options; the same as a command; and where to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.evaluation.selection import Selection, first_of_each_class
from pgn_studio.core.export import EXPORTS
from pgn_studio.core.export.base import Export, Option
from pgn_studio.gui.gallery.panel import GalleryPanel
from pgn_studio.gui.pages.inspect.command import ExportChoice, export_command
from pgn_studio.gui.pages.inspect.exports import Exporter, opened
from pgn_studio.gui.pages.inspect.subject import Subject
from pgn_studio.gui.widgets.inputs import WheelGuard
from pgn_studio.gui.wording import error_text

SELECTED, SHOWN, PER_CLASS = "selected", "shown", "per class"
MOST_PER_CLASS = 40
FILES = {
    ".png": "PNG image",
    ".svg": "SVG drawing",
    ".pdf": "PDF document",
    ".csv": "CSV",
    ".md": "Markdown",
    ".tex": "LaTeX",
    ".json": "JSON",
    ".pt2": "Exported program",
    ".onnx": "ONNX",
    ".safetensors": "PGN",
}


def file_filter(kind: type[Export]) -> str:
    """As the file dialogs take it."""
    return ";;".join(f"{FILES.get(suffix, suffix[1:].upper())} (*{suffix})" for suffix in kind.suffixes)


@dataclass(frozen=True)
class Offered:
    """What may be exported now."""

    subject: Subject
    selected: tuple[int, ...]
    selection: Selection  # the gallery's
    shown: int  # how many images it finds
    against: str = ""  # the file of the PGN that the gallery compares with


class ExportDialog(QDialog):
    """Not in the way of anything: `wanted` carries the ExportChoice, and the caller asks where to."""

    wanted = Signal(object)

    def __init__(self, offered: Offered, parent: QWidget) -> None:
        super().__init__(parent)
        self._offered = offered
        self._source = opened(offered.subject)
        self._kinds = {
            name: kind
            for name, kind in EXPORTS.available().items()
            if kind.in_dialog and kind.suits(self._source)
        }
        self.setObjectName("export-dialog")
        self.setWindowTitle("Export")
        self._what = self._combo("export-what", "What to export")
        self._what.setToolTip("What is written; the command below follows")
        for name, kind in self._kinds.items():
            self._what.addItem(kind.title, name)
        self._which = self._combo("export-which", "Which images")
        self._which.setToolTip("The images selected in the gallery, all that it shows, or some of each class")
        number = len(offered.selected)
        if number:
            self._which.addItem(f"Selected: {number:,}", SELECTED)
        self._which.addItem(f"All that the gallery shows: {offered.shown:,}", SHOWN)
        self._which.addItem("The first of each class shown", PER_CLASS)
        self._count = QSpinBox(self)
        self._count.setObjectName("export-per-class")
        self._count.setAccessibleName("Images of each class")
        self._count.setToolTip("How many of each class, in the gallery's order")
        self._count.setRange(1, MOST_PER_CLASS)
        self._count.setValue(2)
        known = {item.name: item for kind in self._kinds.values() for item in kind.options() if item.label}
        self._controls = {name: _Control(item, self) for name, item in known.items()}
        self._command = QLineEdit(self)
        self._command.setObjectName("export-command")
        self._command.setAccessibleName("The same as a command")
        self._command.setToolTip("What writes the same on the command line")
        self._command.setReadOnly(True)
        self._hint = QLabel(self)
        self._hint.setObjectName("export-hint")
        self._hint.setWordWrap(True)
        self._hint.setMinimumHeight(2 * self._hint.fontMetrics().lineSpacing())
        self._build()
        self._refresh()
        WheelGuard(self)

    @property
    def kind(self) -> type[Export]:
        return self._kinds[str(self._what.currentData())]

    @property
    def choice(self) -> ExportChoice:
        kind, which = self.kind, self._which.currentData()
        values = {
            item.name: self._controls[item.name].value
            for item in kind.options()
            if item.name in self._controls
        }
        images = kind.chooses_images
        return ExportChoice(
            kind.made(values),
            indices=self._offered.selected if which == SELECTED and images else (),
            selection=self._offered.selection if which != SELECTED and images else None,
            per_class=self._count.value() if which == PER_CLASS and images else None,
            against=self._offered.against,
        )

    @property
    def file_name(self) -> str:
        """What the file may be called."""
        return f"{self._offered.subject.stem}-{self.kind.file_name()}"

    def _combo(self, name: str, accessible: str) -> QComboBox:
        combo = QComboBox(self)
        combo.setObjectName(name)
        combo.setAccessibleName(accessible)
        combo.currentIndexChanged.connect(self._refresh)
        return combo

    def _build(self) -> None:
        form = QFormLayout(self)
        form.addRow("&What", self._what)
        form.addRow("&Images", self._which)
        form.addRow("&Of each class", self._count)
        taken = set("wioce")  # and those of the buttons
        for control in self._controls.values():
            form.addRow(_with_key(control.item.label, taken), control.box)
            control.box.valueChanged.connect(self._refresh)
        form.addRow("Command", self._command)
        form.addRow(self._hint)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        copy = QPushButton("&Copy as command", self)
        copy.setObjectName("copy-command")
        self._export = QPushButton("&Export…", self)
        self._export.setObjectName("export-now")
        self._export.setDefault(True)
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self._export, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self._accept)
        buttons.rejected.connect(self.reject)
        copy.clicked.connect(self._copy)
        form.addRow(buttons)
        self._count.valueChanged.connect(self._refresh)
        self.resize(620, self.sizeHint().height())

    def _refresh(self) -> None:
        if not hasattr(self, "_command") or self._which.currentData() is None:
            return  # still being built
        choice, images = self.choice, self.kind.chooses_images
        self._which.setEnabled(images)
        self._count.setEnabled(images and choice.per_class is not None)
        own = {item.name for item in self.kind.options()}
        for name, control in self._controls.items():
            control.box.setEnabled(name in own)
        self._command.setText(export_command(self._offered.subject, choice, self.file_name))
        self._command.setCursorPosition(0)
        refusal = said = ""
        try:
            if images and not self._number(choice):
                raise PgnStudioError("The gallery shows no image.")
            said = choice.export.preview(self._source, self._number(choice))
        except PgnStudioError as error:
            refusal = error_text(error)
        self._hint.setText(refusal or said)
        self._export.setEnabled(not refusal)

    def _number(self, choice: ExportChoice) -> int:
        """Of images."""
        if choice.per_class is not None:
            return min(choice.per_class * len(self._offered.subject.dataset.classes), self._offered.shown)
        return self._offered.shown if choice.selection is not None else len(choice.indices)

    def _accept(self) -> None:
        self.wanted.emit(self.choice)
        self.accept()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._command.text())
        self._hint.setText("Copied.")


class _Control:
    """A box for one option's number; a share is chosen in per cent."""

    def __init__(self, item: Option, parent: QWidget) -> None:
        self.item = item
        self._scale = 100 if item.unit == "%" else 1
        whole = self._scale == 100 or item.kind is int
        self.box: QSpinBox | QDoubleSpinBox = QSpinBox(parent) if whole else QDoubleSpinBox(parent)
        self.box.setObjectName(f"export-{item.name}")
        self.box.setAccessibleName(item.label)
        self.box.setToolTip(item.help)
        low, high = item.low or 0, 1e6 if item.high is None else item.high
        if item.default is None:
            low = 0
            self.box.setSpecialValueText("automatic")
        self._set(self.box.setMinimum, low)
        self._set(self.box.setMaximum, high)
        self._set(self.box.setValue, item.default or 0)
        if isinstance(self.box, QDoubleSpinBox):
            self.box.setDecimals(0 if high >= 100 else 2)
        self.box.setSuffix(f" {item.unit}" if item.unit else "")

    @property
    def value(self) -> Any:
        """None for what the export decides."""
        value = self.box.value() / self._scale if self._scale != 1 else self.box.value()
        return None if self.item.default is None and value < (self.item.low or 1e-9) else value

    def _set(self, setter: Any, value: float) -> None:
        scaled = value * self._scale
        setter(scaled if isinstance(self.box, QDoubleSpinBox) else round(scaled))


def _with_key(label: str, taken: set[str]) -> str:
    """With & before the first letter that is not `taken`, and that taken."""
    for place, letter in enumerate(label.lower()):
        if letter.isalpha() and letter not in taken:
            taken.add(letter)
            return f"{label[:place]}&{label[place:]}"
    return label


class ExportFlow(QObject):
    """From the dialog to a file: asks where to, then lets the exporter work in the background."""

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
        kind, proposed = type(choice.export), self.dialog.file_name
        if kind.new_folder:
            place = QFileDialog.getExistingDirectory(self._window, f"Where to put the folder {proposed}")
            name = str(Path(place) / proposed) if place else ""
        elif not kind.suffixes:
            name = QFileDialog.getExistingDirectory(self._window, f"Folder to write into: {kind.title}")
        else:
            name, chosen = QFileDialog.getSaveFileName(self._window, "Export", proposed, file_filter(kind))
            if name and not Path(name).suffix:  # some platforms do not add the filter's own
                name += "." + chosen.split("*.")[-1].rstrip(")")
        if name:
            self._exporter.write(
                choice.export, Path(name), self._subject, self._indices(choice, self._subject)
            )

    def _indices(self, choice: ExportChoice, subject: Subject) -> list[int] | None:
        if not choice.export.chooses_images:
            return None
        if choice.selection is None:
            return list(choice.indices)
        shown = self._gallery.model.shown
        if choice.per_class is not None:
            shown = first_of_each_class(subject.evaluation.per_image.labels, shown, choice.per_class)
        return [int(index) for index in shown]
