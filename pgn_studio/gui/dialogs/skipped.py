"""The list of files that a data set was loaded without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMessageBox, QWidget

if TYPE_CHECKING:
    from pgn_studio.core.data.dataset import SkippedFile


def list_skipped(window: QWidget, skipped: Sequence[SkippedFile]) -> None:
    box = QMessageBox(QMessageBox.Icon.Information, "Skipped files", "", parent=window)
    box.setObjectName("skipped_dialog")
    box.setText(f"{len(skipped):,} files could not be read and are left out.")
    box.setDetailedText("\n".join(f"{item.path}: {item.reason}" for item in skipped))
    box.open()
