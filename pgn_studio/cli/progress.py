"""The events of a PGN run as lines: what it will do, a live line, an epoch's figures, notices."""

from __future__ import annotations

import logging
from types import TracebackType

from pgn_studio.cli.terminal import LiveLine
from pgn_studio.cli.wording import in_options
from pgn_studio.core.amounts import duration, percent, plural
from pgn_studio.core.training.eta import ETAWords
from pgn_studio.core.training.events import (
    EpochCompleted,
    Event,
    GammaChanged,
    Notice,
    Preparing,
    RunStarted,
    StepCompleted,
    Vitals,
)

log = logging.getLogger(__name__)


class TrainingReport:
    """An EventSink for the terminal. The live line shows means and counts of the epoch so far."""

    def __init__(self) -> None:
        self._line = LiveLine()
        self._total_steps = 0
        self._total_epochs = 0
        self._steps: list[StepCompleted] = []
        self._left = ETAWords()
        self._vitals = ""

    def __enter__(self) -> TrainingReport:
        self._line.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.__exit__(kind, error, trace)

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepCompleted):
            self._step(event)
        elif isinstance(event, Vitals):
            left = self._left.say(event.seconds_left)
            self._vitals = f"  {left}  {event.memory}" if left else f"  {event.memory}"
        elif isinstance(event, EpochCompleted):
            self._line.note(epoch_line(event, self._total_epochs))
        elif isinstance(event, RunStarted):
            self._start(event)
        elif isinstance(event, Notice):
            log.info("notice %s at step %d: %s %s", event.code, event.step, event.message, event.hint)
            self._line.note(notice_line(event))
        elif isinstance(event, Preparing):
            self._line.prepare("Looking at training images", event.done, event.total)
        elif isinstance(event, GammaChanged):
            self._line.note(f"gamma is {event.gamma:g} from step {event.step} on")

    def _start(self, event: RunStarted) -> None:
        self._total_steps, self._total_epochs = event.total_steps, event.total_epochs
        goes_on = f", from step {event.first_step}" if event.first_step else ""
        self._line.note(
            f"Training on {event.device} in {event.precision}: {event.train_images} training and "
            f"{event.val_images} validation images, {plural(event.total_epochs, 'epoch')} of "
            f"{plural(event.steps_per_epoch, 'step')}{goes_on}."
        )
        self._line.note(
            f"The frozen classifier is right on {percent(event.clean_accuracy)} of the validation images "
            f"({percent(event.clean_train_accuracy)} of the training images)."
        )

    def _step(self, event: StepCompleted) -> None:
        if self._steps and self._steps[-1].epoch != event.epoch:
            self._steps.clear()
        self._steps.append(event)
        self._line.show(
            event.step,
            self._total_steps,
            f"epoch {event.epoch}/{self._total_epochs}",
            step_figures(self._steps),
            left=self._vitals,
        )


def notice_line(event: Notice) -> str:
    """What is noticed in words of its weight, with its step once there is one."""
    word = {"info": "note", "warning": "warning", "severe": "problem", "passed": "passed"}[event.level]
    where = f", step {event.step}" if event.step else ""
    return f"{word}{where}: {in_options(event.message)} {in_options(event.hint)}".rstrip()


def step_figures(steps: list[StepCompleted]) -> str:
    """Losses, L2 and accuracies as means over `steps`, fixed and broken as counts."""

    def mean(name: str) -> float:
        return float(sum(getattr(step, name) for step in steps)) / len(steps)

    return (
        f"L_G {mean('loss_g'):.3f}  L_D {mean('loss_d'):.3f}  L2 {mean('l2'):.2g}  "
        f"fixed {sum(step.fixed for step in steps)}  broken {sum(step.broken for step in steps)}  "
        f"accuracy {percent(mean('clean_accuracy'))} -> {percent(mean('perturbed_accuracy'))}  "
        f"{mean('images_per_second'):.0f} images/s"
    )


def epoch_line(event: EpochCompleted, total_epochs: int) -> str:
    """An epoch's figures on the validation images."""
    known = event.fixed_8bit is not None
    flips = f"fixed {event.fixed_8bit}  broken {event.broken_8bit}" if known else ""
    middle = f"γ {event.gamma:g}  " if event.at_gamma else ""
    ends = "".join(
        f"  γ {one.gamma:g}: {percent(one.perturbed_accuracy_8bit)}, RMS {one.rms_mean:.3f}"
        for one in event.at_gamma
        if one.gamma != event.gamma
    )
    return (
        f"epoch {event.epoch}/{total_epochs}  validation {middle}{percent(event.clean_accuracy)} -> "
        f"{percent(event.perturbed_accuracy_8bit)} after 8-bit rounding "
        f"(before {percent(event.perturbed_accuracy)})  {flips}  "
        f"L2 norm {event.l2_mean:.3g}  RMS {event.rms_mean:.3f}{ends}  "
        f"L_G {event.train_loss_g:.3f}  L_D {event.train_loss_d:.3f}  {duration(event.seconds)}"
        f"{'' if event.queries is None else f'  queries {event.queries:,}'}"
        f"{'  kept as best' if event.best else ''}"
    )
