"""Asks of a data set what nothing else says: whether its mirrored images keep their class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QWidget

from pgn_studio.gui.preferences import Preferences

if TYPE_CHECKING:
    from pgn_studio.core.data.dataset import ImageDataset

ANSWERS = (("not sure", None), ("yes", True), ("no", False))
_TOLD = (
    "Training mirrors half of the images, unless this turns them into images of another class, as it does "
    "with digits, letters, or left and right. Not sure: they are mirrored, as photographs are. "
    "It holds for the next training, and is remembered for this folder."
)


class MirrorQuestion(QWidget):
    """Hidden where the data set says it itself; the answer is kept for its folder."""

    def __init__(self, state: Preferences, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._folder = ""
        self.answer = QComboBox(self)
        self.answer.setObjectName("mirrored_answer")
        self.answer.setAccessibleName("A mirrored image keeps its class")
        self.answer.setToolTip(_TOLD)
        for text, keeps in ANSWERS:
            self.answer.addItem(text, keeps)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("A mirrored image keeps its class", self))
        row.addWidget(self.answer)
        row.addStretch(1)
        self.answer.activated.connect(self._keep)
        self.hide()

    @Slot(object)
    def show_dataset(self, dataset: ImageDataset) -> None:
        self._folder = dataset.root
        known = self._state.mirrored(self._folder)
        self.answer.setCurrentIndex([keeps for _, keeps in ANSWERS].index(known))
        self.setVisible(dataset.mirrorable is None)

    @Slot(int)
    def _keep(self, index: int) -> None:
        self._state.remember_mirrored(self._folder, ANSWERS[index][1])
