"""Images of the run while it trains: original, perturbation and perturbed; and which ones are shown."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFontMetricsF,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
)
from PySide6.QtWidgets import QComboBox, QPushButton, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from pgn_studio.core.training.samples import MOST, SampleChoice, SampleRule
from pgn_studio.gui.pictures import PreviewImages, Triptych
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.widgets.compact import ARROW, elided_change

RULES: tuple[tuple[SampleRule, str, str], ...] = (
    ("mixed", "Half misclassified", "Half of the images are misclassified"),
    ("wrong", "Only misclassified", "Misclassified images: the ones that can be fixed"),
    ("any", "Any", "Any image of the validation split"),
)


class SampleBar(QWidget):
    """Holds the choice until the window closes; a run follows it at its next step."""

    changed = Signal(object)  # SampleChoice

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = SampleChoice()
        self.rule = QComboBox(self)
        self.rule.setObjectName("sample_rule")
        self.rule.setAccessibleName("Samples of the preview")
        tips = "".join(f"<br><b>{title}</b>: {tip}" for _, title, tip in RULES)
        self.rule.setToolTip(
            f"<p>Which validation images are shown next to the pinned ones.{tips}</p>"
            "<p>A black box is asked about new images at the end of the epoch.</p>"
        )
        for rule, title, _ in RULES:
            self.rule.addItem(title, rule)
        self.shuffle = self._button("Shuffle", "shuffle_samples", "Show a different random selection")
        self.unpin = self._button("Unpin all", "unpin_samples", "Unpin all images")
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


ROWS = ("original", "perturbation", "perturbed")
GAP = 4.0
CAPTION_HEIGHT = 18.0  # at the usual text size; larger texts have more
PIN = "◆"
MARKS = {"fixed": "✓", "broken": "✗", "both right": "", "both wrong": ""}


class PreviewStrip(QWidget):
    """Paints what it is given; one widget for all images. A click, or Return, pins a column's image."""

    pin_requested = Signal(int)  # an index of the validation split: pin it, or let go of it

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("preview_strip")
        self.setAccessibleName("Preview of samples: original, perturbation, perturbed")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._preview: PreviewImages | None = None
        self._pinned: frozenset[int] = frozenset()
        self._current = 0  # the column that the keyboard is at
        self._classes: tuple[str, ...] = ()

    @property
    def preview(self) -> PreviewImages | None:
        return self._preview

    def set_classes(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)

    def show_preview(self, preview: PreviewImages) -> None:
        self._preview = preview
        gamma = f", γ {preview.gamma:g}" if math.isfinite(preview.gamma) else ""
        self.setToolTip(
            f"Step {preview.step}{gamma}. Gray in the middle row is no change; "
            f"black and white are ±{preview.perturbation_scale:.3g}. "
            "Click an image to pin or unpin it."
        )
        self.update()

    def set_pinned(self, indices: Sequence[int]) -> None:
        """Mark these; which images are shown is the run's doing."""
        self._pinned = frozenset(indices)
        self.update()

    def clear(self) -> None:
        self._preview = None
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(600, int(3 * 50 + 2 * GAP + self._caption_height() + 4))

    def minimumSizeHint(self) -> QSize:
        return QSize(240, self.sizeHint().height())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.FontChange:
            self.updateGeometry()

    def event(self, event: QEvent) -> bool:
        """The column under the pointer in full; elsewhere the tooltip of the whole."""
        if isinstance(event, QHelpEvent):
            for column, cell in enumerate(self.cells()):
                if cell.left() <= event.pos().x() <= cell.right():
                    QToolTip.showText(event.globalPos(), self.tip(column), self)
                    return True
        return super().event(event)

    def tip(self, column: int) -> str:
        return f"<p>{html.escape(self._spoken(column))}</p><p>{html.escape(self.toolTip())}</p>"

    def shown_caption(self, column: int) -> str:
        """As it is painted."""
        assert self._preview is not None
        triptych = self._preview.triptychs[column]
        pin = f"{PIN} " if triptych.index in self._pinned else ""
        mark = f"{MARKS[triptych.outcome]} " if MARKS[triptych.outcome] else ""
        room = self.cells()[column].width()
        return elided_change(QFontMetricsF(self.font()), pin + mark, self._change(triptych), room)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._preview is None:
            painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
            text = "Samples appear here once training starts."
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, text)
            return
        left, side = self._left(), self._side()
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        for row, name in enumerate(ROWS):
            box = QRectF(0, row * (side + GAP), left - 8, side)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, name)
        for column, cell in enumerate(self.cells()):
            self._paint_column(painter, column, cell)
            if self.hasFocus() and column == self._current:
                painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Highlight), 1))
                painter.drawRect(QRectF(cell.x(), 0, cell.width() - 1, self.height() - 1))

    def cells(self) -> list[QRectF]:
        """The columns that there is room for: each one's width, and one image's height."""
        if self._preview is None:
            return []
        left, side = self._left(), self._side()
        count = max(1, len(self._preview.triptychs))
        fair = (self.width() - left) / count - GAP
        width = max(side + 3 * GAP, min(fair, 2.5 * side))
        lefts = (left + column * (width + GAP) for column in range(len(self._preview.triptychs)))
        return [QRectF(x, 0, width, side) for x in lefts if x + width <= self.width()]

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for column, cell in enumerate(self.cells()):
            if cell.left() <= event.position().x() <= cell.right():
                self._current = column
                self._pin(column)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        moves = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if event.key() in moves and self._preview is not None:
            last = len(self.cells()) - 1
            self._current = min(max(0, self._current + moves[Qt.Key(event.key())]), max(0, last))
            self.setAccessibleDescription(self._spoken(self._current))
            self.update()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._pin(self._current)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.setAccessibleDescription(self._spoken(self._current))

    def _pin(self, column: int) -> None:
        if self._preview is not None and column < len(self._preview.triptychs):
            index = self._preview.triptychs[column].index
            if index >= 0:
                self.pin_requested.emit(index)

    def _spoken(self, column: int) -> str:
        """What the column shows, for those who hear it."""
        if self._preview is None or column >= len(self._preview.triptychs):
            return ""
        triptych = self._preview.triptychs[column]
        pinned = ", pinned" if triptych.index in self._pinned else ""
        return f"{self._name(triptych.label)}: {self._change(triptych)}, {triptych.outcome}{pinned}"

    def _left(self) -> float:
        """Where the first column begins: right of the rows' names."""
        metrics = QFontMetricsF(self.font())
        return max(metrics.horizontalAdvance(row) for row in ROWS) + 12

    def _side(self) -> float:
        return (self.height() - self._caption_height() - 2 * GAP - 4) / 3

    def _caption_height(self) -> float:
        return max(CAPTION_HEIGHT, QFontMetricsF(self.font()).height() + 2)

    def _change(self, triptych: Triptych) -> str:
        before, after = self._name(triptych.clean_prediction), self._name(triptych.perturbed_prediction)
        return before if before == after else f"{before}{ARROW}{after}"

    def _name(self, index: int) -> str:
        return self._classes[index] if 0 <= index < len(self._classes) else str(index)

    def _paint_column(self, painter: QPainter, column: int, cell: QRectF) -> None:
        """`cell` is the column's width and one image's height."""
        assert self._preview is not None
        triptych, side = self._preview.triptychs[column], cell.height()
        colors = current_theme().colors
        outlines = {"fixed": colors.good, "broken": colors.bad}
        color = QColor(outlines.get(triptych.outcome, colors.muted))
        x = cell.x() + (cell.width() - side) / 2
        images: tuple[QImage, ...] = (triptych.original, triptych.perturbation, triptych.perturbed)
        for row, image in enumerate(images):
            target = QRectF(QPointF(x, row * (side + GAP)), cell.size())
            target.setWidth(side)
            painter.drawImage(target, image)  # not smoothed: pixels are what this is about
            if row == 2 and triptych.outcome in outlines:
                painter.setPen(QPen(color, 2))
                painter.drawRect(target)
        caption = QRectF(cell.x(), 3 * side + 2 * GAP + 2, cell.width(), self._caption_height())
        painter.setPen(color)
        painter.drawText(caption, Qt.AlignmentFlag.AlignCenter, self.shown_caption(column))
