"""The Train tab: progress, health, four live plots and the preview strip."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from pgn_studio.core.amounts import duration, plural
from pgn_studio.core.gamma import GammaRange
from pgn_studio.core.locks import Holder
from pgn_studio.core.training.eta import ETAWords
from pgn_studio.core.training.events import (
    EpochCompleted,
    Notice,
    Preparing,
    RunFailed,
    RunFinished,
    RunStarted,
    StepCompleted,
    Vitals,
)
from pgn_studio.core.training.samples import SampleChoice
from pgn_studio.gui.pages.train.health_strip import HealthStrip
from pgn_studio.gui.pages.train.preview_strip import PreviewStrip, SampleBar
from pgn_studio.gui.pictures import PreviewImages
from pgn_studio.gui.plots.legend import ComparedBar
from pgn_studio.gui.plots.live_plots import LivePlots, PlotBar
from pgn_studio.gui.plots.series import DASHES, ComparedRun
from pgn_studio.gui.training.controller import RunState, TrainingBridge
from pgn_studio.gui.training.history import EPOCH_COLUMNS, RunHistory
from pgn_studio.gui.widgets.notices import Banner

NO_STEPS = "No steps yet: choose settings on the left, then press Start."
RATE_STEPS = 30  # whose images per second are averaged


class TrainPage(QWidget):
    """Shows what the bridge tells; asks for nothing but a look at the result."""

    inspect_requested = Signal()

    def __init__(self, bridge: TrainingBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("training_page")
        self.history = RunHistory()
        self.plots = LivePlots(self.history, self)
        self.strip = PreviewStrip(self)
        self.samples = SampleBar(self)
        self.banner = Banner(self)
        self.health = HealthStrip(self)
        self.bar = QProgressBar(self)
        self.bar.setObjectName("run_progress")
        self.bar.setAccessibleName("Progress of the run")
        self.bar.setTextVisible(False)
        self.bar.setStyleSheet("QProgressBar { min-height: 6px; max-height: 6px; }")
        self.position = QLabel(NO_STEPS, self)
        self.position.setObjectName("run_position")
        self.rate = QLabel(self)
        self.rate.setObjectName("run_rate")
        self.rate.setProperty("role", "muted")
        self.rate.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.controls = PlotBar(self.plots, self)
        self.compared_bar = ComparedBar(self)
        self._compared: list[ComparedRun] = []
        self.memory = QLabel(self)
        self.memory.setObjectName("run_memory")
        self.memory.setProperty("role", "muted")
        self.memory.setToolTip("Memory of this process; on a GPU, of the tensors and reserved by torch")
        self.figures = QLabel(self)
        self.figures.setObjectName("validation_figures")
        self.figures.setTextFormat(Qt.TextFormat.RichText)
        self.figures.setWordWrap(True)
        self._gammas: GammaRange | None = None  # that the shown run serves
        self._started: RunStarted | None = None
        self._past = False  # what is shown is a run from disk
        self._paused = False
        self._rates: deque[float] = deque(maxlen=RATE_STEPS)
        self.left = QLabel(self)
        self.left.setObjectName("run_left")
        self._left = ETAWords()
        self._lay_out()
        self._show_beside_bar("", "")
        self.compared_bar.removed.connect(self.stop_comparing)
        self.banner.action_clicked.connect(self.inspect_requested)
        self.health.step_chosen.connect(self.plots.point_to)
        self.strip.pin_requested.connect(self.samples.toggle_pin)
        self.samples.changed.connect(self._mark_pins)
        self._listen(bridge)

    def put_above(self, widget: QWidget) -> None:
        """On top of the page."""
        self._column.insertWidget(0, widget)

    def set_classes(self, classes: Sequence[str]) -> None:
        self.strip.set_classes(classes)

    def prepare(self, history: Sequence[dict[str, Any]] = (), gammas: GammaRange | None = None) -> None:
        """A run is about to start, or to go on after what `history` (its metrics) says."""
        self.replay(history, gammas)
        self.position.setText("Preparing: networks, statistics, first validation …")
        self.bar.setRange(0, 0)  # unknown how long

    def replay(self, lines: Sequence[dict[str, Any]], gammas: GammaRange | None = None) -> None:
        """Show the curves of a run that lies on disk, and that serves `gammas`."""
        self._clear()
        self._gammas = gammas
        self.plots.show_range(gammas)
        self.history.replay(lines)
        self._show_figures()
        self._past = True
        steps = self.history.steps.column("step")
        self.position.setText(
            f"A run from disk, {plural(int(steps[-1]), 'step')}" if len(steps) else NO_STEPS
        )
        if len(steps):
            self.plots.refresh()
            self._show_health()

    @Slot(float)
    def show_gamma(self, gamma: float) -> None:
        """Where the shown run serves a range: validation at the measured γ nearest to this one."""
        self.history.show_gamma(gamma)
        self.plots.refresh()
        self._show_figures()

    def _show_figures(self) -> None:
        """The newest validation, where a dial says at which γ; else the curves are enough."""
        epochs = self.history.epochs
        shown = self._gammas is not None and len(epochs) > 0
        self.figures.setVisible(shown)
        if not shown:
            self.plots.show_gamma(None)
            return
        last = {name: epochs.ends(name)[1] for name in EPOCH_COLUMNS}
        self.plots.show_gamma(last["gamma"])
        clean, accuracy = (100 * last[name] for name in ("clean_accuracy", "perturbed_accuracy_8bit"))
        self.figures.setText(
            f"<b>Validation at γ {last['gamma']:g}</b>, epoch {last['epoch']:.0f}: {clean:.1f} % → "
            f"{accuracy:.1f} % after 8-bit rounding, {last['fixed_8bit']:,.0f} fixed, "
            f"{last['broken_8bit']:,.0f} broken, RMS {last['rms_mean']:.4f}"
        )

    @property
    def compared(self) -> tuple[ComparedRun, ...]:
        return tuple(self._compared)

    def compare(self, name: str, folder: str, lines: Sequence[dict[str, Any]], dataset: str = "") -> bool:
        """Draw a run from disk beside the shown one; False when there are as many as can be told apart."""
        used = {run.dashes for run in self._compared if run.folder != folder}
        free = [dashes for dashes in DASHES if dashes not in used]
        if not free:
            return False
        history = RunHistory()
        history.replay(lines)
        others = [run for run in self._compared if run.folder != folder]
        self._set_compared([*others, ComparedRun(name, folder, history, free[0], dataset)])
        return True

    @Slot(str)
    def stop_comparing(self, folder: str) -> None:
        self._set_compared([run for run in self._compared if run.folder != folder])

    def _set_compared(self, runs: list[ComparedRun]) -> None:
        self._compared = runs
        self.plots.compare(runs)
        self.compared_bar.show_runs(runs)

    def say_held(self, holder: Holder) -> None:
        """The run from disk is being trained elsewhere."""
        self.banner.show_message(
            f"Read-only: {holder} is training this run.",
            hint="Open it again to refresh. Continue it here once that has ended.",
            kind="warning",
        )

    @Slot(object)
    def show_state(self, state: RunState) -> None:
        paused = state is RunState.PAUSED
        if paused or self._paused:
            self._show_pause(paused)
        if state is RunState.STOPPING:
            self.rate.setText("stopping at the next step …")

    def _show_pause(self, paused: bool) -> None:
        """Nothing moves meanwhile: it must not look as if the program hung."""
        self._paused = paused
        self.bar.setEnabled(not paused)
        self.rate.setText("paused" if paused else "")
        self.left.setVisible(not paused and bool(self.left.text()))
        if paused:
            self.banner.show_message(
                "Paused.", hint="Press Resume or Space to go on. The timer is paused, too.",
                kind="warning",
            )  # fmt: skip
        else:
            self.banner.hide()

    def _clear(self) -> None:
        self._started = None
        self._past = False
        self.history.clear()
        self.strip.clear()
        self.banner.hide()
        self.health.clear()
        self.plots.mark_notices()
        self._forget_pace()
        self.bar.setRange(0, 1)
        self.bar.setValue(0)
        self.plots.refresh()

    def _forget_pace(self) -> None:
        """Nothing trains: no rate, no time left, no memory to show."""
        self._rates.clear()
        self._left.say(None)
        self.rate.clear()
        self._show_beside_bar("", "")

    def _listen(self, bridge: TrainingBridge) -> None:
        bridge.preparing.connect(self._show_preparing)
        bridge.started.connect(self._start)
        bridge.steps.connect(self._add_steps)
        bridge.epoch.connect(self._add_epoch)
        bridge.preview.connect(self._show_preview)
        bridge.notice.connect(self._show_notice)
        bridge.vitals.connect(self._show_vitals)
        bridge.finished.connect(self._finish)
        bridge.failed.connect(self._fail)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.position)
        top.addWidget(self.rate, 1)
        top.addSpacing(12)
        top.addWidget(self.controls)
        progress = QHBoxLayout()  # beside the bar: the row above is as wide as a small window has room for
        progress.setSpacing(12)
        progress.addWidget(self.bar, 1)
        progress.addWidget(self.left)
        progress.addWidget(self.memory)
        card = QFrame(self)
        card.setProperty("card", True)
        inside = QHBoxLayout(card)
        inside.setContentsMargins(8, 6, 8, 4)
        inside.addWidget(self.strip, 1)
        inside.addWidget(self.samples)
        layout = self._column = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.addLayout(top)
        layout.addLayout(progress)
        layout.addWidget(self.banner)
        layout.addWidget(self.health)
        layout.addWidget(self.compared_bar)
        layout.addWidget(self.plots, 1)
        layout.addWidget(self.figures)
        layout.addWidget(card)

    # ------------------------------------------------------------------ what the run tells

    @Slot(object)
    def _show_preparing(self, event: Preparing) -> None:
        if event.done >= event.total:
            self.bar.setRange(0, 0)
            self.position.setText("Preparing: first validation …")
            return
        self.bar.setRange(0, event.total)
        self.bar.setValue(event.done)
        self.position.setText(f"Preparing: reading training images, {event.done:,} of {event.total:,}")

    @Slot(object)
    def _start(self, event: RunStarted) -> None:
        self._started, self._past = event, False
        self.history.keep_until(event.first_step)
        self._show_figures()
        self.history.describe(images=event.train_images, steps=event.steps_per_epoch, val=event.val_images)
        self._show_health()
        self.bar.setRange(0, event.total_steps)
        self.bar.setValue(event.first_step)
        self.position.setText(f"On {event.device}, {event.precision}")

    @Slot(list)
    def _add_steps(self, events: list[StepCompleted]) -> None:
        self.history.add_steps(events)
        self._rates.extend(event.images_per_second for event in events)
        last = events[-1]
        if self._started is not None:
            self.bar.setValue(last.step)
            self.position.setText(
                f"Epoch {last.epoch} of {self._started.total_epochs}, "
                f"step {last.step:,} of {self._started.total_steps:,}"
            )
            self.rate.setText(self._rate_text(last))
        self.plots.refresh()

    def _rate_text(self, last: StepCompleted) -> str:
        rate = len(self._rates) / sum(1.0 / rate for rate in self._rates)
        gamma = f"{last.gamma:g}" if self._gammas is None else str(self._gammas)
        return f"γ {gamma}   {rate:,.0f} images/s"

    @Slot(object)
    def _show_vitals(self, vitals: Vitals) -> None:
        left = "" if self._paused else self._left.say(vitals.seconds_left)
        self._show_beside_bar(left, str(vitals.memory))

    def _show_beside_bar(self, left: str, memory: str) -> None:
        """What is empty takes no room: the bar ends where the plots end."""
        for label, text in ((self.left, left), (self.memory, memory)):
            label.setText(text)
            label.setVisible(bool(text))

    @Slot(object)
    def _add_epoch(self, event: EpochCompleted) -> None:
        self.history.add_epoch(event)
        self.plots.refresh()
        self._show_figures()

    @Slot(object)
    def _show_preview(self, preview: PreviewImages) -> None:
        self.strip.show_preview(preview)

    @Slot(object)
    def _mark_pins(self, choice: SampleChoice) -> None:
        self.strip.set_pinned(choice.pinned)

    @Slot(object)
    def _show_notice(self, notice: Notice) -> None:
        self.history.add_notice(notice)
        self._show_health()

    def _show_health(self) -> None:
        self.health.show_notices(self.history.notices, past=self._past)
        self.plots.mark_notices()

    @Slot(object)
    def _finish(self, event: RunFinished) -> None:
        how = "Completed" if event.reason == "completed" else "Stopped"
        self.position.setText(f"{how} after {plural(event.step, 'step')} in {duration(event.seconds)}")
        self._forget_pace()
        self.bar.setRange(0, 1)
        self.bar.setValue(1 if event.reason == "completed" else 0)
        self.banner.show_message(
            f"{how} and kept.",
            hint=(
                f"Validation: {100 * event.clean_accuracy:.1f} % clean, "
                f"{100 * event.perturbed_accuracy:.1f} % perturbed, "
                f"{100 * event.perturbed_accuracy_8bit:.1f} % after 8-bit rounding. "
                f"Kept: {event.describe_kept()}."
            ),
            action="Inspect",
        )

    @Slot(object)
    def _fail(self, event: RunFailed) -> None:
        self.position.setText(f"Failed at step {event.step:,}")
        self._forget_pace()
        self.bar.setRange(0, 1)
        self.bar.setValue(0)
