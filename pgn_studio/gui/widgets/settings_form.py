"""Forms generated from a settings class: one declaration serves command line, window and file."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLineEdit,
    QWidget,
)

from pgn_studio.core.choices import DISCRIMINATORS
from pgn_studio.core.config import Settings
from pgn_studio.core.errors import ConfigError
from pgn_studio.gui.widgets.inputs import IntegerEdit, NumberEdit

# What people read instead of the file's words.
LABELS: dict[str, str] = {
    "recommended": "Recommended",
    "paper": "Paper (literal)",
    "enhance": "Enhance: correct more images",
    "adversarial": "Adversarial: cause errors",
    **{name: choice.title for name, choice in DISCRIMINATORS.items()},
    "least-squares": "Least squares",
    "logistic": "Logistic",
    "small": "Small, from scratch",
    "efficientnet-lite0": "EfficientNet-Lite0",
    "efficientnet-lite2": "EfficientNet-Lite2",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "frozen": "Frozen",
    "last-stage": "Last stage",
    "full": "Full",
    "pixel": "Pixel (0…1)",
    "normalized": "Normalized",
    "standard": "Standard (flip, crop)",
    "strong": "Strong (and color)",
    "mlp": "Several layers",
    "surrogate": "Surrogate of the classifier",
    "auto": "Automatic",
    "none": "None",
    "flip": "Flip",
    "linear": "Linear",
    "best": "Best",
    "last": "Last",
}
ACRONYMS = {"g": "G", "d": "D", "mb": "(MiB)", "cache": "Cache", "arch": "architecture", "dim": "size"}
INTEGER_MAX = 2**31 - 1
ROW_HEIGHT = 24


def label_of(name: str) -> str:
    """`learning_rate_g` to "Learning rate G"."""
    words = [ACRONYMS.get(word, word) for word in name.split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


class Editor:
    """One field's widget with how to read and fill it."""

    def __init__(self, widget: QWidget, read: Any, fill: Any, edited: Any) -> None:
        self.widget, self.read, self.fill, self.edited = widget, read, fill, edited


class SettingsForm(QWidget):
    """Labeled editors for some fields of a settings class; tooltips are the fields' descriptions."""

    edited = Signal(str)  # the field the user changed
    refused = Signal(str)  # which field put a text back, and what it had expected

    def __init__(
        self,
        model: type[Settings],
        names: Sequence[str],
        parent: QWidget | None = None,
        *,
        choices: Mapping[str, Sequence[str]] | None = None,
        suggestions: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """`choices` turns texts that have few sensible values into a list; `suggestions` stay texts."""
        super().__init__(parent)
        self._model = model
        self._choices = dict(choices or {})
        self._suggestions = dict(suggestions or {})
        self._layout = QFormLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setVerticalSpacing(3)
        self._layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._editors: dict[str, Editor] = {}
        self._hints = get_type_hints(model)
        self.add_fields(names)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._editors)

    def editor(self, name: str) -> QWidget:
        return self._editors[name].widget

    def add_fields(self, names: Sequence[str]) -> None:
        for name in names:
            self._add(name, self._hints[name])

    def add_row(self, label: str, widget: QWidget, *, tooltip: str = "") -> None:
        """A row that is made elsewhere, after those there are."""
        self._layout.addRow(label, widget)
        widget.setToolTip(tooltip)

    def add_text(self, name: str, *, placeholder: str, tooltip: str) -> None:
        """A row for a text that is no field of the settings; what it means is its owner's to say."""
        editor = _text(name, str, optional=False)
        self._register(name, editor, tooltip)
        cast(QLineEdit, editor.widget).setPlaceholderText(placeholder)

    def values(self) -> dict[str, Any]:
        """What the editors show, by field name; raises ConfigError for a text that cannot be read."""
        return {name: editor.read() for name, editor in self._editors.items()}

    def shown(self) -> dict[str, Any]:
        """What stands in the editors, texts that cannot be read included; `fill` shows it again."""
        return {
            name: editor.widget.text()
            if isinstance(editor.widget, QLineEdit) and not isinstance(editor.widget, NumberEdit)
            else editor.read()
            for name, editor in self._editors.items()
        }

    def fill(self, values: Mapping[str, Any]) -> None:
        """Show those of `values` that are fields here; `edited` stays silent."""
        for name, editor in self._editors.items():
            if name in values:
                editor.widget.blockSignals(True)
                editor.fill(values[name])
                editor.widget.blockSignals(False)

    def _add(self, name: str, annotation: Any) -> None:
        field = self._model.model_fields[name]
        bounds = {type(item).__name__: item for item in field.metadata}
        low = getattr(bounds.get("Ge"), "ge", getattr(bounds.get("Gt"), "gt", 0))
        high = getattr(bounds.get("Le"), "le", getattr(bounds.get("Lt"), "lt", INTEGER_MAX))
        if name in self._choices:
            editor = _choice([(LABELS.get(value, value), value) for value in self._choices[name]])
        elif name in self._suggestions:
            editor = _suggested(self._suggestions[name])
        else:
            editor = make_editor(name, annotation, low=low, high=high)
        editor.fill(field.default)
        self._register(name, editor, field.description or "")

    def _register(self, name: str, editor: Editor, description: str) -> None:
        editor.widget.setMinimumHeight(ROW_HEIGHT)  # else boxes and lines differ by some pixels
        editor.widget.setObjectName(f"{name}_field")
        editor.widget.setAccessibleName(label_of(name))
        editor.widget.setAccessibleDescription(description)
        editor.widget.setToolTip(f"<p>{description}</p>")  # a paragraph wraps
        editor.widget.setProperty("field", name)
        editor.edited.connect(self._tell)
        if isinstance(editor.widget, NumberEdit | IntegerEdit):
            editor.widget.refused.connect(partial(self._tell_refused, label_of(name)))
        self._editors[name] = editor
        self._layout.addRow(label_of(name), editor.widget)

    def _tell_refused(self, label: str, expected: str) -> None:
        self.refused.emit(f"{label}: {expected}")

    @Slot()
    def _tell(self) -> None:
        sender = self.sender()
        self.edited.emit(str(sender.property("field")))


