"""What is seen of a run while it trains beside its figures: previews, the time left, memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from pgn_studio.core.memory import memory_use
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.eta import ETA
from pgn_studio.core.training.events import Event, Vitals
from pgn_studio.core.training.preview import Preview
from pgn_studio.core.training.schedule import BatchSchedule

_VITALS_SECONDS = 1.0


class LiveCallbacks:
    """Emits PreviewReady and Vitals, about once a second each; changes nothing of the run."""

    def __init__(
        self,
        preview: Preview,
        control: TrainingControl,
        emit: Callable[[Event], None],
        *,
        device: torch.device,
        sparing: bool,
        is_dial: bool,
    ) -> None:
        """`is_dial`: γ says what is shown, and not what is learned.

        `sparing`: f is a black box, asked once an epoch about images that it was just measured on.
        """
        self._preview = preview
        self._control = control
        self._emit = emit
        self._device = device
        self._sparing = sparing
        self._is_dial = is_dial
        self._shown_gamma = control.live.gamma
        self._time_left = ETA()
        self._last_vitals = 0.0

    def begin(
        self,
        step: int,
        records: Iterable[Mapping[str, Any]],
        *,
        schedule: BatchSchedule,
        epochs: int,
        val_images: int,
    ) -> None:
        """The run is about to go on after `step`; `records` are its metrics so far."""
        self._schedule, self._epochs = schedule, epochs
        self._preview.choose(self._control.live.samples)
        self.show(step)
        self._time_left.begin(records, batch_size=schedule.batch_size, val_images=val_images)

    def pause(self, step: int) -> float:
        """Hold while paused, but show other samples when they are wished for; the seconds that it took."""
        began = time.perf_counter()
        while self._control.paused:
            self._control.wait_while_paused(showing=self._preview.choice, at=self._shown_gamma)
            self._follow(step)
        self._follow(step)
        seconds = time.perf_counter() - began
        self._time_left.paused(seconds)
        return seconds

    def step_done(self, step: int) -> None:
        if not self._sparing and self._preview.is_due:
            self.show(step)
        self._time_left.step()
        if time.monotonic() - self._last_vitals < _VITALS_SECONDS:
            return
        self._last_vitals = time.monotonic()
        steps = self._schedule.first_step(self._epochs) - step
        epochs = self._epochs - self._schedule.place(step - 1)[0]  # whose end is still to come
        left = self._time_left.left(steps=steps, epochs=epochs)
        self._emit(Vitals(step, left, memory_use(self._device)))

    def epoch_done(self) -> None:
        """Its validation and checkpoint are done, too."""
        self._time_left.epoch_end()

    def show(self, step: int) -> None:
        """Make a preview now."""
        live = self._control.live
        self._shown_gamma = live.gamma
        self._emit(self._preview.make(step, gamma=live.gamma, device=self._device))

    def _follow(self, step: int) -> None:
        live = self._control.live
        chosen, turned = live.samples != self._preview.choice, live.gamma != self._shown_gamma
        if chosen:
            self._preview.choose(live.samples)
        if (chosen or (turned and self._is_dial)) and not self._sparing:
            self.show(step)
