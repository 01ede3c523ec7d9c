"""Which run the Train page shows, and how it stands."""

from __future__ import annotations

import html

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from pgn_studio.gui.training.shown_run import ShownRun
from pgn_studio.gui.widgets.elided_label import ElidedLabel


class RunHeader(QWidget):
    """Hidden while nothing is shown."""

    def __init__(self, shown: ShownRun, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("run_header")
        self._shown = shown
        self.name = ElidedLabel(self)
        self.name.setObjectName("shown_run_name")
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        font = self.name.font()
        font.setBold(True)
        self.name.setFont(font)
        self.status = QLabel(self)
        self.status.setObjectName("shown_run_status")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.name, 1)
        layout.addWidget(self.status)
        shown.changed.connect(self._show)
        self._show()

    @Slot()
    def _show(self) -> None:
        now = self._shown.now
        self.name.setText(now.name)
        self.name.setToolTip(f"<p>{html.escape(self._shown.path or now.name)}</p>")
        self.status.setText(now.status.value if now.status else "A PGN without its run")
        self.setVisible(bool(now.name))
