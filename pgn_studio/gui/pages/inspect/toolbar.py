"""The inspection page's actions and the progress of an export."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, SignalInstance
from PySide6.QtGui import QKeySequence, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QWidget,
)

ORIGINAL, PERTURBED = "original", "perturbed"


class InspectToolbar(QWidget):
    export_figure = Signal()
    copy_figure = Signal()
    export_table = Signal()
    export_images = Signal()
    write_report = Signal()
    cancel_export = Signal()
    thumbnails_changed = Signal(str)  # ORIGINAL or PERTURBED

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = QLabel(self)
        self._title.setObjectName("inspection-title")
        self._thumbnails = QComboBox(self)
        self._thumbnails.setObjectName("thumbnail-kind")
        self._thumbnails.setAccessibleName("Thumbnails")
        self._thumbnails.setToolTip("Thumbnails in the gallery")
        self._thumbnails.addItem("Original thumbnails", ORIGINAL)
        self._thumbnails.addItem("Perturbed thumbnails", PERTURBED)
        self._thumbnails.currentIndexChanged.connect(self._announce_thumbnails)
        self._progress = QProgressBar(self)
        self._progress.setObjectName("export-progress")
        self._progress.setAccessibleName("Progress of the export")
        self._progress.setMaximumSize(QSize(160, 18))
        self._cancel = self._button("cancel-export", "Cancel", "Stop the export", self.cancel_export)
        self._figure = self._button(
            "export-figure",
            "Export…",
            "Figures, tables, lists, perturbed images and the model itself; also as a command",
            self.export_figure,
            QKeySequence(Qt.Modifier.CTRL | Qt.Key.Key_E),
        )
        self._copy = self._button(
            "copy-figure",
            "Copy figure",
            "Copy the figure of the selected images to the clipboard",
            self.copy_figure,
            QKeySequence(QKeySequence.StandardKey.Copy),
        )
        self._table = self._button(
            "export-table",
            "Table…",
            "Write the evaluation's figures (CSV, Markdown, LaTeX, JSON)",
            self.export_table,
        )
        self._images = self._button(
            "export-images",
            "Images…",
            "Write the perturbed images as PNG files: all, or several selected ones",
            self.export_images,
        )
        self._report = self._button(
            "write-report",
            "Report…",
            "Write a report: all metrics with intervals, JPEG compression, strength and examples",
            self.write_report,
        )
        self._title.setMinimumWidth(1)
        self._both = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._both.setContentsMargins(0, 0, 0, 0)
        self._both.addWidget(self._title, 1)
        line = self._line = QHBoxLayout()
        self._both.addLayout(line)
        line.addStretch(1)
        for widget in (self._progress, self._cancel, self._thumbnails):
            line.addWidget(widget)
        for widget in (self._figure, self._copy, self._table, self._images, self._report):
            line.addWidget(widget)
        self.show_idle()

    def set_title(self, text: str) -> None:
        self._title.setText(text)
        self._title.setToolTip(text)
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """The title beside the buttons, or above them where it would be cut off."""
        needed = self._title.fontMetrics().horizontalAdvance(self._title.text()) + 24
        beside = needed + self._line.sizeHint().width() <= self.width()
        directions = QBoxLayout.Direction
        self._both.setDirection(directions.LeftToRight if beside else directions.TopToBottom)

    @property
    def thumbnails(self) -> str:
        return str(self._thumbnails.currentData())

    def enable(self, *, image: bool) -> None:
        """A copied figure needs a chosen image; the rest only an evaluation."""
        self._copy.setEnabled(image)

    def show_started(self, title: str) -> None:
        self._progress.setRange(0, 0)  # moves without a figure until the first report
        self._progress.setToolTip(title)
        self._progress.show()
        self._cancel.show()

    def show_progress(self, done: int, total: int) -> None:
        self._progress.setRange(0, total)
        self._progress.setValue(done)

    def show_idle(self) -> None:
        self._progress.hide()
        self._cancel.hide()

    def _button(
        self, name: str, text: str, tip: str, signal: SignalInstance, keys: QKeySequence | None = None
    ) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setToolTip(tip)
        button.setAccessibleName(text.removesuffix("…"))
        button.clicked.connect(signal)
        if keys is not None:
            button.setShortcut(keys)
            button.setToolTip(f"{tip} ({keys.toString(QKeySequence.SequenceFormat.NativeText)})")
        return button

    def _announce_thumbnails(self) -> None:
        self.thumbnails_changed.emit(self.thumbnails)
