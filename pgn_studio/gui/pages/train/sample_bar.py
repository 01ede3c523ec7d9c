"""Which validation images the preview strip shows: a rule, other ones, pinned ones."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QComboBox, QPushButton, QVBoxLayout, QWidget

from pgn_studio.core.training.samples import MOST, SampleChoice, SampleRule

RULES: tuple[tuple[SampleRule, str, str], ...] = (
    ("mixed", "Half wrong", "Half of them images that the classifier gets wrong"),
    ("wrong", "Only wrong", "Images that the classifier gets wrong: those can be fixed"),
    ("any", "Any", "Any images of the validation split"),
)


class SampleBar(QWidget):
    """Holds the choice for the session; a run follows it at its next step."""

    changed = Signal(object)  # SampleChoice

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = SampleChoice()
        self.rule = QComboBox(self)
        self.rule.setObjectName("sample_rule")
        self.rule.setAccessibleName("Samples of the preview")
        tips = "".join(f"<br><b>{title}</b>: {tip}" for _, title, tip in RULES)
        self.rule.setToolTip(
            f"<p>Which validation images are shown beside the pinned ones.{tips}</p>"
            "<p>A black box is asked about others at the end of the epoch.</p>"
        )
        for rule, title, _ in RULES:
            self.rule.addItem(title, rule)
        self.shuffle = self._button("Shuffle", "shuffle_samples", "Show other images by the same rule")
        self.unpin = self._button("Unpin all", "unpin_samples", "Let go of the pinned images")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for part in (self.rule, self.shuffle, self.unpin):
            layout.addWidget(part)
        layout.addStretch(1)
        self.rule.activated.connect(self._choose_rule)
        self.shuffle.clicked.connect(self._shuffle)
        self.unpin.clicked.connect(self.forget_pins)
        self.unpin.setEnabled(False)

    @Slot(int)
    def toggle_pin(self, index: int) -> None:
        """Keep an image in the strip, or let go of it; the oldest goes where there are too many."""
        pinned = [other for other in self.choice.pinned if other != index]
        if len(pinned) == len(self.choice.pinned):
            pinned = [*pinned, index][-MOST:]
        self._set(replace(self.choice, pinned=tuple(pinned)))

    @Slot()
    def forget_pins(self) -> None:
        if self.choice.pinned:
            self._set(replace(self.choice, pinned=()))

    def _button(self, text: str, name: str, tip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setToolTip(tip)
        return button

    @Slot(int)
    def _choose_rule(self, row: int) -> None:
        self._set(replace(self.choice, rule=RULES[row][0]))

    @Slot()
    def _shuffle(self) -> None:
        self._set(replace(self.choice, draw=self.choice.draw + 1))

    def _set(self, choice: SampleChoice) -> None:
        self.choice = choice
        self.unpin.setEnabled(bool(choice.pinned))
        self.changed.emit(choice)
