"""Which PGNs a run keeps: the best epoch's and the newest, and as its result the one that `keep` names."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.evaluation.evaluate import Metrics
from pgn_studio.core.files import replacing
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.perturbation.pgn import PgnInfo, save_pgn
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.checkpoints import Position
from pgn_studio.core.training.choosing import as_good, higher


def is_best(metrics: Metrics, position: Position, settings: TrainingSettings) -> bool:
    """Whether by accuracy after 8 bits no epoch so far can be told to be better."""
    top = _top(position)
    return top is None or as_good(settings.problem, metrics.perturbed_accuracy_8bit, top, images=metrics.n)


def _top(position: Position) -> float | None:
    """The highest (attacks: lowest) 8-bit accuracy of any epoch; older checkpoints know the best's alone."""
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
    position: Position,
    settings: TrainingSettings,
) -> Position:
    """Save an epoch's PGN: as the last, as the best if it is that, and as the result if `keep` names it."""
    run.check_there()
    best = is_best(metrics, position, settings)
    save_pgn(run.last_pgn_path, generator, info)
    if best:
        _copy(run.last_pgn_path, run.best_pgn_path)
    if best or settings.keep == "last":
        _copy(run.last_pgn_path, run.pgn_path)
    figures = (metrics.perturbed_accuracy, metrics.perturbed_accuracy_8bit)
    position = replace(
        position,
        last_accuracy=figures[0],
        last_accuracy_8bit=figures[1],
        top_accuracy_8bit=higher(settings.problem, figures[1], _top(position)),
    )
    if best:
        position = replace(
            position, best_epoch=epoch, best_accuracy=figures[0], best_accuracy_8bit=figures[1]
        )
    return position


def result_figures(position: Position, settings: TrainingSettings) -> tuple[float, float]:
    """Validation accuracy of the run's result at an epoch's end, before and after 8 bits."""
    if settings.keep == "last":
        return position.last_accuracy, position.last_accuracy_8bit
    return position.best_accuracy, position.best_accuracy_8bit


def keep_stopped(
    run: RunFolder,
    generator: Generator,
    info: PgnInfo,
    metrics: Metrics,
    *,
    position: Position,
    settings: TrainingSettings,
) -> tuple[float, float]:
    """Save the PGN of a run that stops inside an epoch; returns the figures of the run's result.

    It is the result where no epoch can be told to be better. It is not the best epoch's own: a run that
    goes on finds that as if it had never stopped.
    """
    run.check_there()
    save_pgn(run.last_pgn_path, generator, info)
    if position.best_epoch == 0:
        _copy(run.last_pgn_path, run.best_pgn_path)
    if settings.keep == "last" or is_best(metrics, position, settings):
        _copy(run.last_pgn_path, run.pgn_path)
        return metrics.perturbed_accuracy, metrics.perturbed_accuracy_8bit
    return result_figures(position, settings)


def restore_result(run: RunFolder, position: Position, settings: TrainingSettings) -> None:
    """Back to the best epoch's PGN: a run that was stopped inside an epoch may hold a newer one."""
    if settings.keep == "best" and position.best_epoch and run.best_pgn_path.is_file():
        _copy(run.best_pgn_path, run.pgn_path)


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
