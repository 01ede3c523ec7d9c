"""The filters that are folded away: predicted classes, and ranges of confidence, margin and L2."""

from __future__ import annotations

from PySide6.QtCore import QLocale, QSignalBlocker, Signal
from PySide6.QtGui import QDoubleValidator
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from pgn_studio.core.evaluation.selection import Range, Selection, SortKey, Versus

RANGED = (
    SortKey.CONFIDENCE_BEFORE,
    SortKey.CONFIDENCE_AFTER,
    SortKey.MARGIN_BEFORE,
    SortKey.MARGIN_AFTER,
    SortKey.L2,
)
TIPS = {
    SortKey.CONFIDENCE_BEFORE: "Probability, 0 to 1, of the predicted class of the original image",
    SortKey.CONFIDENCE_AFTER: "Probability, 0 to 1, of the predicted class of the perturbed image",
    SortKey.MARGIN_BEFORE: "Probability of the true class minus the largest other; negative: misclassified",
    SortKey.MARGIN_AFTER: "Probability of the true class minus the largest other; negative: misclassified",
    SortKey.L2: "Length of the perturbation in the classifier's input space",
}


class Filtering(QWidget):
    """`changed` comes with every filter that is set or lifted by the user."""

    changed = Signal()
    list_requested = Signal()
    clear_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._before = class_combo("before-filter", "Class before", self)
        self._after = class_combo("after-filter", "Class after", self)
        self._ranges = {key: RangeEdit(key, self) for key in RANGED}
        self._versus = class_combo("versus-filter", "Against the other PGN", self)
        self._versus.addItem("Any", None)
        for versus in Versus:
            self._versus.addItem(versus.title, versus.value)
        self._against = QLabel("Against", self)
        self._before.setToolTip("Show only images that are predicted as this class without the perturbation")
        self._after.setToolTip("Show only images that are predicted as this class with the perturbation")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 4, 0, 4)
        grid.setHorizontalSpacing(8)
        rows: list[tuple[str, QWidget]] = [("Class before", self._before), ("Class after", self._after)]
        rows += [(key.title, edit) for key, edit in self._ranges.items()]
        for number, (text, widget) in enumerate(rows):
            line, column = divmod(number, 2)
            grid.addWidget(QLabel(text, self), line, 2 * column)
            grid.addWidget(widget, line, 2 * column + 1)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        for name, text, tip, signal in (
            ("clear-filtering", "Clear", "Reset class, name and size", self.clear_requested),
            ("save-list", "Save list…", "Write the images shown, in this order, as CSV", self.list_requested),
        ):
            button = QPushButton(text, self)
            button.setObjectName(name)
            button.setToolTip(tip)
            button.clicked.connect(signal)
            buttons.addWidget(button)
        grid.addLayout(buttons, (len(rows) + 1) // 2 - 1, 2, 1, 2)
        line = (len(rows) + 1) // 2
        grid.addWidget(self._against, line, 0)
        grid.addWidget(self._versus, line, 1, 1, 3)
        self._versus.currentIndexChanged.connect(self.changed)
        self.offer_versus("")
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        for combo in (self._before, self._after):
            combo.currentIndexChanged.connect(self.changed)
        for edit in self._ranges.values():
            edit.changed.connect(self.changed)
        self.set_classes(())

    @property
    def classes(self) -> tuple[int | None, int | None]:
        """Predicted class before and after; None: any."""
        return self._before.currentData(), self._after.currentData()

    @property
    def ranges(self) -> tuple[Range, ...]:
        found = (edit.value for edit in self._ranges.values())
        return tuple(item for item in found if item is not None)

    @property
    def active(self) -> int:
        """How many of these filters are set."""
        chosen = (*self.classes, self.versus)
        return sum(item is not None for item in chosen) + len(self.ranges)

    @property
    def versus(self) -> Versus | None:
        value = self._versus.currentData()
        return None if value is None else Versus(value)

    def offer_versus(self, name: str) -> None:
        """Filters against the PGN called `name`; empty: there is none, and its filter is lifted."""
        self._versus.setVisible(bool(name))
        self._against.setVisible(bool(name))
        self._versus.setToolTip(f"Compare the outcomes with those of {name}")
        if not name:
            with QSignalBlocker(self._versus):
                self._versus.setCurrentIndex(0)

    def set_classes(self, classes: tuple[str, ...]) -> None:
        for combo in (self._before, self._after):
            fill_classes(combo, "Any", classes)

    def set_selection(self, selection: Selection) -> None:
        """Emits nothing."""
        for combo, label in ((self._before, selection.before), (self._after, selection.after)):
            choose_class(combo, label)
        with QSignalBlocker(self._versus):
            value = None if selection.versus is None else selection.versus.value
            self._versus.setCurrentIndex(self._versus.findData(value))
        given = {item.measure: item for item in selection.ranges}
        for key, edit in self._ranges.items():
            edit.show_value(given.get(key))


class RangeEdit(QWidget):
    """From – to, both ends open when empty."""

    changed = Signal()

    def __init__(self, measure: SortKey, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._measure = measure
        self._told: Range | None = None
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        self._low = self._end("from", "any")
        self._high = self._end("to", "any")
        line.addWidget(self._low)
        line.addWidget(QLabel("–", self))
        line.addWidget(self._high)
        self._low.setToolTip(f"{TIPS[measure]}: this much at least")
        self._high.setToolTip(f"{TIPS[measure]}: this much at most")

    @property
    def value(self) -> Range | None:
        """None where both ends are open."""
        low, high = _number(self._low.text()), _number(self._high.text())
        return None if low is None and high is None else Range(self._measure, low, high)

    def show_value(self, value: Range | None) -> None:
        ends = (None, None) if value is None else (value.low, value.high)
        for edit, end in zip((self._low, self._high), ends, strict=True):
            edit.setText("" if end is None else f"{end:g}")
        self._told = self.value

    def _end(self, which: str, placeholder: str) -> QLineEdit:
        edit = QLineEdit(self)
        edit.setObjectName(f"{self._measure.value}-{which}")
        edit.setAccessibleName(f"{self._measure.title}, {which}")
        edit.setPlaceholderText(placeholder)
        edit.setMinimumWidth(36)
        validator = OptionalNumber(edit)
        validator.setLocale(QLocale.c())  # a point, whatever the country: the command line says it so too
        edit.setValidator(validator)
        edit.editingFinished.connect(self._announce)
        return edit

    def _announce(self) -> None:
        if self.value != self._told:  # the field was only passed through
            self._told = self.value
            self.changed.emit()


class OptionalNumber(QDoubleValidator):
    """Nothing is fine too: Qt else never tells that a field was emptied."""

    def validate(self, text: str, position: int) -> object:
        return (self.State.Acceptable, text, position) if not text else super().validate(text, position)


def class_combo(name: str, accessible: str, parent: QWidget) -> QComboBox:
    """A class chooser that a long class name does not widen."""
    combo = QComboBox(parent)
    combo.setObjectName(name)
    combo.setAccessibleName(accessible)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(8)
    return combo


def fill_classes(combo: QComboBox, anything: str, classes: tuple[str, ...]) -> None:
    """`anything` (data None), then each class with its number; keeps the choice where it still exists."""
    with QSignalBlocker(combo):
        chosen = combo.currentText()
        combo.clear()
        combo.addItem(anything, None)
        for label, name in enumerate(classes):
            combo.addItem(name, label)
        combo.setCurrentIndex(max(0, combo.findText(chosen)))


def choose_class(combo: QComboBox, label: int | None) -> None:
    """None chooses "any"; emits nothing."""
    with QSignalBlocker(combo):
        combo.setCurrentIndex(0 if label is None else label + 1)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
