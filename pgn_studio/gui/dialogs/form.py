"""A small dialog: what it is about, a form, Open and Cancel."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QVBoxLayout

from pgn_studio.gui.widgets.wheel import WheelGuard


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
