"""Controls above the gallery: outcome, class, file name, order."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from pgn_studio.gui.gallery.query import GalleryQuery, Outcome, SortKey

TYPING_PAUSE_MS = 150
OUTCOMES: tuple[Outcome | None, ...] = (None, *Outcome)
TOOLTIPS = {
    None: "Every image of the split",
    Outcome.FIXED: "Wrong before, right with the perturbation",
    Outcome.BROKEN: "Right before, wrong with the perturbation",
    Outcome.BOTH_RIGHT: "Right before and after",
    Outcome.BOTH_WRONG: "Wrong before and after",
}
ALL_CLASSES = -1


class FilterBar(QWidget):
    """Says what to show; `changed` carries a GalleryQuery."""

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._buttons: dict[Outcome | None, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._classes = _combo("class-filter", "Class", self)
        self._sort = _combo("sort-key", "Sort by", self)
        self._descending = QToolButton(self)
        self._text = QLineEdit(self)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING_PAUSE_MS)
        self._build()
        self.set_classes(())

    @property
    def query(self) -> GalleryQuery:
        label = self._classes.currentData()
        return GalleryQuery(
            outcome=OUTCOMES[max(self._group.checkedId(), 0)],
            label=None if label is None or label == ALL_CLASSES else int(label),
            text=self._text.text().strip(),
            sort=SortKey(self._sort.currentData()),
            descending=self._descending.isChecked(),
        )

    def set_classes(self, classes: tuple[str, ...]) -> None:
        """Offer these true classes; keeps the chosen one where it still exists."""
        with QSignalBlocker(self._classes):
            chosen = self._classes.currentText()
            self._classes.clear()
            self._classes.addItem("All classes", ALL_CLASSES)
            for label, name in enumerate(classes):
                self._classes.addItem(name, label)
            self._classes.setCurrentIndex(max(0, self._classes.findText(chosen)))

    def show_counts(self, counts: dict[Outcome | None, int]) -> None:
        for outcome, button in self._buttons.items():
            button.setText(f"{_title(outcome)}  {counts[outcome]:,}")

    def set_outcome(self, outcome: Outcome | None) -> None:
        if not self._buttons[outcome].isChecked():
            self._buttons[outcome].setChecked(True)
            self._announce()

    def clear_narrowing(self) -> None:
        """Any class and any name again; the outcome and the order stay."""
        with QSignalBlocker(self._classes), QSignalBlocker(self._text):
            self._classes.setCurrentIndex(0)
            self._text.clear()
        self._announce()

    def focus_search(self) -> None:
        self._text.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._text.selectAll()

    def _build(self) -> None:
        self._sort.setToolTip("Order of the images")
        for key in SortKey:
            self._sort.addItem(key.value, key.value)
        self._descending.setObjectName("sort-descending")
        self._descending.setCheckable(True)
        self._descending.setToolTip("Ascending or descending")
        self._descending.toggled.connect(self._show_direction)
        self._show_direction(False)
        self._text.setObjectName("name-filter")
        self._text.setAccessibleName("Search file names")
        self._text.setPlaceholderText("Search file names")
        self._text.setClearButtonEnabled(True)
        self._text.textChanged.connect(self._typing.start)
        self._typing.timeout.connect(self._announce)
        self._classes.currentIndexChanged.connect(self._announce)
        self._sort.currentIndexChanged.connect(self._announce)
        self._descending.toggled.connect(self._announce)
        self._group.idClicked.connect(self._announce)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addLayout(self._segments(), 0, 0, 1, 4)
        grid.addWidget(self._classes, 1, 0)
        grid.addWidget(self._text, 1, 1)
        grid.addWidget(self._sort, 1, 2)
        grid.addWidget(self._descending, 1, 3)
        grid.setColumnStretch(1, 1)

    def _segments(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(0)
        for position, outcome in enumerate(OUTCOMES):
            button = QToolButton(self)
            button.setObjectName(f"outcome-{_slug(outcome)}")
            button.setAccessibleName(f"Show {_title(outcome).lower()}")
            button.setToolTip(TOOLTIPS[outcome])
            button.setText(_title(outcome))
            button.setCheckable(True)
            button.setChecked(outcome is None)
            button.setSizePolicy(QSizePolicy.Policy.MinimumExpanding, QSizePolicy.Policy.Fixed)
            self._group.addButton(button, position)
            self._buttons[outcome] = button
            line.addWidget(button)
        return line

    def _show_direction(self, descending: bool) -> None:
        self._descending.setArrowType(Qt.ArrowType.DownArrow if descending else Qt.ArrowType.UpArrow)
        self._descending.setAccessibleName("Descending" if descending else "Ascending")

    def _announce(self) -> None:
        self._typing.stop()
        self.changed.emit(self.query)


def _combo(name: str, accessible: str, parent: QWidget) -> QComboBox:
    combo = QComboBox(parent)
    combo.setObjectName(name)
    combo.setAccessibleName(accessible)
    return combo


def _title(outcome: Outcome | None) -> str:
    return "All" if outcome is None else outcome.value.capitalize()


def _slug(outcome: Outcome | None) -> str:
    return "all" if outcome is None else outcome.value.replace(" ", "-")
