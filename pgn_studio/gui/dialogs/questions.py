"""Short questions and answers: closing, more epochs, skipped files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.amounts import plural
from pgn_studio.gui.widgets.inputs import WheelGuard

if TYPE_CHECKING:
    from pgn_studio.core.data.dataset import SkippedFile


class ClosingDialog(QMessageBox):
    """Asks whether to stop the run (and keep it) or to go on; Escape goes on."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("closing_dialog")
        self.setIcon(QMessageBox.Icon.Question)
        self.setWindowTitle("A run is under way")
        self.setText("A PGN is being trained.")
        self.setInformativeText("Stopping keeps the result. The run can be continued later.")
        self.stop_button: QPushButton = self.addButton("Stop and keep", QMessageBox.ButtonRole.AcceptRole)
        self.stop_button.setObjectName("stop_and_keep_button")
        self.stop_button.setAutoDefault(False)  # Return never ends a run
        self.continue_button: QPushButton = self.addButton(
            "Continue training", QMessageBox.ButtonRole.RejectRole
        )
        self.continue_button.setObjectName("continue_training_button")
        self.setDefaultButton(self.continue_button)
        self.setEscapeButton(self.continue_button)


MOST_EPOCHS = 10_000


class MoreEpochsDialog(QDialog):
    """Tells the new total."""

    chosen = Signal(int)

    def __init__(self, done: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("more_epochs_dialog")
        self.setWindowTitle("Continue with more epochs")
        self._done = done
        text = QLabel(
            f"This run has done its {plural(done, 'epoch')}. It continues exactly where it ended.", self
        )
        text.setWordWrap(True)
        self.more = QSpinBox(self)
        self.more.setObjectName("more_epochs")
        self.more.setAccessibleName("More epochs")
        self.more.setToolTip("Epochs to train in addition to the completed ones")
        self.more.setRange(1, max(1, MOST_EPOCHS - done))
        self.more.setValue(min(done, self.more.maximum()) if done else 10)
        self.total = QLabel(self)
        self.total.setProperty("role", "muted")
        form = QFormLayout()
        form.addRow("&More epochs", self.more)
        form.addRow("", self.total)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        self.go_on = buttons.addButton("Continue", QDialogButtonBox.ButtonRole.AcceptRole)
        self.go_on.setObjectName("continue_with_more_epochs")
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addLayout(form)
        layout.addWidget(buttons)
        WheelGuard(self)
        self.more.valueChanged.connect(self._show_total)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.accepted.connect(self._tell)
        self._show_total()

    @Slot()
    def _show_total(self) -> None:
        self.total.setText(f"{self._done + self.more.value():,} in all")

    @Slot()
    def _tell(self) -> None:
        self.chosen.emit(self._done + self.more.value())


def list_skipped(window: QWidget, skipped: Sequence[SkippedFile]) -> None:
    box = QMessageBox(QMessageBox.Icon.Information, "Skipped files", "", parent=window)
    box.setObjectName("skipped_dialog")
    box.setText(f"Skipped {plural(len(skipped), 'unreadable file')}.")
    box.setDetailedText("\n".join(f"{item.path}: {item.reason}" for item in skipped))
    box.open()
