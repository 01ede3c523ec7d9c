"""The chosen image under this PGN, others and baselines of the same strength, with their difference."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.baselines import BASELINES, DEFAULT_BASELINES
from pgn_studio.core.export.comparison_figure import ComparisonExport
from pgn_studio.gui.operations import LatestRequest
from pgn_studio.gui.pages.inspect.command import ExportChoice, export_command
from pgn_studio.gui.pages.inspect.comparison_view import ComparisonColumn, ComparisonView, painted_columns
from pgn_studio.gui.pages.inspect.other_pgns import OtherPgns
from pgn_studio.gui.pages.inspect.subject import Subject
from pgn_studio.gui.wording import error_text

if TYPE_CHECKING:
    from pgn_studio.core.export.comparison import Compared
    from pgn_studio.core.protocols import Progress

DELAY_MS = 120
IN_A_ROW = 4  # baselines
NOTHING = "Choose an image of the data set."


class ComparisonPanel(QWidget):
    """Asks only while it is seen; of a black box, whose answers cost queries, only by a button."""

    export_requested = Signal()
    failed = Signal(object)
    status = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("comparison_panel")
        self.others = OtherPgns(self)
        self._image = -1
        self._learning: set[str] = set()  # baselines that have to be trained before they can be shown
        self._shown: tuple[object, ...] = ()  # what the view shows, or has been asked for
        self._latest = LatestRequest(self, delay_ms=DELAY_MS)
        self.open_button = self._button("other_pgn_button", "Other &PGNs…", "Compare with other PGNs")
        self.name = QLabel(self)
        self.close_button = QToolButton(self)
        self.measure_button = self._button("measure_other_button", "", "For the gallery's filters")
        self.ticks = {name: QCheckBox(name, self) for name in BASELINES}
        self.ask_button = self._button("ask_comparison_button", "", "Ask the black box about this image")
        self.bar = QProgressBar(self)
        self.cancel_button = self._button("cancel_comparison_button", "Cancel", "Cancel the measurement")
        self.note = QLabel(self)
        self.view = ComparisonView(self)
        self.export_button = self._button(
            "export_comparison_button", "Export &comparison…", "As PNG, SVG or PDF"
        )
        self.copy_button = self._button(
            "copy_comparison_command", "Copy as command", "Copy this comparison as a command"
        )
        self._build()
        self._connect()
        self._refresh()

    def set_subject(self, subject: Subject | None) -> None:
        """Other PGNs are forgotten: they were held against another one."""
        self.show_image(-1)
        self.others.set_subject(subject)
        self._offer_baselines()

    def turn(self, subject: Subject) -> None:
        """The same PGN at another γ."""
        self.others.turn(subject)
        self._refresh()

    def show_image(self, index: int) -> None:
        """-1: none of the data set's. No picture of another image may stand for it."""
        if index != self._image:
            self._latest.cancel()
            self._shown = ()
            self.view.show_columns([])
        self._image = index
        self._refresh()

    @property
    def baselines(self) -> tuple[str, ...]:
        """Those that are ticked and can be shown."""
        ticked = (name for name, tick in self.ticks.items() if tick.isChecked() and tick.isEnabled())
        return tuple(name for name in ticked if name not in self._learning or name in self.others.made)

    def compared(self) -> Compared:
        """What the PGN is compared with now."""
        from pgn_studio.core.export.comparison import Compared

        first, *rest = self.others.pgns or (None,)
        pgns = tuple(one.pgn for one in rest if one is not None)
        return Compared(pgns, first.pgn if first else None, self.baselines, dict(self.others.made))

    def command(self) -> str:
        """The command line's twin of the comparison."""
        subject = self.others.subject
        assert subject is not None
        first, *rest = [str(one.path) for one in self.others.pgns] or [""]
        export = ComparisonExport(beside=tuple(rest), baselines=self.baselines)
        choice = ExportChoice(export, indices=(self._image,), against=first)
        return export_command(subject, choice, f"{subject.stem}-{export.file_name()}")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._refresh()

    # ------------------------------------------------------------------ parts

    def _build(self) -> None:
        self.name.setObjectName("other_pgn_name")
        self.name.setTextFormat(Qt.TextFormat.PlainText)
        self.name.setMinimumWidth(1)
        self.close_button.setText("×")
        self.close_button.setObjectName("close_other_button")
        self.close_button.setAccessibleName("Compare with no other PGN")
        self.close_button.setToolTip("Compare with no other PGN")
        self.close_button.setAutoRaise(True)
        for name, tick in self.ticks.items():
            tick.setObjectName(f"comparison_{name}")
            tick.setChecked(name in DEFAULT_BASELINES)
            tick.setToolTip("A baseline at the same RMS as the PGN on this image")
        self.measure_button.setAccessibleName("Measure the other PGN")
        self.ask_button.setAccessibleName("Ask about this image")
        self.note.setObjectName("comparison_note")
        self.note.setWordWrap(True)
        self.note.setProperty("role", "muted")
        self.bar.setAccessibleName("Progress of the comparison")
        self.bar.setTextVisible(False)
        first = QHBoxLayout()
        first.addWidget(self.open_button)
        first.addWidget(self.name, 1)
        first.addWidget(self.measure_button)
        first.addWidget(self.close_button)
        second = QGridLayout()
        second.addWidget(QLabel("Baselines", self), 0, 0)
        for number, tick in enumerate(self.ticks.values()):
            second.addWidget(tick, number // IN_A_ROW, 1 + number % IN_A_ROW)
        second.setColumnStretch(1 + IN_A_ROW, 1)
        work = QHBoxLayout()
        work.addWidget(self.note, 1)
        work.addWidget(self.bar)
        work.addWidget(self.cancel_button)
        work.addWidget(self.ask_button)
        area = QScrollArea(self)
        area.setWidget(self.view)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        last = QHBoxLayout()
        last.addStretch(1)
        last.addWidget(self.copy_button)
        last.addWidget(self.export_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 6, 0, 0)
        for row in (first, second, work):
            column.addLayout(row)
        column.addWidget(area, 1)
        column.addLayout(last)

    def _button(self, name: str, text: str, tip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setToolTip(tip)
        return button

    def _connect(self) -> None:
        self.open_button.clicked.connect(self._choose)
        self.close_button.clicked.connect(self.others.close)
        self.measure_button.clicked.connect(self.others.measure)
        self.cancel_button.clicked.connect(self.others.cancel)
        self.ask_button.clicked.connect(self._ask)
        self.export_button.clicked.connect(self.export_requested)
        self.copy_button.clicked.connect(self._copy)
        self.others.changed.connect(self._refresh)
        self.others.progressed.connect(self._advance)
        self.others.failed.connect(self.failed)
        self._latest.succeeded.connect(self._show)
        self._latest.failed.connect(self._show_failure)
        for name, tick in self.ticks.items():
            tick.toggled.connect(partial(self._ticked, name))

    def _offer_baselines(self) -> None:
        from pgn_studio.core.export.comparison import possible_baselines

        subject = self.others.subject
        kinds = BASELINES.available()
        self._learning = {name for name, kind in kinds.items() if kind.needs_training}
        possible = [] if subject is None else possible_baselines(subject.pgn, subject.classifier)
        for name, tick in self.ticks.items():
            kind = kinds.get(name)
            tick.setVisible(kind is not None and kind.strength != "none")
            if kind is None:
                continue
            tick.setText(kind.title)
            tick.setEnabled(name in possible)
            why = "" if name in possible else "; not for this PGN's problem and classifier"
            first = "; learns from the training images first" if kind.needs_training else ""
            tick.setToolTip(f"{kind.description[0].upper()}{kind.description[1:]}{first}{why}")

    # ------------------------------------------------------------------ what is done

    @Slot()
    def _choose(self) -> None:
        files, _ = QFileDialog.getOpenFileNames(self, "PGNs to compare with", "", "PGNs (*.safetensors)")
        self.others.open([Path(file) for file in files])

    def _ticked(self, name: str, ticked: bool) -> None:
        if ticked and name in self._learning and name not in self.others.made:
            self.others.train(name)
        self._refresh()

    @Slot()
    def _refresh(self) -> None:
        subject, first = self.others.subject, self.others.first
        queries = None if subject is None else subject.classifier.queries
        doing = self.others.doing
        names = [one.name for one in self.others.pgns]
        more = f", with {', '.join(names[1:])}" if names[1:] else ""
        text = f"{names[0]}{more}" if names else "Choose another PGN to see the difference"
        self.name.setText(text)
        self.name.setToolTip("\n".join(str(one.path) for one in self.others.pgns))
        self.close_button.setVisible(first is not None)
        unmeasured = first is not None and first.evaluation is None
        self.measure_button.setVisible(unmeasured and not doing)
        if subject is not None:
            self.measure_button.setText(f"Measure it: up to {len(subject.split):,} queries")
        self.open_button.setEnabled(subject is not None and not doing)
        self.bar.setVisible(bool(doing))
        self.cancel_button.setVisible(bool(doing))
        if doing and not self.note.text().startswith(doing):
            self.bar.setRange(0, 0)
        if not doing:
            self._untick_what_was_given_up()
        able = subject is not None and self._image >= 0
        self.ask_button.setVisible(able and queries is not None and self._wanted() != self._shown)
        self.ask_button.setText(f"Ask: up to {len(self.others.pgns) + len(self.baselines) + 2} queries")
        self.export_button.setEnabled(able)
        self.copy_button.setEnabled(able)
        self._show_state(doing)
        if able and queries is None:
            self._ask()

    def _untick_what_was_given_up(self) -> None:
        for name in self._learning - set(self.others.made):
            with QSignalBlocker(self.ticks[name]):
                self.ticks[name].setChecked(False)

    def _show_state(self, doing: str) -> None:
        text = f"{doing} …" if doing else ""
        if not doing and self._image < 0:
            text = NOTHING
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _wanted(self) -> tuple[object, ...]:
        subject = self.others.subject
        gamma = None if subject is None else subject.pgn.gamma
        return (self._image, gamma, *(one.path for one in self.others.pgns), *self.baselines)

    @Slot()
    def _ask(self) -> None:
        subject = self.others.subject
        if subject is None or self._image < 0 or not self.isVisible() or self._wanted() == self._shown:
            return
        self._shown = self._wanted()
        self._latest.request(partial(_make, subject, self._image, self.compared()))

    def _show(self, columns: list[ComparisonColumn]) -> None:
        self.view.show_columns(columns)
        self.ask_button.hide()

    def _show_failure(self, error: Exception) -> None:
        self._shown = ()
        self.view.show_columns([])
        self.note.setText(error_text(error))
        self.note.show()

    @Slot(int, int)
    def _advance(self, done: int, total: int) -> None:
        self.bar.setRange(0, total)
        self.bar.setValue(done)

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.command())
        self.status.emit("The command is copied")


def _make(subject: Subject, index: int, compared: Compared, progress: Progress) -> list[ComparisonColumn]:
    from pgn_studio.core.export.comparison import comparison_columns

    columns = comparison_columns(
        subject.pgn, subject.classifier, subject.split, index, compared, progress=progress
    )
    return painted_columns(columns)
