"""Controls above the gallery: outcome, class, file name, order; and, folded away, everything else."""

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

from pgn_studio.core.evaluation.selection import Outcome, Selection, SortKey
from pgn_studio.gui.gallery.filtering import Filtering, choose_class, class_combo, fill_classes

TYPING_PAUSE_MS = 150
OUTCOMES: tuple[Outcome | None, ...] = (None, *Outcome)
TOOLTIPS = {
    None: "Every image of the split",
    Outcome.FIXED: "Misclassified before, correct with the perturbation",
    Outcome.BROKEN: "Correct before, misclassified with the perturbation",
    Outcome.BOTH_RIGHT: "Correct before and after",
    Outcome.BOTH_WRONG: "Misclassified before and after",
}


class FilterBar(QWidget):
    """Says what to show; `changed` carries a Selection."""

    changed = Signal(object)
    list_requested = Signal()  # save what is shown

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._buttons: dict[Outcome | None, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._classes = class_combo("class-filter", "True class", self)
        self._sort = QComboBox(self)
        self._more = QToolButton(self)
        self.filtering = Filtering(self)
        self._descending = QToolButton(self)
        self._text = QLineEdit(self)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING_PAUSE_MS)
        self._build()
        self.set_classes(())

    @property
    def selection(self) -> Selection:
        label, before, after = (self._classes.currentData(), *self.filtering.classes)
        return Selection(
            outcome=OUTCOMES[max(self._group.checkedId(), 0)],
            label=label,
            before=before,
            after=after,
            text=self._text.text().strip(),
            ranges=self.filtering.ranges,
            versus=self.filtering.versus,
            sort=SortKey(self._sort.currentData()),
            descending=self._descending.isChecked(),
        )

    def set_classes(self, classes: tuple[str, ...]) -> None:
        """Offer these classes; keeps the chosen ones where they still exist."""
        fill_classes(self._classes, "All classes", classes)
        self.filtering.set_classes(classes)
        self._mark_more()

    def set_selection(self, selection: Selection) -> None:
        """Show what `selection` says, as if it had been set by hand."""
        choose_class(self._classes, selection.label)
        with QSignalBlocker(self._text), QSignalBlocker(self._sort):
            self._text.setText(selection.text)
            self._sort.setCurrentIndex(self._sort.findData(selection.sort.value))
        with QSignalBlocker(self._descending):
            self._descending.setChecked(selection.descending)
            self._show_direction(selection.descending)
        self._buttons[selection.outcome].setChecked(True)
        self.filtering.set_selection(selection)
        self._announce()

    def show_counts(self, counts: dict[Outcome | None, int]) -> None:
        for outcome, button in self._buttons.items():
            button.setText(f"{_title(outcome)}  {counts[outcome]:,}")

    def set_outcome(self, outcome: Outcome | None) -> None:
        if not self._buttons[outcome].isChecked():
            self._buttons[outcome].setChecked(True)
            self._announce()

    def clear_filters(self) -> None:
        """Any class, name and size again; the outcome and the order stay."""
        shown = self.selection
        self.set_selection(Selection(outcome=shown.outcome, sort=shown.sort, descending=shown.descending))

    def offer_versus(self, name: str) -> None:
        """Filters against another PGN of this name; empty: there is none."""
        self.filtering.offer_versus(name)
        self._mark_more()

    def focus_search(self) -> None:
        self._text.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._text.selectAll()

    def _build(self) -> None:
        self._classes.setToolTip("Show only images of this class")
        self._sort.setObjectName("sort-key")
        self._sort.setAccessibleName("Sort by")
        self._sort.setToolTip("Order of the images")
        self._sort.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._sort.setMinimumContentsLength(11)
        self._text.setMinimumWidth(80)
        for key in SortKey:
            self._sort.addItem(key.title, key.value)
        self._more.setObjectName("more-filters")
        self._more.setAccessibleName("More filters")
        self._more.setToolTip("Filter by predicted class, confidence, margin and L2; save the list")
        self._more.setCheckable(True)
        self._more.toggled.connect(self.filtering.setVisible)
        self.filtering.hide()
        self.filtering.changed.connect(self._announce)
        self.filtering.list_requested.connect(self.list_requested)
        self.filtering.clear_requested.connect(self.clear_filters)
        self._descending.setObjectName("sort-descending")
        self._descending.setCheckable(True)
        self._descending.setToolTip("Ascending or descending")
        self._descending.toggled.connect(self._show_direction)
        self._show_direction(False)
        self._text.setObjectName("name-filter")
        self._text.setAccessibleName("Search file names")
        self._text.setToolTip("Show only images with this in their file's path (/)")
        self._text.setPlaceholderText("Search")
        self._text.setClearButtonEnabled(True)
        self._text.textChanged.connect(self._typing.start)
        self._typing.timeout.connect(self._announce)
        self._classes.currentIndexChanged.connect(self._announce)
        self._sort.currentIndexChanged.connect(self._announce)
        self._descending.toggled.connect(self._announce)
        self._group.idClicked.connect(self._announce)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addLayout(self._segments(), 0, 0, 1, 5)
        grid.addWidget(self._classes, 1, 0)
        grid.addWidget(self._text, 1, 1)
        grid.addWidget(self._sort, 1, 2)
        grid.addWidget(self._descending, 1, 3)
        grid.addWidget(self._more, 1, 4)
        grid.addWidget(self.filtering, 2, 0, 1, 5)
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
        self._mark_more()
        self.changed.emit(self.selection)

    def _mark_more(self) -> None:
        """How many of the folded filters are at work: nobody should miss images without seeing why."""
        active = self.filtering.active
        self._more.setText(f"Filters · {active}" if active else "Filters")


def _title(outcome: Outcome | None) -> str:
    return "All" if outcome is None else outcome.value.capitalize()


def _slug(outcome: Outcome | None) -> str:
    return "all" if outcome is None else outcome.value.replace(" ", "-")
