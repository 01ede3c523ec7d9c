"""Weights that do not say their architecture: the user does."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QComboBox, QDialog, QFormLayout, QSpinBox, QWidget

from pgn_studio.gui.classifier_source import ClassifierSource
from pgn_studio.gui.dialogs.form import fill_dialog

NOTE = (
    "This file holds weights only. Name the torchvision or timm architecture they are for. "
    "The classes, in their order, are taken from the data set that is loaded."
)
SUGGESTIONS = ("resnet50", "resnet18", "resnet101", "vgg16", "densenet169", "efficientnet_b0", "small")


class ClassifierSourceDialog(QDialog):
    """Asks for architecture and image size; the classes are those of the loaded data set."""

    chosen = Signal(object)  # ClassifierSource

    def __init__(self, path: str, image_size: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("classifier_source_dialog")
        self.setWindowTitle("Whose weights are these?")
        self._path = path
        self.arch = QComboBox(self)
        self.arch.setObjectName("arch_combo")
        self.arch.setToolTip("<p>Any name that torchvision or timm knows</p>")
        self.arch.setEditable(True)
        self.arch.addItems(list(SUGGESTIONS))
        self.image_size = QSpinBox(self)
        self.image_size.setObjectName("classifier_size")
        self.image_size.setToolTip("<p>The side of the images that the network was trained on</p>")
        self.image_size.setRange(8, 1024)
        self.image_size.setSuffix(" px")
        self.image_size.setValue(image_size)
        form = QFormLayout()
        form.addRow("Architecture", self.arch)
        form.addRow("Image size", self.image_size)
        fill_dialog(self, NOTE, form).accepted.connect(self._open)

    @Slot()
    def _open(self) -> None:
        self.chosen.emit(self.source())
        self.accept()

    def source(self) -> ClassifierSource:
        arch, size = self.arch.currentText().strip(), self.image_size.value()
        return ClassifierSource(self._path, foreign=True, arch=arch, image_size=size)
