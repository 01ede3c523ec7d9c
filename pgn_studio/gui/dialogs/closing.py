"""Closing the window while a run is under way."""

from __future__ import annotations

from PySide6.QtWidgets import QMessageBox, QPushButton, QWidget


class ClosingDialog(QMessageBox):
    """Asks whether to stop the run (and keep it) or to go on; Escape goes on."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("closing_dialog")
        self.setIcon(QMessageBox.Icon.Question)
        self.setWindowTitle("A run is under way")
        self.setText("A PGN is being trained.")
        self.setInformativeText("Stopping keeps what was learned; the run can be continued later.")
        self.stop_button: QPushButton = self.addButton("Stop and keep", QMessageBox.ButtonRole.AcceptRole)
        self.stop_button.setObjectName("stop_and_keep_button")
        self.stop_button.setAutoDefault(False)  # Return never ends a run
        self.continue_button: QPushButton = self.addButton(
            "Continue training", QMessageBox.ButtonRole.RejectRole
        )
        self.continue_button.setObjectName("continue_training_button")
        self.setDefaultButton(self.continue_button)
        self.setEscapeButton(self.continue_button)
