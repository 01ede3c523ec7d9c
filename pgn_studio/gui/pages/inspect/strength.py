"""The strength slider: x + αp from nothing to three times the PGN's own p, and the classes on the way."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import (
    QGridLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyleOptionSlider,
    QToolButton,
    QWidget,
)

from pgn_studio.gui.gallery.delegate import RIGHT_COLOR, WRONG_COLOR
from pgn_studio.gui.operations import LatestRequest
from pgn_studio.gui.pages.inspect.subject import Sample, Subject
from pgn_studio.gui.wording import error_text

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.strength import StrengthCurve
    from pgn_studio.core.protocols import Progress


UNKNOWN_COLOR = QColor(0x56, 0x60, 0x70)  # where nobody has said what is right
LARGEST = 3.0
STEP = 0.05  # of the slider, and of the curve that is asked for: every position is answered exactly
STEPS = round(LARGEST / STEP)
OWN = round(1 / STEP)  # the position of α = 1
HEIGHT_PX = 16


class StrengthControl(QWidget):
    """`changed` comes with each α moved by the user; a new image keeps α."""

    changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._value = QLabel(self)
        self._reset = QToolButton(self)
        self._flips = QLabel(self)
        self.strip = ClassStrip(self._slider, self)
        self._build()
        self._show_value()

    @property
    def alpha(self) -> float:
        return self._slider.value() / OWN

    def show_curve(self, curve: StrengthCurve | None, classes: tuple[str, ...], truth: int) -> None:
        """The curve of the image now shown; None while it is being computed."""
        self.strip.show_curve(curve, classes, truth)
        if curve is None:
            self._say("")
            return
        first = classes[int(curve.row(0.0).argmax())]
        if not curve.flips:
            self._say(f"Stays {first} up to α {curve.alphas[-1]:g}")
            return
        changes = [
            f"α {flip.alpha:.2f}: {classes[flip.before]} → {classes[flip.after]}" for flip in curve.flips
        ]
        self._say("Class changes at " + ", ".join(changes))

    def show_asking(self) -> None:
        self._say("Asking the classifier …")

    def show_failure(self, message: str) -> None:
        self.strip.show_curve(None, (), -1)
        self._say(message)

    def _say(self, text: str) -> None:
        self._flips.setText(text)
        self._flips.setToolTip(text)

    def _build(self) -> None:
        self._slider.setObjectName("strength")
        self._slider.setAccessibleName("Strength α of the perturbation")
        self._slider.setToolTip("Adds α times the perturbation; α 1 is what the PGN makes")
        self._slider.setRange(0, STEPS)
        self._slider.setPageStep(5)
        self._slider.setValue(OWN)
        self._slider.setMinimumWidth(90)
        self._slider.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._slider.valueChanged.connect(self._slide)
        self._value.setObjectName("strength-value")
        self._value.setMinimumWidth(self._value.fontMetrics().horizontalAdvance("α 3.00 "))
        self._reset.setObjectName("strength-reset")
        self._reset.setText("α = 1")
        self._reset.setAccessibleName("Strength of the PGN itself")
        self._reset.setToolTip("Back to what the PGN makes")
        self._reset.clicked.connect(self.reset)
        self._flips.setObjectName("strength-flips")
        self._flips.setTextFormat(Qt.TextFormat.PlainText)
        self._flips.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._flips.setMinimumWidth(1)
        caption = QLabel("&Strength", self)
        caption.setBuddy(self._slider)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(1)
        for column, widget in enumerate((caption, self._slider, self._value, self._reset)):
            grid.addWidget(widget, 0, column)
        grid.addWidget(self.strip, 1, 1)
        grid.addWidget(self._flips, 2, 0, 1, 4)
        grid.setColumnStretch(1, 1)

    def reset(self) -> None:
        self._slider.setValue(OWN)

    def _slide(self) -> None:
        self._show_value()
        self.strip.update()
        self.changed.emit(self.alpha)

    def _show_value(self) -> None:
        self._value.setText(f"α {self.alpha:.2f}")
        self._reset.setEnabled(self._slider.value() != OWN)


class ClassStrip(QWidget):
    """Below the slider's groove: what the classifier says at each α, blue where it is right.

    Neither right nor wrong where the true class is not known.
    """

    def __init__(self, slider: QSlider, parent: QWidget) -> None:
        super().__init__(parent)
        self._slider = slider
        self._curve: StrengthCurve | None = None
        self._classes: tuple[str, ...] = ()
        self._truth = -1
        self.setObjectName("strength-classes")
        self.setAccessibleName("Predicted class by strength")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_curve(self, curve: StrengthCurve | None, classes: tuple[str, ...], truth: int) -> None:
        self._curve, self._classes, self._truth = curve, classes, truth
        spans = self.spans()
        words = [f"{low:.2f} to {high:.2f}: {classes[label]}" for low, high, label in spans]
        self.setAccessibleDescription("; ".join(words))
        self.update()

    def spans(self) -> list[tuple[float, float, int]]:
        """(from α, to α, class) one after another."""
        if self._curve is None:
            return []
        edges = [0.0, *(flip.alpha for flip in self._curve.flips), float(self._curve.alphas[-1])]
        labels = [int(self._curve.row(0.0).argmax()), *(flip.after for flip in self._curve.flips)]
        return list(zip(edges[:-1], edges[1:], labels, strict=True))

    def look_of(self, label: int) -> tuple[str, QColor]:
        """The mark and the color of a class."""
        if self._truth < 0:
            return "", UNKNOWN_COLOR
        return ("✓", RIGHT_COLOR) if label == self._truth else ("✗", WRONG_COLOR)

    def sizeHint(self) -> QSize:
        return QSize(100, max(HEIGHT_PX, self.fontMetrics().height()))

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._curve is None:
            return
        painter = QPainter(self)
        left, right = self._groove()
        for low, high, label in self.spans():
            x = left + (right - left) * low / LARGEST
            area = QRectF(x, 1, left + (right - left) * high / LARGEST - x, self.height() - 2)
            self._paint_span(painter, area, label)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        here = left + (right - left) * self._slider.value() / STEPS
        painter.drawLine(int(here), 0, int(here), self.height())

    def _paint_span(self, painter: QPainter, area: QRectF, label: int) -> None:
        mark, color = self.look_of(label)
        painter.fillRect(area.adjusted(0, 0, -1, 0), color)
        text = f"{mark} {self._classes[label]}".lstrip()
        font = painter.font()
        font.setPixelSize(self.height() - 5)
        painter.setFont(font)
        painter.setPen(Qt.GlobalColor.white)
        room = area.adjusted(3, 0, -3, 0)
        short = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(room.width()))
        if len(short) > 1:
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, short)

    def _groove(self) -> tuple[int, int]:
        """x of the handle's middle at α 0 and at the largest, in this widget."""
        option = QStyleOptionSlider()
        self._slider.initStyleOption(option)
        handle = self._slider.style().subControlRect(
            QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, self._slider
        )
        half = handle.width() // 2
        offset = self._slider.x() - self.x()
        return offset + half, offset + self._slider.width() - half


