"""The chosen image: linked views, gain, strength, classes before and after, size of the perturbation."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QPalette, QPixmap
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from pgn_studio.core.amounts import percent
from pgn_studio.core.evaluation.selection import Outcome
from pgn_studio.gui.gallery.delegate import BADGE_PX, paint_badge
from pgn_studio.gui.pages.inspect.linked_views import LinkedViews
from pgn_studio.gui.pages.inspect.perturbation_view import ColorBar, GainControl, auto_gain
from pgn_studio.gui.pages.inspect.strength import StrengthControl
from pgn_studio.gui.pages.inspect.subject import Facts, Sample
from pgn_studio.gui.pictures import to_qimage

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.strength import StrengthCurve


TOP = 5
LONG, SHORT = "100.0 % → 100.0 %", "100 % → 100 %"  # figures with room and without
LEAST_BAR_PX, LEAST_NAME_PX = 60, 40
GAP_PX = 8
AFTER_COLOR = QColor(0x00, 0x9E, 0x73)  # Okabe and Ito's green: blue and vermilion mean right and wrong


@dataclass(frozen=True)
class ProbabilityRow:
    name: str
    before: float
    after: float
    is_truth: bool


def top_rows(
    classes: tuple[str, ...], before: npt.NDArray[np.float32], after: npt.NDArray[np.float32], truth: int
) -> list[ProbabilityRow]:
    """The TOP classes by the larger of both probabilities; the true class (-1: unknown) is always there."""
    order = np.argsort(-np.maximum(before, after), kind="stable")[:TOP].tolist()
    if truth >= 0 and truth not in order:
        order[-1] = truth
    return [ProbabilityRow(classes[k], float(before[k]), float(after[k]), k == truth) for k in order]


class ProbabilityBars(QWidget):
    """One line per class: its name, a bar before over a bar after, both as percentages."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[ProbabilityRow] = []
        self._after = "after"
        self.setObjectName("probabilities")
        self.setAccessibleName("Class probabilities before and after")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def rows(self) -> list[ProbabilityRow]:
        return list(self._rows)

    def show_rows(self, rows: list[ProbabilityRow], after: str = "after") -> None:
        """`after`: what the second bar of each row is called."""
        self._rows, self._after = rows, after
        lines = [f"{row.name}: {percent(row.before)} before, {percent(row.after)} {after}" for row in rows]
        self.setAccessibleDescription("; ".join(lines))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._advance(LONG) + 200, self._line_px() * (TOP + 1))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._advance(SHORT) + LEAST_BAR_PX + LEAST_NAME_PX, self.sizeHint().height())

    def _advance(self, text: str) -> int:
        return self.fontMetrics().horizontalAdvance(text) + GAP_PX

    def _name_px(self) -> int:
        room = max(self.width() - self._advance(SHORT) - LEAST_BAR_PX, LEAST_NAME_PX)
        return min(self.width() // 3, self._widest_name() + GAP_PX, room)

    @property
    def exact(self) -> bool:
        """Whether there is room for a digit after the point."""
        return self.width() - self._name_px() - self._advance(LONG) >= LEAST_BAR_PX

    def _line_px(self) -> int:
        return self.fontMetrics().height() + GAP_PX

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._rows:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        name_px, figures_px = self._name_px(), self._advance(LONG if self.exact else SHORT)
        bars = QRectF(name_px, 0, max(self.width() - name_px - figures_px, 20), self._line_px())
        self._paint_legend(painter, bars)
        for number, row in enumerate(self._rows, start=1):
            self._paint_row(painter, row, bars.translated(0, number * self._line_px()))

    def _widest_name(self) -> int:
        # The true class is bold, and a little wider than measured here.
        return max(int(self.fontMetrics().horizontalAdvance(row.name) * 1.15) for row in self._rows)

    def _before_color(self) -> QColor:
        color = QColor(self.palette().color(QPalette.ColorRole.WindowText))
        color.setAlphaF(0.45)
        return color

    def _paint_legend(self, painter: QPainter, bars: QRectF) -> None:
        metrics = self.fontMetrics()
        x = bars.x()
        for text, color in (("before", self._before_color()), (self._after, AFTER_COLOR)):
            painter.fillRect(QRectF(x, bars.center().y() - 4, 10, 8), color)
            x += 14
            painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
            width = metrics.horizontalAdvance(text)
            painter.drawText(
                QRectF(x, bars.y(), width + 2, bars.height()), Qt.AlignmentFlag.AlignVCenter, text
            )
            x += width + 14

    def _paint_row(self, painter: QPainter, row: ProbabilityRow, bars: QRectF) -> None:
        font = QFont(self.font())
        font.setBold(row.is_truth)
        painter.setFont(font)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        width = int(bars.x()) - GAP_PX
        name = painter.fontMetrics().elidedText(row.name, Qt.TextElideMode.ElideRight, width)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(0, bars.y(), width, bars.height()), right, name)
        painter.setFont(self.font())
        track = QColor(self.palette().color(QPalette.ColorRole.WindowText))
        track.setAlphaF(0.07)
        height = (bars.height() - 6) / 2
        for line, (value, color) in enumerate(((row.before, self._before_color()), (row.after, AFTER_COLOR))):
            bar = QRectF(bars.x(), bars.y() + 3 + line * height, bars.width(), height - 1)
            painter.fillRect(bar, track)
            bar.setWidth(bars.width() * min(max(value, 0.0), 1.0))
            painter.fillRect(bar, color)
        figures = QRectF(bars.right() + GAP_PX, bars.y(), self.width() - bars.right() - GAP_PX, bars.height())
        digits = 1 if self.exact else 0
        painter.drawText(figures, right, f"{percent(row.before, digits)} → {percent(row.after, digits)}")


@dataclass(frozen=True)
class DetailContent:
    """A sample with its pictures (made in the worker) and its auto gain."""

    sample: Sample
    original: QImage
    perturbed: QImage
    automatic_gain: float
    facts: Facts | None = None  # of an image file; what is known of a split's image the evaluation says


class DetailPanel(QWidget):
    strength_requested = Signal()  # α was moved, and how the classifier answers there is not known yet

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.views = LinkedViews(self)
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
        saved = (
            "" if facts.saved is None else f"After 8-bit rounding: predicted {facts.classes[facts.saved]}."
        )
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
            self.strength_requested.emit()
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