def make_editor(name: str, annotation: Any, *, low: float, high: float) -> Editor:
    """The editor that fits a field's type: choices, yes/no, numbers, optional numbers, texts."""
    plain, optional = _without_none(annotation)
    if get_origin(plain) is Literal:
        choices = [(LABELS.get(value, str(value)), value) for value in get_args(plain)]
        return _choice([("Automatic", None), *choices] if optional else choices)
    if plain is bool:
        if optional:
            return _choice([("Automatic", None), ("Yes", True), ("No", False)])
        box = QCheckBox()
        return Editor(box, box.isChecked, box.setChecked, box.toggled)
    if plain is int:
        return _integer(int(low), int(high), optional=optional)
    if plain is float and not optional:
        number = NumberEdit(low, low=low, high=high)
        return Editor(number, lambda: number.value, number.set_value, number.value_edited)
    return _text(name, plain, optional=optional)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [item for item in get_args(annotation) if item is not type(None)]
        return rest[0], len(rest) < len(get_args(annotation))
    return annotation, False


def _choice(choices: Sequence[tuple[str, Any]]) -> Editor:
    box = QComboBox()
    for text, value in choices:
        box.addItem(text, value)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    values = [value for _, value in choices]

    def fill(value: Any) -> None:
        if value not in values:  # a run's from elsewhere: a device that is not here, for example
            values.append(value)
            box.addItem(str(value), value)
        box.setCurrentIndex(values.index(value))

    return Editor(box, lambda: values[box.currentIndex()], fill, box.currentIndexChanged)


def _suggested(texts: Sequence[str]) -> Editor:
    """A text, with some that are likely."""
    box = QComboBox()
    box.setEditable(True)
    box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    box.addItems(list(texts))
    return Editor(box, lambda: box.currentText().strip(), box.setCurrentText, box.currentTextChanged)


def _integer(low: int, high: int, *, optional: bool) -> Editor:
    box = IntegerEdit()
    empty = low - 1  # one below the range stands for "not given"
    box.setRange(empty if optional else low, min(high, INTEGER_MAX))
    box.setGroupSeparatorShown(False)
    if not optional:
        return Editor(box, box.value, box.setValue, box.valueChanged)
    box.setSpecialValueText("Automatic")

    def read() -> int | None:
        return None if box.value() == empty else box.value()

    def fill(value: int | None) -> None:
        box.setValue(empty if value is None else value)

    return Editor(box, read, fill, box.valueChanged)


def _text(name: str, kind: Any, *, optional: bool) -> Editor:
    line = QLineEdit()
    line.setPlaceholderText("Automatic" if optional else "")

    def read() -> Any:
        text = line.text().strip()
        if not text and optional:
            return None
        if kind is float:
            return _number(name, text)
        return Path(text) if kind is Path else text

    def fill(value: Any) -> None:
        line.setText("" if value is None else str(value))

    return Editor(line, read, fill, line.editingFinished)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{label_of(name)}: expected a number or nothing, got {text!r}.") from None
