"""What a classifier's file does not say is asked for: whose weights it has, where a black box answers."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.config import PYTHON_SCHEME, is_black_box
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.gui.dialogs.error import show_error
from pgn_studio.gui.operations import run_in_background
from pgn_studio.gui.project import Project
from pgn_studio.gui.widgets.inputs import WheelGuard

if TYPE_CHECKING:
    from pgn_studio.core.protocols import Progress


def fill_dialog(dialog: QDialog, note: str, form: QFormLayout) -> QDialogButtonBox:
    """Lay the dialog out; Cancel rejects it, what Open does is for the caller to connect."""
    label = QLabel(note, dialog)
    label.setWordWrap(True)
    roles = QDialogButtonBox.StandardButton
    buttons = QDialogButtonBox(roles.Open | roles.Cancel, dialog)
    layout = QVBoxLayout(dialog)
    layout.addWidget(label)
    layout.addLayout(form)
    layout.addWidget(buttons)
    buttons.rejected.connect(dialog.reject)
    WheelGuard(dialog)
    return buttons


log = logging.getLogger(__name__)

WEIGHTS_NOTE = (
    "This file holds weights only. Name the torchvision or timm architecture they are for "
    "(timm:NAME where both have one). "
    "The classes, in their order, are taken from the data set that is loaded."
)
SUGGESTIONS = ("resnet50", "resnet18", "resnet101", "vgg16", "densenet169", "efficientnet_b0", "small")
DEFAULT_SIZE = 224
Guess = tuple[str, int]  # architecture, number of classes


class ClassifierSourceDialog(QDialog):
    """Asks for architecture and image size; the classes are those of the loaded data set."""

    chosen = Signal(object)  # ClassifierSource

    def __init__(
        self, path: str, image_size: int, parent: QWidget | None = None, *, classes: int | None = None
    ) -> None:
        """`classes`: how many the loaded data set has."""
        super().__init__(parent)
        self.setObjectName("classifier_source_dialog")
        self.setWindowTitle("Whose weights are these?")
        self._path, self._classes, self._offered = path, classes, image_size
        self._answered = False  # by the user, or by what is known of the file
        self.arch = QComboBox(self)
        self.arch.setObjectName("arch_combo")
        self.arch.setToolTip("<p>Any name that torchvision or timm knows</p>")
        self.arch.setEditable(True)
        self.arch.addItems(list(SUGGESTIONS))
        self.image_size = QSpinBox(self)
        self.image_size.setObjectName("classifier_size")
        self.image_size.setToolTip("<p>The side of the training images, in pixels</p>")
        self.image_size.setRange(8, 1024)
        self.image_size.setSuffix(" px")
        self.image_size.setValue(image_size)
        self.found = QLabel(self)
        self.found.setObjectName("weights_found")
        self.found.setProperty("role", "muted")
        self.found.setWordWrap(True)
        form = QFormLayout()
        form.addRow("Architecture", self.arch)
        form.addRow("Image size", self.image_size)
        form.addRow("", self.found)
        fill_dialog(self, WEIGHTS_NOTE, form).accepted.connect(self._open)
        self.arch.activated.connect(self._answer)
        self.arch.editTextChanged.connect(self._answer)

    def answer(self, known: ClassifierSource) -> None:
        """As the file was opened before."""
        if known.arch:
            self.arch.setCurrentText(known.arch)
        if known.image_size:
            self.image_size.setValue(known.image_size)

    def look(self) -> None:
        """Guess from the weights, in the background."""
        self._say("Reading the weights …")
        run_in_background(self, partial(_guess, Path(self._path)), self.show_guess, self._not_read)

    def show_guess(self, guess: Guess | None) -> None:
        if guess is None:
            self._say("No known architecture fits these weights.")
            return
        arch, classes = guess
        if not self._answered:
            self.arch.setCurrentText(arch)
        others = "no data set is loaded" if self._classes is None else f"the data set has {self._classes:,}"
        told = f"The weights are those of {arch} with {classes:,} classes"
        self._say(f"{told}." if classes == self._classes else f"{told}; {others}.")

    def _say(self, text: str) -> None:
        """Room for all of it."""
        self.found.setText(text)
        layout = self.layout()
        if layout is not None:
            self.resize(self.width(), max(self.height(), layout.totalHeightForWidth(self.width())))

    @Slot()
    def _answer(self, *_: object) -> None:
        self._answered = True

    def _not_read(self, error: Exception) -> None:
        """Opening it tells what is wrong."""
        log.info("The weights could not be read: %s", error)
        self.found.clear()

    @Slot()
    def _open(self) -> None:
        self.chosen.emit(self.source())
        self.accept()

    def source(self) -> ClassifierSource:
        arch, size = self.arch.currentText().strip(), self.image_size.value()
        if size == self._offered:
            size = _suitable(arch, size)
        return ClassifierSource(self._path, arch=arch, image_size=size)


def ask_whose_weights(path: Path, project: Project, known: ClassifierSource | None, parent: QWidget) -> None:
    """Open the dialog; the project loads what is chosen."""
    dataset = project.dataset
    size, classes = (DEFAULT_SIZE, None) if dataset is None else (dataset.image_size, len(dataset.classes))
    dialog = ClassifierSourceDialog(str(path), size, parent, classes=classes)
    if known is not None:
        dialog.answer(known)
    dialog.chosen.connect(project.load_classifier)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    dialog.look()


def _guess(path: Path, _progress: Progress) -> Guess | None:
    from pgn_studio.core.classifiers.guessing import guess_architecture
    from pgn_studio.core.weight_files import read_weights

    return guess_architecture(read_weights(path))


def _suitable(arch: str, size: int) -> int:
    """A size that nobody chose gives way to the network's own, where that takes no other."""
    from pgn_studio.core.classifiers.loading import suitable_image_size

    with suppress(PgnStudioError):  # a name that nobody knows: loading says so
        return suitable_image_size("", arch, size)
    return size