SEARCH_DELAY_MS = 250  # whoever walks through the gallery does not wait for it


class StrengthSearch(QObject):
    """Searches by itself; of a black box, whose answers cost queries, only once α is moved."""

    found = Signal(object)  # StrengthCurve

    def __init__(self, control: StrengthControl, parent: QObject) -> None:
        super().__init__(parent)
        self._control = control
        self._wanted: tuple[Subject, Sample] | None = None
        self._asked = False
        self._latest = LatestRequest(self, delay_ms=SEARCH_DELAY_MS)
        self._latest.succeeded.connect(self.found)
        self._latest.failed.connect(self._show_failure)

    def search(self, subject: Subject, sample: Sample) -> None:
        """For the image now shown."""
        self._wanted, self._asked = (subject, sample), False
        if subject.classifier.queries is None or self._control.alpha != 1.0:
            self.ask()

    def forget(self) -> None:
        """Another image is on its way, or none."""
        self._wanted = None
        self._latest.cancel()

    def ask(self) -> None:
        """Once for each image."""
        if self._wanted is not None and not self._asked:
            self._asked = True
            self._latest.request(partial(_search, *self._wanted))
            self._control.show_asking()

    def _show_failure(self, error: Exception) -> None:
        self._control.show_failure(error_text(error))


def _search(subject: Subject, sample: Sample, progress: Progress) -> StrengthCurve:
    from pgn_studio.core.evaluation.strength import strength_curve

    return strength_curve(
        subject.pgn,
        subject.classifier,
        sample.original,
        alphas=np.linspace(0.0, LARGEST, STEPS + 1).round(6),
        refine=subject.classifier.queries is None,
        progress=progress,
    )
