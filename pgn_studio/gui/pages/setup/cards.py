"""The set-up's first two cards: which images, which classifier."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.amounts import percent, plural
from pgn_studio.core.config import DataSettings
from pgn_studio.core.data import DATASETS, dataset_title
from pgn_studio.gui.widgets.compact import Collapsible
from pgn_studio.gui.widgets.settings_form import SettingsForm

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset

MORE_DATA_FIELDS = (
    "image_size",
    "num_classes",
    "class_seed",
    "data_root",
    "download",
    "split_seed",
    "val_fraction",
    "test_fraction",
    "data_range",
    "cache_mb",
)
OF_ONE_DATASET = {"image_size", "num_classes"}  # are Automatic for other images, unless typed for them


def card_layout(card: QGroupBox) -> QVBoxLayout:
    layout = QVBoxLayout(card)
    layout.setContentsMargins(8, 4, 8, 6)
    layout.setSpacing(6)
    return layout


def shortened(name: str, length: int = 38) -> str:
    """A long file name without its middle."""
    half = (length - 1) // 2
    return name if len(name) <= length else f"{name[:half]}…{name[-half:]}"


def _summary(name: str, parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setProperty("role", "muted")
    return label


class DataCard(QGroupBox):
    """Named data sets and folders, with the fields that say how to read them."""

    requested = Signal()
    folder_requested = Signal()
    notices_requested = Signal()
    skipped_requested = Signal()
    size_requested = Signal(int)  # at which to read the images anew

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Data set", parent)
        self.setObjectName("data_card")
        self.combo = QComboBox(self)
        self.combo.setObjectName("dataset_combo")
        self.combo.setAccessibleName("Data set")
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.combo.setToolTip(
            "<p>A named data set or a folder. Folders can also be dropped on the window.</p>"
        )
        for name in DATASETS:
            self.combo.addItem(dataset_title(name), name)
        self.load_button = QPushButton("Load", self)
        self.load_button.setObjectName("load_dataset_button")
        self.load_button.setToolTip("Read the data set with the settings below")
        self.open_button = QPushButton("Folder…", self)
        self.open_button.setObjectName("open_dataset_button")
        self.open_button.setToolTip("<p>Open a folder: train|val|test/class/… or class/… (Ctrl+O)</p>")
        self.summary = _summary("dataset_summary", self)
        self.summary.setText("None loaded")
        self.notices = QPushButton(self)
        self.notices.setObjectName("notices_button")
        self.notices.setToolTip("Show the notices of loading on the Data page")
        self.notices.setFlat(True)
        self.notices.hide()
        self.skipped = QPushButton(self)
        self.skipped.setObjectName("skipped_button")
        self.skipped.setToolTip("List the unreadable files with the reasons")
        self.skipped.setFlat(True)
        self.skipped.hide()
        self.reduced = QLabel(self)
        self.reduced.setObjectName("reduced_note")
        self.reduced.setWordWrap(True)
        self.reduced.hide()
        self.own_size = QPushButton(self)
        self.own_size.setObjectName("own_size_button")
        self.own_size.setToolTip("<p>Reload the images at this size. The classifier must fit it.</p>")
        self.own_size.hide()
        self.form = SettingsForm(DataSettings, MORE_DATA_FIELDS)
        self._own: int | None = None
        self._shown_of = ""  # the data set whose settings the form was filled with
        self._typed: set[str] = set()  # fields that somebody changed since then
        self._sized = ""  # the data set for which somebody chose the size
        row = QHBoxLayout()
        row.addWidget(self.combo, 1)
        row.addWidget(self.load_button)
        row.addWidget(self.open_button)
        layout = card_layout(self)
        layout.addLayout(row)
        layout.addWidget(self.summary)
        layout.addWidget(self.notices)
        layout.addWidget(self.skipped)
        layout.addWidget(self.reduced)
        layout.addWidget(self.own_size)
        layout.addWidget(Collapsible("Size, classes, split", self.form, self))
        self.combo.activated.connect(self._request)
        self.load_button.clicked.connect(self._request)
        self.open_button.clicked.connect(self.folder_requested)
        self.notices.clicked.connect(self.notices_requested)
        self.skipped.clicked.connect(self.skipped_requested)
        self.own_size.clicked.connect(self._want_own_size)
        self.form.edited.connect(self._typed.add)

    def settings(self) -> DataSettings:
        """Raises ConfigError for what cannot be."""
        dataset, values = str(self.combo.currentData()), self.form.values()
        if dataset != self._shown_of and self._shown_of:
            for name in OF_ONE_DATASET - self._typed:
                values[name] = None
        return DataSettings.make(dataset=dataset, **values)

    @property
    def size_is_chosen(self) -> bool:
        """By somebody, for the images that are about to be read."""
        return "image_size" in self._typed or self._sized == self.combo.currentData()

    def choose(self, dataset: str) -> None:
        """Select a named data set or a folder, adding it to the list when it is new."""
        index = self.combo.findData(dataset)
        if index < 0:
            self.combo.addItem(Path(dataset).name or dataset, dataset)
            index = self.combo.count() - 1
            self.combo.setItemData(index, dataset, Qt.ItemDataRole.ToolTipRole)
        self.combo.setCurrentIndex(index)

    def add_recent(self, folders: Sequence[str]) -> None:
        for folder in folders:
            if self.combo.findData(folder) < 0:
                self.combo.addItem(Path(folder).name, folder)

    def fill(self, settings: DataSettings) -> None:
        self.choose(settings.dataset)
        if self.form.shown()["image_size"] != settings.image_size:
            self._sized = ""
        elif "image_size" in self._typed:
            self._sized = settings.dataset
        self.form.fill(settings.model_dump())
        self._shown_of = settings.dataset
        self._typed.clear()

    def show_dataset(self, dataset: ImageDataset) -> None:
        counts = " / ".join(f"{len(dataset.split(name)):,}" for name in ("train", "val", "test"))
        # By name: the list may show another by now, which could not be read and stays for another try.
        name = html.escape(shortened(dataset_title(dataset.name)))
        self.summary.setText(
            f"<b>{name}</b><br>{len(dataset.classes)} classes, {dataset.image_size} px<br>"
            f"{counts} train / val / test"
        )
        classes = html.escape(", ".join(dataset.classes[:40]))
        self.summary.setToolTip(f"<p>{html.escape(dataset.root)}<br>{classes}</p>")
        notes = len(dataset.notices)
        self.notices.setText(f"{plural(notes, 'notice')} from loading: show")
        self.notices.setVisible(notes > 0)
        count = len(dataset.skipped)
        self.skipped.setText(f"{plural(count, 'unreadable file')} skipped: show")
        self.skipped.setVisible(count > 0)

    def show_reduced(self, size: int, own: int | None, *, of_classifier: bool) -> None:
        """Where the images were reduced and nobody had chosen that, `own` is the size that they have."""
        self._own = own
        reason = f" because the open classifier takes {size} px" if of_classifier else ""
        note = f"Reduced to {size} px{reason}."
        self.reduced.setText("" if own is None else note)
        self.own_size.setText("" if own is None else f"Read at their own {own} px")
        for widget in (self.reduced, self.own_size):
            widget.setVisible(own is not None)

    @Slot()
    def _want_own_size(self) -> None:
        if self._own is not None:
            self.size_requested.emit(self._own)

    @Slot()
    def _request(self) -> None:
        self.requested.emit()


class ClassifierCard(QGroupBox):
    """The frozen classifier, and how often it is right on clean images."""

    open_requested = Signal()
    train_requested = Signal()
    size_requested = Signal(int)  # at which to read the images anew

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Frozen classifier", parent)
        self.setObjectName("classifier_card")
        self.open_button = QPushButton("Open…", self)
        self.open_button.setObjectName("open_classifier_button")
        self.open_button.setToolTip("<p>Open a classifier's file, or drop it on the window (Ctrl+L)</p>")
        self.train_button = QPushButton("Train a classifier…", self)
        self.train_button.setObjectName("train_classifier_button")
        self.train_button.setToolTip("Train a classifier on the loaded data set and use it")
        self.summary = _summary("classifier_summary", self)
        self.summary.setText("None loaded")
        self.accuracy = QLabel(self)
        self.accuracy.setObjectName("clean_accuracy")
        self.accuracy.setProperty("role", "figure")
        self.accuracy.setWordWrap(True)
        self.accuracy.hide()
        self.sizes = QLabel(self)
        self.sizes.setObjectName("sizes_note")
        self.sizes.setWordWrap(True)
        self.read_anew = QPushButton(self)
        self.read_anew.setObjectName("read_at_classifier_size_button")
        self.read_anew.setToolTip("<p>Reload the data set at the training size of the classifier</p>")
        self._images_px = self._trained_px = 0
        self._show_sizes()
        row = QHBoxLayout()
        row.addWidget(self.open_button)
        row.addWidget(self.train_button, 1)
        layout = card_layout(self)
        layout.addLayout(row)
        layout.addWidget(self.summary)
        layout.addWidget(self.accuracy)
        layout.addWidget(self.sizes)
        layout.addWidget(self.read_anew)
        self.read_anew.clicked.connect(self._read_anew)
        self.open_button.clicked.connect(self.open_requested)
        self.train_button.clicked.connect(self.train_requested)

    def show_classifier(self, classifier: Classifier) -> None:
        info = classifier.info
        name = Path(info.path).name or info.arch
        self.summary.setText(
            f"<b>{html.escape(shortened(name))}</b><br>{html.escape(shortened(info.arch))}, "
            f"{info.parameters:,} parameters<br>{len(info.classes)} classes, {info.image_size} px"
        )
        self.summary.setToolTip(f"<p>{info.path}</p>")
        self.accuracy.hide()
        self._trained_px = info.image_size
        self._show_sizes()

    def show_images(self, dataset: ImageDataset) -> None:
        """Whether they have the size that the classifier was trained at."""
        self.forget_accuracy()
        self._images_px = dataset.image_size
        self._show_sizes()

    def _show_sizes(self) -> None:
        images, trained = self._images_px, self._trained_px
        self.sizes.setText(
            f"⚠ The images have {images} px, the classifier was trained at {trained} px: "
            "its accuracy may suffer."
        )
        self.read_anew.setText(f"Read the images at {trained} px")
        for widget in (self.sizes, self.read_anew):
            widget.setVisible(bool(images and trained) and images != trained)

    @Slot()
    def _read_anew(self) -> None:
        self.size_requested.emit(self._trained_px)

    def forget_accuracy(self) -> None:
        """It was of other images."""
        self.accuracy.hide()

    @Slot(float, str)
    def show_accuracy(self, accuracy: float, split: str) -> None:
        name, note, which = split.partition(" (")  # "test (no test: …)" where it was learned from
        figure = percent(accuracy).replace(" ", "\N{NO-BREAK SPACE}")  # a line has no sign alone
        self.accuracy.setText(f"{name.capitalize()} accuracy (clean): {figure}{note}{which}")
        self.accuracy.show()
