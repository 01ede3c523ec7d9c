"""A problem as a dialog: what happened, what to do, and the details for whoever wants them."""

from __future__ import annotations

import traceback

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QStyle,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.gui.wording import in_the_window

MEMORY_HINT = "Choose a smaller image size, a smaller batch or a smaller network, or close other programs."


class ErrorDialog(QDialog):
    """Opened with `open()`, so that nothing waits for it."""

    def __init__(
        self, title: str, message: str, hint: str, details: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("error_dialog")
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(460)
        self._whole = "\n".join(part for part in (title, message, hint, details) if part)
        image = QLabel(self)
        symbol = self.style().standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning)
        image.setPixmap(symbol.pixmap(32, 32))
        image.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.message = _label(message, "error_message", self)
        font = self.message.font()
        font.setBold(True)
        self.message.setFont(font)
        self.hint = _label(hint, "error_hint", self)
        self.hint.setVisible(bool(hint))
        self.details = QPlainTextEdit(details, self)
        self.details.setObjectName("error_details")
        self.details.setAccessibleName("Details of the error")
        self.details.setReadOnly(True)
        self.details.setMinimumHeight(180)
        self.details.hide()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        copy = QPushButton("Copy", self)
        copy.setObjectName("copy_error_button")
        self._toggle = QPushButton("Details", self)
        self._toggle.setObjectName("error_details_button")
        self._toggle.setCheckable(True)
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self._toggle, QDialogButtonBox.ButtonRole.ActionRole)
        self._toggle.setVisible(bool(details))  # a box shows what is added to it
        for button in (copy, self._toggle):
            button.setAutoDefault(False)  # Return closes, and does no more
        close = buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setDefault(True)
        close.setFocus()
        text = QVBoxLayout()
        text.setSpacing(8)
        text.addWidget(self.message)
        text.addWidget(self.hint)
        text.addStretch(1)
        top = QHBoxLayout()
        top.addWidget(image)
        top.addSpacing(8)
        top.addLayout(text, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self.details, 1)
        layout.addWidget(buttons)
        copy.clicked.connect(self._copy)
        self._toggle.toggled.connect(self._show_details)
        buttons.rejected.connect(self.reject)

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._whole)

    @Slot(bool)
    def _show_details(self, shown: bool) -> None:
        self.details.setVisible(shown)
        self.adjustSize()


def _label(text: str, name: str, parent: QWidget) -> QLabel:
    label = QLabel(text, parent)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _is_out_of_memory(error: Exception) -> bool:
    from pgn_studio.core.training.error_messages import (
        is_out_of_memory,  # torch: never while this module loads
    )

    return is_out_of_memory(error)


def show_error(parent: QWidget, title: str, error: Exception) -> ErrorDialog:
    """Open a dialog for `error`; one that is no PgnStudioError is a fault of the program."""
    if isinstance(error, PgnStudioError):
        message, hint = in_the_window(error.message), in_the_window(error.hint)
        dialog = ErrorDialog(title, message, hint, error.details, parent)
    elif _is_out_of_memory(error):
        details = "".join(traceback.format_exception(error))
        dialog = ErrorDialog(title, "There is not enough memory for this.", MEMORY_HINT, details, parent)
    else:
        hint = "This is a fault of the program. The log has it too: Help > Open log folder."
        details = "".join(traceback.format_exception(error))
        dialog = ErrorDialog(title, f"{type(error).__name__}: {error}", hint, details, parent)
    dialog.open()
    return dialog
