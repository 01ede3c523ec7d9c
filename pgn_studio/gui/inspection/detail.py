"""The chosen image: three tied views, gain, classes before and after, size of the perturbation."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPixmap
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from pgn_studio.gui.gallery.delegate import BADGE_PX, paint_badge
from pgn_studio.gui.gallery.pictures import to_qimage
from pgn_studio.gui.gallery.query import Outcome
from pgn_studio.gui.inspection.gain_control import GainControl
from pgn_studio.gui.inspection.perturbation_picture import auto_gain
from pgn_studio.gui.inspection.probability_bars import ProbabilityBars, top_rows
from pgn_studio.gui.inspection.sample import Sample
from pgn_studio.gui.inspection.tied_views import TiedViews

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.evaluate import PerImage


@dataclass(frozen=True)
class DetailContent:
    """A sample with its pictures (made in the worker) and its auto gain."""

    sample: Sample
    original: QImage
    perturbed: QImage
    automatic_gain: float


class DetailPanel(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.views = TiedViews(self)
        self.gain = GainControl(self)
        self.bars = ProbabilityBars(self)
        self._badge = QLabel(self)
        self._title = _label("image-title", self)
        self._sizes = {name: _label(f"size-{name}", self) for name in ("l2", "rms", "linf")}
        self._after_saving = _label("after-saving", self)
        self._build()
        self.gain.changed.connect(self._draw_perturbation)

    def _build(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self._badge)
        head.addWidget(self._title, 1)
        self._title.setTextFormat(Qt.TextFormat.RichText)
        self._title.setMinimumWidth(1)
        figures = QWidget(self)
        numbers = QGridLayout(figures)
        numbers.setContentsMargins(0, 0, 0, 0)
        numbers.addWidget(QLabel("Perturbation", self), 0, 0, 1, 2)
        for row, (name, text) in enumerate(
            (("l2", "L2"), ("rms", "RMS per value"), ("linf", "Largest |p|")), start=1
        ):
            numbers.addWidget(QLabel(text, self), row, 0)
            numbers.addWidget(self._sizes[name], row, 1, Qt.AlignmentFlag.AlignRight)
        numbers.addWidget(self._after_saving, 4, 0, 1, 2)
        numbers.setHorizontalSpacing(16)
        self._after_saving.setWordWrap(True)
        below = QHBoxLayout()
        below.setSpacing(24)
        below.addWidget(self.bars, 1, Qt.AlignmentFlag.AlignTop)
        below.addWidget(figures, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        column.addWidget(self.views, 1)
        column.addWidget(self.gain)
        column.addLayout(below)

    def show_detail(
        self, content: DetailContent, per_image: PerImage, name: str, classes: tuple[str, ...]
    ) -> None:
        sample, index = content.sample, content.sample.index
        truth = int(per_image.labels[index])
        outcome = Outcome.of(
            before=bool(per_image.clean_prediction[index] == truth),
            after=bool(per_image.perturbed_prediction[index] == truth),
        )
        self._badge.setPixmap(_badge_pixmap(outcome, self.devicePixelRatioF()))
        self._title.setText(
            f"<b>{escape(outcome.value.capitalize())}</b> · true class <b>{escape(classes[truth])}</b>"
            f" · {escape(name)}"
        )
        self._title.setToolTip(name)
        self.views.show_sample(sample, content.original, content.perturbed)
        self.gain.set_automatic_gain(content.automatic_gain)
        self._draw_perturbation()
        for view, said in (("original", sample.before), ("perturbed", sample.after)):
            confidence = f"{said.max():.0%} " if sample.has_probabilities else ""
            self._caption(view, classes, int(said.argmax()), confidence, truth)
        rows = top_rows(classes, sample.before, sample.after, truth) if sample.has_probabilities else []
        self.bars.show_rows(rows)
        self._sizes["l2"].setText(f"{per_image.l2[index]:.3g}")
        self._sizes["rms"].setText(f"{per_image.rms[index]:.3g}")
        self._sizes["linf"].setText(f"{per_image.linf[index]:.3g}")
        self._show_saving(per_image, index, classes)

    def show_busy(self, name: str) -> None:
        """The chosen image is being computed: no picture of another may stand for it."""
        self.clear()
        self._title.setText(f"{escape(name)} …")

    def show_failure(self, message: str) -> None:
        self.clear()
        self._title.setText(escape(message))

    def clear(self) -> None:
        self.views.clear()
        self.bars.show_rows([])
        self._badge.clear()
        for label in (self._title, self._after_saving, *self._sizes.values()):
            label.clear()

    def _caption(self, view: str, classes: tuple[str, ...], said: int, confidence: str, truth: int) -> None:
        mark = "✓" if said == truth else "✗"
        self.views.set_caption(view, f"{view.capitalize()}: {classes[said]} {confidence}{mark}")

    def _draw_perturbation(self) -> None:
        gain = self.gain.gain
        self.views.show_perturbation(gain, magnitude=self.gain.magnitude)
        self.views.set_caption("perturbation", f"Perturbation × {gain:,.{1 if gain < 100 else 0}f}")

    def _show_saving(self, per_image: PerImage, index: int, classes: tuple[str, ...]) -> None:
        """Rounding to 8 bits can undo a small perturbation: say so where it does."""
        saved = int(per_image.perturbed_prediction_8bit[index])
        changed = saved != int(per_image.perturbed_prediction[index])
        self._after_saving.setText(f"Saved as PNG it is taken for {classes[saved]}." if changed else "")


def make_detail(sample: Sample) -> DetailContent:
    """Everything costly about showing `sample`; runs in the worker."""
    return DetailContent(
        sample, to_qimage(sample.original), to_qimage(sample.perturbed), auto_gain(sample.perturbation)
    )


def _label(name: str, parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setObjectName(name)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _badge_pixmap(outcome: Outcome, ratio: float) -> QPixmap:
    size = QSize(2 * BADGE_PX + 4, BADGE_PX + 4)
    pixmap = QPixmap(size * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    paint_badge(painter, QPointF(2, 2), outcome)
    painter.end()
    return pixmap
