"""Which PGNs a run keeps: the best epoch's and the newest, and as its result the one that `keep` names."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.evaluation.evaluate import Metrics
from pgn_studio.core.files import replacing
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.perturbation.pgn import PgnInfo, save_pgn
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.checkpoint import TrainingState
from pgn_studio.core.training.choosing import as_good, higher
from pgn_studio.core.training.events import Kept


def is_best(metrics: Metrics, position: TrainingState, settings: TrainingSettings) -> bool:
    """Whether by accuracy after 8 bits no epoch at this γ can be told to be better.

    γ trades accuracy for size: epochs compete only while it stays. Once it has changed, the next epoch's end
    is the best, and those before it never come back, not even if γ does.
    """
    top = _top(position)
    return top is None or as_good(settings.problem, metrics.perturbed_accuracy_8bit, top, images=metrics.n)


def _top(position: TrainingState) -> float | None:
    """The highest (attacks: lowest) 8-bit accuracy at this γ; older checkpoints know the best's alone."""
    if position.best is not None and position.best.gamma != position.gamma:
        return None
    if position.top_accuracy_8bit is None and position.best_epoch:
        return position.best_accuracy_8bit
    return position.top_accuracy_8bit


def keep_epoch(
    run: RunFolder,
    generator: Generator,
    info: PgnInfo,
    metrics: Metrics,
    *,
    epoch: int,
    position: TrainingState,
    settings: TrainingSettings,
) -> TrainingState:
    """Save an epoch's PGN: as the last, as the best if it is that, and as the result if `keep` names it."""
    run.check_there()
    best = is_best(metrics, position, settings)
    save_pgn(run.last_pgn_path, generator, info)
    if best:
        _copy(run.last_pgn_path, run.best_pgn_path)
    if best or settings.select == "last":
        _copy(run.last_pgn_path, run.pgn_path)
    figures = (metrics.perturbed_accuracy, metrics.perturbed_accuracy_8bit)
    kept = kept_of(metrics, epoch=epoch, gamma=position.gamma)
    position = replace(
        position,
        last_accuracy=figures[0],
        last_accuracy_8bit=figures[1],
        last=kept,
        top_accuracy_8bit=higher(settings.problem, figures[1], _top(position)),
    )
    if best:
        position = replace(
            position, best_epoch=epoch, best_accuracy=figures[0], best_accuracy_8bit=figures[1], best=kept
        )
    return position


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


def recalled(position: TrainingState, told: Iterable[Mapping[str, Any]]) -> TrainingState:
    """A position of an earlier version, with what its run's metrics say of its best and its newest epoch."""
    if position.best is not None or not position.best_epoch:
        return position
    epochs = {line.get("epoch"): line for line in told if line.get("event") == "EpochCompleted"}
    newest = max((epoch for epoch in epochs if isinstance(epoch, int)), default=position.best_epoch)
    best = Kept(position.best_epoch, position.gamma, position.best_accuracy, position.best_accuracy_8bit)
    last = Kept(newest, position.gamma, position.last_accuracy, position.last_accuracy_8bit)
    return replace(position, best=_more(best, epochs), last=_more(last, epochs))


def _more(kept: Kept, epochs: Mapping[Any, Mapping[str, Any]]) -> Kept:
    line = epochs.get(kept.epoch, {})
    gamma, rms, l2 = (_number(line.get(name)) for name in ("gamma", "rms_mean", "l2_mean"))
    return replace(kept, gamma=kept.gamma if gamma is None else gamma, rms_mean=rms, l2_mean=l2)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def result_of(position: TrainingState, settings: TrainingSettings) -> Kept:
    """The run's result at an epoch's end."""
    kept = position.last if settings.select == "last" else position.best
    return kept or Kept(0, position.gamma, position.clean_accuracy, position.clean_accuracy)


def keep_stopped(
    run: RunFolder,
    generator: Generator,
    info: PgnInfo,
    metrics: Metrics,
    *,
    epoch: int,
    position: TrainingState,
    settings: TrainingSettings,
) -> Kept:
    """Save the PGN of a run that stops inside `epoch`; returns the run's result.

    It is the result where no epoch can be told to be better. It is not the best epoch's own: a run that
    goes on finds that as if it had never stopped.
    """
    run.check_there()
    save_pgn(run.last_pgn_path, generator, info)
    if position.best_epoch == 0:
        _copy(run.last_pgn_path, run.best_pgn_path)
    if settings.select == "last" or is_best(metrics, position, settings):
        _copy(run.last_pgn_path, run.pgn_path)
        return kept_of(metrics, epoch=epoch, gamma=position.gamma)
    return result_of(position, settings)


def restore_result(run: RunFolder, position: TrainingState, settings: TrainingSettings) -> None:
    """Back to the best epoch's PGN: a run that was stopped inside an epoch may hold a newer one."""
    if settings.select == "best" and position.best_epoch and run.best_pgn_path.is_file():
        _copy(run.best_pgn_path, run.pgn_path)


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
