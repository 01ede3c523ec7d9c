"""What to export, of which images and at which size; and the same as a command."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from pgn_studio.core.config import DEFAULT_ABSTAIN_SHARE
from pgn_studio.core.errors import DataError
from pgn_studio.core.evaluation.selection import Selection
from pgn_studio.gui.inspection.command import DEFAULT_DPI, ExportChoice, export_command
from pgn_studio.gui.inspection.subject import Subject
from pgn_studio.gui.widgets.row_table import percent
from pgn_studio.gui.widgets.wheel import WheelGuard
from pgn_studio.gui.wording import error_text

WHATS = {
    "figure": ("Figure: original | perturbation | perturbed", "figure.png"),
    "table": ("Table of the evaluation's figures", "table.csv"),
    "list": ("List of the images", "list.csv"),
    "images": ("Perturbed images as PNG, with a manifest", "images"),
    "model": ("PGN with its normalization, for other programs", "model.pt2"),
    "abstaining": ("PGN that leaves alone what it perturbs least", "abstaining.safetensors"),
    "report": ("Report: every metric with its interval, survival, examples", "report"),
}
SELECTED, SHOWN, PER_CLASS = "selected", "shown", "per class"
LARGEST_FIGURE = 40  # rows, as core.export.figure


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
        self.setObjectName("export-dialog")
        self.setWindowTitle("Export")
        self._what = self._combo("export-what", "What to export")
        self._what.setToolTip("What is written; the command below follows")
        for name, (title, _file) in WHATS.items():
            if name != "abstaining" or offered.subject.can_abstain:
                self._what.addItem(title, name)
        self._which = self._combo("export-which", "Which images")
        self._which.setToolTip("The images selected in the gallery, all that it shows, or some of each class")
        number = len(offered.selected)
        if number:
            self._which.addItem(f"Selected: {number:,}", SELECTED)
        self._which.addItem(f"All that the gallery shows: {offered.shown:,}", SHOWN)
        self._which.addItem("The first of each class shown", PER_CLASS)
        self._count = self._spin("export-per-class", "Images of each class", (1, LARGEST_FIGURE), 2)
        self._count.setToolTip("How many of each class, in the gallery's order")
        self._width = QDoubleSpinBox(self)
        self._width.setObjectName("export-width")
        self._width.setAccessibleName("Width of the figure")
        self._width.setRange(0, 1000)
        self._width.setDecimals(0)
        self._width.setSuffix(" mm")
        self._width.setSpecialValueText("as it comes")
        self._width.setToolTip("Texts and lines are scaled with it; 20 mm at least")
        self._dpi = self._spin("export-dpi", "Resolution of a PNG", (30, 1200), DEFAULT_DPI, " dpi")
        self._dpi.setToolTip("Dots per inch of a PNG; drawings (SVG, PDF) have none")
        usual = round(100 * DEFAULT_ABSTAIN_SHARE)
        self._share = self._spin("export-share", "Share of images to leave alone", (0, 95), usual, " %")
        self._share.setToolTip("Of the images of this split, those with the smallest perturbation")
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
    def choice(self) -> ExportChoice:
        what, which = str(self._what.currentData()), self._which.currentData()
        whole = what in ("table", "model", "report", "abstaining")
        width = self._width.value()
        return ExportChoice(
            what,
            indices=self._offered.selected if which == SELECTED and not whole else (),
            selection=None if which == SELECTED or whole else self._offered.selection,
            per_class=self._count.value() if which == PER_CLASS and not whole else None,
            dpi=self._dpi.value(),
            width_mm=width if width >= 20 else None,
            against=self._offered.against,
            share=self._share.value() / 100 if what == "abstaining" else 0.0,
        )

    @property
    def file_name(self) -> str:
        """What the file may be called."""
        return f"{self._offered.subject.stem}-{WHATS[self.choice.what][1]}"

    def _combo(self, name: str, accessible: str) -> QComboBox:
        combo = QComboBox(self)
        combo.setObjectName(name)
        combo.setAccessibleName(accessible)
        combo.currentIndexChanged.connect(self._refresh)
        return combo

    def _spin(
        self, name: str, accessible: str, limits: tuple[int, int], value: int, suffix: str = ""
    ) -> QSpinBox:
        spin = QSpinBox(self)
        spin.setObjectName(name)
        spin.setAccessibleName(accessible)
        spin.setRange(*limits)
        spin.setValue(value)
        spin.setSuffix(suffix)
        return spin

    def _build(self) -> None:
        form = QFormLayout(self)
        form.addRow("&What", self._what)
        form.addRow("&Images", self._which)
        form.addRow("&Of each class", self._count)
        form.addRow("Wi&dth", self._width)
        form.addRow("&Resolution", self._dpi)
        form.addRow("&Leave alone", self._share)
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
        for spin in (self._count, self._width, self._dpi, self._share):
            spin.valueChanged.connect(self._refresh)
        self.resize(620, self.sizeHint().height())

    def _refresh(self) -> None:
        if not hasattr(self, "_command") or self._which.currentData() is None:
            return  # still being built
        choice = self.choice
        images = choice.what in ("figure", "list", "images")
        self._which.setEnabled(images)
        self._count.setEnabled(images and choice.selection is not None and choice.per_class is not None)
        self._width.setEnabled(choice.what == "figure")
        self._dpi.setEnabled(choice.what == "figure")
        self._share.setEnabled(choice.what == "abstaining")
        self._command.setText(export_command(self._offered.subject, choice, self.file_name))
        self._command.setCursorPosition(0)
        rows = self._rows(choice)
        refusal = effect = ""
        if choice.what == "figure" and rows > LARGEST_FIGURE:
            refusal = f"A figure takes {LARGEST_FIGURE} images at most, and these are {rows:,}."
        elif not rows and images:
            refusal = "The gallery shows no image."
        elif choice.what == "abstaining":
            refusal, effect = self._held(choice.share)
        self._hint.setText(refusal or effect)
        self._export.setEnabled(not refusal)

    def _rows(self, choice: ExportChoice) -> int:
        if choice.per_class is not None:
            return min(choice.per_class * len(self._offered.subject.dataset.classes), self._offered.shown)
        return len(choice.indices) if choice.selection is None else self._offered.shown

    def _held(self, share: float) -> tuple[str, str]:
        """Why it cannot hold back, or else what that does to the images of this split."""
        from pgn_studio.core.evaluation.abstention import abstain

        evaluation = self._offered.subject.evaluation
        try:
            held = abstain(evaluation, share=share)
        except DataError as error:
            return error_text(error), ""
        was = evaluation.metrics
        chosen = " Chosen on these images; measure it on others." if evaluation.split_name == "test" else ""
        before = f"{percent(was.perturbed_accuracy_8bit)}, {was.fixed_8bit} fixed, {was.broken_8bit} broken"
        after = f"{percent(held.perturbed_accuracy_8bit)}, {held.fixed_8bit}, {held.broken_8bit}"
        alone = f"Leaves alone {held.abstained:,} of {was.n:,} images."
        return "", f"{alone} As saved: {before} become {after}.{chosen}"

    def _accept(self) -> None:
        self.wanted.emit(self.choice)
        self.accept()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._command.text())
        self._hint.setText("Copied.")
