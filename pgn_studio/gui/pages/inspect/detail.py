"""The chosen image: three tied views, gain, strength, classes before and after, size of the perturbation."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPixmap
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from pgn_studio.core.evaluation.selection import Outcome
from pgn_studio.gui.gallery.delegate import BADGE_PX, paint_badge
from pgn_studio.gui.gallery.pictures import to_qimage
from pgn_studio.gui.pages.inspect.color_bar import ColorBar
from pgn_studio.gui.pages.inspect.gain_control import GainControl
from pgn_studio.gui.pages.inspect.linked_views import TiedViews
from pgn_studio.gui.pages.inspect.perturbation_picture import auto_gain
from pgn_studio.gui.pages.inspect.probability_bars import ProbabilityBars, top_rows
from pgn_studio.gui.pages.inspect.sample import Facts, Sample
from pgn_studio.gui.pages.inspect.strength import StrengthControl
from pgn_studio.gui.widgets.row_table import percent

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.strength import StrengthCurve


@dataclass(frozen=True)
class DetailContent:
    """A sample with its pictures (made in the worker) and its auto gain."""

    sample: Sample
    original: QImage
    perturbed: QImage
    automatic_gain: float
    facts: Facts | None = None  # of an image file; what is known of a split's image the evaluation says


class DetailPanel(QWidget):
    strength_wanted = Signal()  # α was moved, and how the classifier answers there is not known yet

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.views = TiedViews(self)
        self.gain = GainControl(self)
        self.colors = ColorBar(self)
        self.strength = StrengthControl(self)
        self.bars = ProbabilityBars(self)
        self._content: DetailContent | None = None
        self._facts: Facts | None = None
        self._curve: StrengthCurve | None = None
        self._badge = QLabel(self)
        self._title = _label("image-title", self)
        self._sizes = {name: _label(f"size-{name}", self) for name in ("l2", "rms", "linf")}
        self._after_saving = _label("after-saving", self)
        self._build()
        self.gain.changed.connect(self._draw_perturbation)
        self.strength.changed.connect(self._move_strength)

    @property
    def alpha(self) -> float:
        """The strength that is shown: 1 until it is known what the classifier says at another."""
        return self.strength.alpha if self._curve is not None else 1.0

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
        column.addWidget(self.colors)
        column.addWidget(self.strength)
        column.addLayout(below)

    def show_detail(self, content: DetailContent, facts: Facts) -> None:
        self._content, self._facts, self._curve = content, facts, None
        self._show_title(content.sample, facts)
        self.strength.show_curve(None, (), -1)
        self.views.show_sample(content.sample, content.original, content.perturbed)
        said = int(content.sample.before.argmax())
        self._caption("original", said, float(content.sample.before.max()))
        self.gain.set_automatic_gain(content.automatic_gain)
        saved = "" if facts.saved is None else f"Saved as PNG it is taken for {facts.classes[facts.saved]}."
        self._after_saving.setText(saved)
        self._show_strength()

    def show_curve(self, curve: StrengthCurve) -> None:
        """How the classifier answers along α for the image shown: from now on the slider works."""
        if self._facts is None:
            return
        self._curve = curve
        truth = -1 if self._facts.truth is None else self._facts.truth
        self.strength.show_curve(curve, self._facts.classes, truth)
        if self.strength.alpha != 1.0:
            self._show_strength()

    def show_busy(self, name: str) -> None:
        """The chosen image is being computed: no picture of another may stand for it."""
        self.clear()
        self._title.setText(f"{escape(name)} …")

    def show_failure(self, message: str) -> None:
        self.clear()
        self._title.setText(escape(message))

    def clear(self) -> None:
        self._content = self._facts = self._curve = None
        self.views.clear()
        self.bars.show_rows([])
        self.strength.show_curve(None, (), -1)
        self._badge.clear()
        for label in (self._title, self._after_saving, *self._sizes.values()):
            label.clear()

    def _show_title(self, sample: Sample, facts: Facts) -> None:
        self._title.setToolTip(facts.name)
        if facts.truth is None:
            self._badge.clear()
            self._title.setText(f"<b>From a file</b> · true class not known · {escape(facts.name)}")
            return
        before, after = (int(said.argmax()) == facts.truth for said in (sample.before, sample.after))
        outcome = Outcome.of(before=before, after=after)
        self._badge.setPixmap(_badge_pixmap(outcome, self.devicePixelRatioF()))
        self._title.setText(
            f"<b>{escape(outcome.value.capitalize())}</b> · true class "
            f"<b>{escape(facts.classes[facts.truth])}</b> · {escape(facts.name)}"
        )

    def _move_strength(self) -> None:
        if self._content is not None and self._curve is None:
            self.strength_wanted.emit()
        self._show_strength()

    def _show_strength(self) -> None:
        """Everything that follows α: perturbed picture, its class, the bars, the sizes."""
        content, facts, alpha = self._content, self._facts, self.alpha
        if content is None or facts is None:
            return
        sample = content.sample
        if alpha == 1.0 or self._curve is None:
            self.views.show_perturbed(sample.perturbed, content.perturbed)
            said, name = sample.after, "after"
        else:
            from pgn_studio.core.evaluation.strength import perturbed_at

            pixels = perturbed_at(sample.original, sample.perturbation, alpha)
            self.views.show_perturbed(pixels, to_qimage(pixels))
            said, name = self._curve.row(alpha), f"at α {alpha:.2f}"
        self._caption("perturbed", int(said.argmax()), float(said.max()))
        truth = -1 if facts.truth is None else facts.truth
        rows = top_rows(facts.classes, sample.before, said, truth) if sample.has_probabilities else []
        self.bars.show_rows(rows, name)
        for label, size in zip(self._sizes.values(), facts.sizes, strict=True):
            label.setText(f"{alpha * size:.3g}")
        self._draw_perturbation()

    def _caption(self, view: str, said: int, confidence: float) -> None:
        assert self._facts is not None
        assert self._content is not None
        truth, name = self._facts.truth, view.capitalize()
        if view == "perturbed" and self.alpha != 1.0:
            name = f"α {self.alpha:.2f}"
        share = f" {percent(confidence, 0)}" if self._content.sample.has_probabilities else ""
        mark = "" if truth is None else " ✓" if said == truth else " ✗"
        self.views.set_caption(view, f"{name}: {self._facts.classes[said]}{share}{mark}")

    def _draw_perturbation(self) -> None:
        gain = self.gain.gain
        self.views.show_perturbation(self.alpha, gain, self.gain.look)
        self.colors.show_scale(gain, self.gain.look)
        strength = "" if self.alpha == 1.0 else f"α {self.alpha:.2f} · "
        self.views.set_caption("perturbation", f"{strength}Perturbation × {gain:,.{1 if gain < 100 else 0}f}")


def make_detail(sample: Sample, facts: Facts | None = None) -> DetailContent:
    """Everything costly about showing `sample`; runs in the worker."""
    gain = auto_gain(sample.perturbation)
    return DetailContent(sample, to_qimage(sample.original), to_qimage(sample.perturbed), gain, facts)


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