BLACK_BOX_NOTE = (
    "An .onnx file, the address of an endpoint (http://host/path), or a Python function "
    "(module:function). It is only asked for answers, at 8 bits a value, about classes in the order "
    "of the data set that is loaded. D must be a black box too."
)
_LARGEST_BUDGET = 2_000_000_000


class BlackBoxDialog(QDialog):
    """Asks for an .onnx file, an address or module:function; the classes are the data set's."""

    chosen = Signal(object)  # ClassifierSource

    def __init__(self, image_size: int | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("black_box_dialog")
        self.setWindowTitle("Open a black box")
        self._image_size = image_size
        self.source = _line("black_box_source", "model.onnx, http://host/path or module:function", self)
        self.source.setToolTip("<p>A file, an address, or a function of a module on Python's path</p>")
        self.header = _line("black_box_header", "Authorization: Bearer …", self)
        self.header.setEchoMode(QLineEdit.EchoMode.PasswordEchoOnEdit)
        self.header.setToolTip("<p>Sent to the address with every query. It is never saved.</p>")
        self.budget = QSpinBox(self)
        self.budget.setObjectName("black_box_budget")
        self.budget.setToolTip("<p>Training stops with a message after this many queries</p>")
        self.budget.setRange(0, _LARGEST_BUDGET)
        self.budget.setGroupSeparatorShown(True)
        self.budget.setSpecialValueText("No limit")
        self.trust = QCheckBox("I trust this code", self)
        self.trust.setObjectName("black_box_trust")
        self.trust.setToolTip("<p>The Python function runs with your permissions</p>")
        form = QFormLayout()
        form.addRow("Classifier", self.source)
        form.addRow("Header", self.header)
        form.addRow("Query budget", self.budget)
        form.addRow("", self.trust)
        fill_dialog(self, BLACK_BOX_NOTE, form).accepted.connect(self._open)

    @Slot()
    def _open(self) -> None:
        """What cannot be right is told here, and can be corrected; loading it tells the rest."""
        try:
            source = self._checked()
        except PgnStudioError as error:
            show_error(self, "This cannot be queried", error)
            return
        self.chosen.emit(source)
        self.accept()

    def _checked(self) -> ClassifierSource:
        from pgn_studio.core.classifiers import Access
        from pgn_studio.core.classifiers.blackbox.access import parse_headers

        text = self.source.text().strip()
        if ":" in text and not is_black_box(text):
            text = PYTHON_SCHEME + text
        if not is_black_box(text):
            raise PgnStudioError(
                f"{text or 'Nothing'} is no black box.",
                hint="Expected an .onnx file, http://host/path or module:function.",
            )
        header = self.header.text().strip()
        access = Access(
            budget=self.budget.value() or None,
            headers=parse_headers([header] if header else []),
            trust_code=self.trust.isChecked(),
        )
        if text.startswith(PYTHON_SCHEME):
            access.require_trust(text)
        size = None if text.lower().endswith(".onnx") else self._image_size
        return ClassifierSource(text, image_size=size, access=access)


def ask_for_black_box(parent: QWidget, project: Project) -> None:
    """Open the dialog; the project loads what is chosen."""
    size = project.dataset.image_size if project.dataset else None
    dialog = BlackBoxDialog(size, parent)
    dialog.chosen.connect(project.load_classifier)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def _line(name: str, placeholder: str, parent: QWidget) -> QLineEdit:
    line = QLineEdit(parent)
    line.setObjectName(name)
    line.setPlaceholderText(placeholder)
    line.setMinimumWidth(320)
    return line
