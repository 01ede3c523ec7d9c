"""How far the training of a classifier is, on the Classifier page, while its dialog is put aside."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget


class TrainingStrip(QFrame):
    """Hidden while none is trained."""

    show_wanted = Signal()
    stop_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("classifier_training_strip")
        self.setProperty("card", True)
        self.told = QLabel(self)
        self.told.setObjectName("classifier_training_told")
        self.bar = QProgressBar(self)
        self.bar.setObjectName("classifier_training_progress")
        self.bar.setAccessibleName("Progress of the classifier's training")
        self.bar.setTextVisible(False)
        show = QPushButton("Show", self)
        show.setObjectName("show_classifier_training")
        show.setToolTip("Bring the dialog back, with the way to stop")
        show.clicked.connect(self.show_wanted)
        self.stop = QPushButton("Stop and keep", self)
        self.stop.setObjectName("stop_classifier_training")
        self.stop.setToolTip("End at the next step and load what there is")
        self.stop.clicked.connect(self.stop_wanted)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 4, 6, 4)
        layout.addWidget(self.told, 1)
        layout.addWidget(self.bar, 1)
        layout.addWidget(show)
        layout.addWidget(self.stop)
        self.hide()

    @Slot(int, int, str)
    def show_progress(self, done: int, total: int, text: str) -> None:
        """`total` 0: unknown."""
        self.told.setText(f"Training a classifier. {text}")
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.show()
