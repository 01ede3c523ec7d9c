from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pgn_studio.core.config import Problem, TrainingSettings
from pgn_studio.core.training.checkpoint import TrainingState
from pgn_studio.core.training.events import Kept
from pgn_studio.core.training.model_selection import (
    BestWeights,
    as_good,
    higher,
    is_best,
    recalled,
    standard_error,
)


def chosen(problem: Problem, accuracies: list[float], *, images: int) -> int:
    """The epoch that a run would keep."""
    top, kept = None, 0
    for epoch, accuracy in enumerate(accuracies, start=1):
        top = higher(problem, accuracy, top)
        if as_good(problem, accuracy, top, images=images):
            kept = epoch
    return kept


def test_a_lucky_early_epoch_gives_way_to_later_ones_that_a_small_split_cannot_tell_from_it() -> None:
    """Validation accuracies of a black-box run on 228 photographs: epoch 4 lost 3 points on test."""
    run = [0.781, 0.662, 0.746, 0.794, 0.75, 0.763, 0.759, 0.772, 0.754, 0.776, 0.772, 0.768]
    run += [0.785, 0.768, 0.781, 0.772]
    assert chosen("enhance", run, images=228) == 16
    assert chosen("enhance", run, images=200_000) == 4  # so many tell


def test_weights_of_the_best_epoch_come_back() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    best = BestWeights(network, "enhance", images=300)
    for accuracy in (0.5, 0.9, 0.6):
        with torch.no_grad():
            network.weight.fill_(accuracy)
        best.offer(accuracy)
    best.restore()
    assert network.weight.item() == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("problem", "run", "kept"),
    [
        ("enhance", [0.6, 0.8, 0.5, 0.4], 2),  # it fell apart
        ("enhance", [0.6, 0.8, 0.81, 0.9], 4),
        ("adversarial", [0.6, 0.1, 0.5, 0.4], 2),
        ("adversarial", [0.6, 0.3, 0.1, 0.11], 4),
        ("enhance", [1.0, 1.0, 0.9], 2),
        ("enhance", [0.5], 1),
    ],
)
def test_what_can_be_told_apart_is(problem: Problem, run: list[float], kept: int) -> None:
    assert chosen(problem, run, images=300) == kept


def test_one_image_is_no_difference_yet_and_two_near_the_end_are() -> None:
    assert standard_error(1.0, images=300) == pytest.approx(1 / 300, rel=0.02)
    assert as_good("enhance", 298 / 300, 299 / 300, images=300)
    assert not as_good("enhance", 297 / 300, 299 / 300, images=300)
    assert standard_error(0.5, images=100) == pytest.approx(0.05, rel=0.01)


def test_slow_decline_does_not_creep_below_the_top() -> None:
    """Each epoch is held against the best of all, not against the last that was kept."""
    run = [0.9, 0.89, 0.88, 0.87, 0.86, 0.85]
    assert standard_error(0.9, images=1000) == pytest.approx(0.0095, abs=1e-4)
    assert chosen("enhance", run, images=900) == 2


def test_a_checkpoint_without_the_top_goes_by_the_best_that_it_knows() -> None:
    settings = TrainingSettings()
    old = replace(TrainingState.start(gamma=1.0), best_epoch=3, best_accuracy_8bit=0.9)
    new = replace(old, top_accuracy_8bit=0.95)
    metrics: Any = SimpleNamespace(perturbed_accuracy_8bit=0.895, n=500)
    assert is_best(metrics, old, settings)
    assert not is_best(metrics, new, settings)


def test_epochs_compete_only_at_the_gamma_in_force() -> None:
    """Of a run that was made milder on the way, the milder PGN is kept."""
    settings = TrainingSettings()
    before = replace(
        TrainingState.start(gamma=1.0), best_epoch=2, best_accuracy_8bit=0.9, best=Kept(2, 1.0, 0.9, 0.9),
        top_accuracy_8bit=0.9,
    )  # fmt: skip
    worse: Any = SimpleNamespace(perturbed_accuracy_8bit=0.7, n=500)
    assert not is_best(worse, before, settings)
    assert is_best(worse, replace(before, gamma=30.0), settings)


def test_the_state_of_an_earlier_version_learns_its_gamma_from_the_metrics() -> None:
    old = replace(
        TrainingState.start(gamma=30.0), best_epoch=2, best_accuracy_8bit=0.9, last_accuracy_8bit=0.8
    )
    told = [
        {"event": "EpochCompleted", "epoch": number, "gamma": gamma, "rms_mean": 0.1 * number}
        for number, gamma in ((1, 1.0), (2, 1.0), (3, 30.0))
    ]
    found = recalled(old, told)
    assert found.best is not None
    assert found.last is not None
    assert (found.best.epoch, found.best.gamma, found.best.rms_mean) == (2, 1.0, pytest.approx(0.2))
    assert (found.last.epoch, found.last.gamma) == (3, 30.0)
    worse: Any = SimpleNamespace(perturbed_accuracy_8bit=0.7, n=500)
    assert is_best(worse, found, settings=TrainingSettings())
    assert recalled(old, []).best == Kept(2, 30.0, 0.0, 0.9)  # metrics that are gone stop nothing
