"""A classifier that only answers: which one, and what it takes to ask it."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QDialog, QFormLayout, QLineEdit, QSpinBox, QWidget

from pgn_studio.core.config import PYTHON_SCHEME, is_black_box
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.gui.dialogs.error import show_error
from pgn_studio.gui.dialogs.form import fill_dialog
from pgn_studio.gui.workspace import Workspace

NOTE = (
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
        self.header.setToolTip("<p>Sent to the address with every question, and written nowhere</p>")
        self.budget = QSpinBox(self)
        self.budget.setObjectName("black_box_budget")
        self.budget.setToolTip("<p>Training ends with a message when it has asked this often</p>")
        self.budget.setRange(0, _LARGEST_BUDGET)
        self.budget.setGroupSeparatorShown(True)
        self.budget.setSpecialValueText("No limit")
        self.trust = QCheckBox("I trust this code", self)
        self.trust.setObjectName("black_box_trust")
        self.trust.setToolTip("<p>A Python function runs with all your rights</p>")
        form = QFormLayout()
        form.addRow("Classifier", self.source)
        form.addRow("Header", self.header)
        form.addRow("Query budget", self.budget)
        form.addRow("", self.trust)
        fill_dialog(self, NOTE, form).accepted.connect(self._open)

    @Slot()
    def _open(self) -> None:
        """What cannot be right is told here, and can be corrected; loading it tells the rest."""
        try:
            source = self._checked()
        except PgnStudioError as error:
            show_error(self, "This cannot be asked", error)
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


def ask_for_black_box(parent: QWidget, workspace: Workspace) -> None:
    """Open the dialog; the workspace loads what is chosen."""
    size = workspace.dataset.image_size if workspace.dataset else None
    dialog = BlackBoxDialog(size, parent)
    dialog.chosen.connect(workspace.load_classifier)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def _line(name: str, placeholder: str, parent: QWidget) -> QLineEdit:
    line = QLineEdit(parent)
    line.setObjectName(name)
    line.setPlaceholderText(placeholder)
    line.setMinimumWidth(320)
    return line
