"""Where a run's events go: to the metrics file, then to the listener; and how an epoch's is made."""

from __future__ import annotations

import traceback
from dataclasses import asdict, replace
from typing import Literal

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.evaluation.evaluate import Metrics
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.async_metrics import StepTaken
from pgn_studio.core.training.checkpoint import TrainingState
from pgn_studio.core.training.events import (
    AtGamma,
    CheckpointSaved,
    EpochCompleted,
    Event,
    EventSink,
    Kept,
    Notice,
    Preparing,
    PreviewReady,
    RunFailed,
    RunFinished,
    RunStarted,
    StepCompleted,
    Vitals,
)

_NOT_IN_METRICS = (Preparing, PreviewReady, Vitals, CheckpointSaved)


class EventLog:
    """Writes down what is to be kept and passes everything on."""

    def __init__(self, run: RunFolder, sink: EventSink) -> None:
        self._run, self._sink = run, sink
        self._begun = False

    def emit(self, event: Event) -> None:
        """Raises RunError where the metrics file cannot be written."""
        self._begun = self._begun or isinstance(event, RunStarted)
        if not isinstance(event, _NOT_IN_METRICS):
            self._run.append_metrics({"event": type(event).__name__, **asdict(event)})
        self._sink(event)

    def emit_ending(self, ending: RunFinished | RunFailed) -> None:
        """The listener hears of the end even where the metrics file cannot take it any more."""
        try:
            self.emit(ending)
        except PgnStudioError:
            self._sink(ending)

    def fail(
        self, step: int, message: str, hint: str, details: str = "", *, notice: Notice | None = None
    ) -> RunFailed:
        """The failing end of a run, to be emitted last; noted in run.json if the disk still allows it.

        Within an `except` block: without details the traceback stands there.
        """
        details = details or traceback.format_exc()
        try:
            if notice is not None:
                self.emit(notice)
            self._run.update(status="failed", results={"message": message, "hint": hint})
        except PgnStudioError as error:
            details += f"\nrun.json could not be updated: {error}"
        return RunFailed(step, str(self._run.path), message, hint, details)

    def refuse(self, step: int, error: PgnStudioError) -> RunFailed:
        """`fail`; of a new run that never began nothing stays, and its name is free again."""
        ending = self.fail(step, error.message, error.hint, error.details)
        gone = not self._begun and self._run.discard_start()
        return replace(ending, run_folder="") if gone else ending


def step_completed(
    values: list[float], taken: StepTaken, *, seconds: float, queries: int | None
) -> StepCompleted:
    """Of a step's figures, in the order of StepResult; `seconds` since the last ones were there."""
    loss_g, loss_d, l2, target_mean, fixed, broken, clean_right, perturbed_right, *of_d = values
    return StepCompleted(
        step=taken.step,
        epoch=taken.epoch,
        gamma=taken.gamma,
        loss_g=loss_g,
        loss_d=loss_d,
        l2=l2,
        target_mean=target_mean,
        fixed=round(fixed),
        broken=round(broken),
        clean_accuracy=clean_right / taken.images,
        perturbed_accuracy=perturbed_right / taken.images,
        images_per_second=taken.images / max(seconds, 1e-9),
        d_spread=of_d[0],
        d_target_mean=of_d[1],
        d_target_var=of_d[2],
        d_doubt=of_d[3],
        queries=queries,
    )


def epoch_completed(
    metrics: Metrics,
    state: TrainingState,
    *,
    epoch: int,
    steps: int,
    seconds: float,
    validation_seconds: float,
    best: bool,
    queries: int | None,
    at_gamma: tuple[AtGamma, ...] = (),
) -> EpochCompleted:
    """`state` holds the sums of the losses over the epoch's `steps`."""
    return EpochCompleted(
        epoch=epoch,
        step=state.step,
        gamma=state.gamma,
        clean_accuracy=metrics.clean_accuracy,
        perturbed_accuracy=metrics.perturbed_accuracy,
        perturbed_accuracy_8bit=metrics.perturbed_accuracy_8bit,
        fixed=metrics.fixed,
        broken=metrics.broken,
        l2_mean=metrics.l2_mean,
        rms_mean=metrics.rms_mean,
        train_loss_g=state.loss_g_sum / steps,
        train_loss_d=state.loss_d_sum / steps,
        seconds=seconds,
        best=best,
        queries=queries,
        validation_seconds=validation_seconds,
        fixed_8bit=metrics.fixed_8bit,
        broken_8bit=metrics.broken_8bit,
        at_gamma=at_gamma,
    )


def run_finished(
    kept: Kept,
    state: TrainingState,
    *,
    reason: Literal["completed", "stopped"],
    epoch: int,
    run: RunFolder,
    seconds: float,
    queries: int | None,
) -> RunFinished:
    """The end of a run that keeps `kept`; `epoch` counts those that are whole."""
    return RunFinished(
        reason=reason,
        step=state.step,
        epoch=epoch,
        run_folder=str(run.path),
        pgn_path=str(run.pgn_path),
        clean_accuracy=state.clean_accuracy,
        perturbed_accuracy=kept.perturbed_accuracy,
        perturbed_accuracy_8bit=kept.perturbed_accuracy_8bit,
        seconds=seconds,
        queries=queries,
        kept=kept,
    )
