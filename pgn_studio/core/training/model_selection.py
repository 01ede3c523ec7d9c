"""Which PGNs a run keeps: the best epoch's and the newest, and as its result the one that `select` names.

The best is the latest of those epochs that validation cannot tell from the best. So many images tell
accuracies apart only so far: of sixteen epochs the one with the highest is often an early one that was
lucky. The one-standard-error rule (Breiman et al. 1984) takes all that are within one standard error of the
highest for equals; of these the latest has learned longest.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from pgn_studio.core.config import Problem, TrainingSettings
from pgn_studio.core.evaluation.evaluate import Metrics
from pgn_studio.core.files import replacing
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.perturbation.pgn import PgnInfo, save_pgn
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.checkpoint import TrainingState
from pgn_studio.core.training.events import Kept


def higher(problem: Problem, accuracy: float, top: float | None) -> float:
    """The better of two validation accuracies; in attacks the lower."""
    if top is None:
        return accuracy
    return max(accuracy, top) if problem == "enhance" else min(accuracy, top)


def as_good(problem: Problem, accuracy: float, top: float, *, images: int) -> bool:
    """Whether `accuracy` is `top` or better, or not worse by more than the standard error of `top`."""
    loss = top - accuracy if problem == "enhance" else accuracy - top
    return loss <= standard_error(top, images=images)


def standard_error(accuracy: float, *, images: int) -> float:
    """Of an accuracy on `images` images; by Laplace's estimate, which is not 0 where all are right."""
    likely = (accuracy * images + 1) / (images + 2)
    return float((likely * (1 - likely) / images) ** 0.5)


class BestWeights:
    """The weights of a network's best epoch, for trainings that keep them in memory."""

    def __init__(self, network: nn.Module, problem: Problem, *, images: int) -> None:
        """`images`: on how many validation accuracy is measured."""
        self._network, self._problem, self._images = network, problem, images
        self._top: float | None = None
        self._weights = network.state_dict()

    def offer(self, accuracy: float) -> None:
        """The weights as they are, with this validation accuracy."""
        self._top = higher(self._problem, accuracy, self._top)
        if as_good(self._problem, accuracy, self._top, images=self._images):
            self._weights = copy.deepcopy(self._network.state_dict())

    def restore(self) -> None:
        self._network.load_state_dict(self._weights)


def is_best(metrics: Metrics, state: TrainingState, settings: TrainingSettings) -> bool:
    """Whether by accuracy after 8 bits no epoch at this γ can be told to be better.

    γ trades accuracy for size: epochs compete only while it stays. Once it has changed, the next epoch's end
    is the best, and those before it never come back, not even if γ does.
    """
    top = _top(state)
    return top is None or as_good(settings.problem, metrics.perturbed_accuracy_8bit, top, images=metrics.n)


def _top(state: TrainingState) -> float | None:
    """The highest (attacks: lowest) 8-bit accuracy at this γ; older checkpoints know the best's alone."""
    if state.best is not None and state.best.gamma != state.gamma:
        return None
    if state.top_accuracy_8bit is None and state.best_epoch:
        return state.best_accuracy_8bit
    return state.top_accuracy_8bit


def keep_epoch(
    run: RunFolder,
    generator: Generator,
    info: PgnInfo,
    metrics: Metrics,
    *,
    epoch: int,
    state: TrainingState,
    settings: TrainingSettings,
) -> TrainingState:
    """Save an epoch's PGN: as the last, as the best if it is that, and as the result if `select` names it."""
    run.check_there()
    best = is_best(metrics, state, settings)
    save_pgn(run.last_pgn_path, generator, info)
    if best:
        _copy(run.last_pgn_path, run.best_pgn_path)
    if best or settings.select == "last":
        _copy(run.last_pgn_path, run.pgn_path)
    figures = (metrics.perturbed_accuracy, metrics.perturbed_accuracy_8bit)
    kept = kept_of(metrics, epoch=epoch, gamma=state.gamma)
    state = replace(
        state,
        last_accuracy=figures[0],
        last_accuracy_8bit=figures[1],
        last=kept,
        top_accuracy_8bit=higher(settings.problem, figures[1], _top(state)),
    )
    if best:
        state = replace(
            state, best_epoch=epoch, best_accuracy=figures[0], best_accuracy_8bit=figures[1], best=kept
        )
    return state


def kept_of(metrics: Metrics, *, epoch: int, gamma: float) -> Kept:
    return Kept(
        epoch=epoch,
        gamma=gamma,
        perturbed_accuracy=metrics.perturbed_accuracy,
        perturbed_accuracy_8bit=metrics.perturbed_accuracy_8bit,
        rms_mean=metrics.rms_mean,
        l2_mean=metrics.l2_mean,
        fixed_8bit=metrics.fixed_8bit,
        broken_8bit=metrics.broken_8bit,
    )


def recalled(state: TrainingState, records: Iterable[Mapping[str, Any]]) -> TrainingState:
    """The state of an earlier version's run, with what its metrics say of its best and its newest epoch."""
    if state.best is not None or not state.best_epoch:
        return state
    epochs = {line.get("epoch"): line for line in records if line.get("event") == "EpochCompleted"}
    newest = max((epoch for epoch in epochs if isinstance(epoch, int)), default=state.best_epoch)
    best = Kept(state.best_epoch, state.gamma, state.best_accuracy, state.best_accuracy_8bit)
    last = Kept(newest, state.gamma, state.last_accuracy, state.last_accuracy_8bit)
    return replace(state, best=_more(best, epochs), last=_more(last, epochs))


def _more(kept: Kept, epochs: Mapping[Any, Mapping[str, Any]]) -> Kept:
    line = epochs.get(kept.epoch, {})
    gamma, rms, l2 = (_number(line.get(name)) for name in ("gamma", "rms_mean", "l2_mean"))
    return replace(kept, gamma=kept.gamma if gamma is None else gamma, rms_mean=rms, l2_mean=l2)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def result_of(state: TrainingState, settings: TrainingSettings) -> Kept:
    """The run's result at an epoch's end."""
    kept = state.last if settings.select == "last" else state.best
    return kept or Kept(0, state.gamma, state.clean_accuracy, state.clean_accuracy)


def keep_stopped(
    run: RunFolder,
    generator: Generator,
    info: PgnInfo,
    metrics: Metrics,
    *,
    epoch: int,
    state: TrainingState,
    settings: TrainingSettings,
) -> Kept:
    """Save the PGN of a run that stops inside `epoch`; returns the run's result.

    It is the result where no epoch can be told to be better. It is not the best epoch's own: a run that
    goes on finds that as if it had never stopped.
    """
    run.check_there()
    save_pgn(run.last_pgn_path, generator, info)
    if state.best_epoch == 0:
        _copy(run.last_pgn_path, run.best_pgn_path)
    if settings.select == "last" or is_best(metrics, state, settings):
        _copy(run.last_pgn_path, run.pgn_path)
        return kept_of(metrics, epoch=epoch, gamma=state.gamma)
    return result_of(state, settings)


def restore_result(run: RunFolder, state: TrainingState, settings: TrainingSettings) -> None:
    """Back to the best epoch's PGN: a run that was stopped inside an epoch may hold a newer one."""
    if settings.select == "best" and state.best_epoch and run.best_pgn_path.is_file():
        _copy(run.best_pgn_path, run.pgn_path)


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
