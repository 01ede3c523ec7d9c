"""The series of a run: growth, replay, smoothing and decimation."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from pgn_studio.core.training.events import EpochCompleted, StepCompleted
from pgn_studio.gui.training.history import RunHistory, decimated, smoothed


def step(number: int, gamma: float = 1.0) -> StepCompleted:
    return StepCompleted(number, 1, gamma, number / 10, 0.5, 1e-3, 0.9, 2, 1, 0.9, 0.8, 100.0)


def test_steps_beyond_the_first_capacity_are_kept() -> None:
    history = RunHistory()
    for start in range(0, 5000, 7):
        history.add_steps([step(number) for number in range(start, start + 7)])
    steps = history.steps.column("step")
    assert np.array_equal(steps, np.arange(len(steps)))
    assert history.steps.column("loss_g")[4321] == pytest.approx(432.1)


def test_a_replayed_metrics_file_gives_the_same_history() -> None:
    epoch = EpochCompleted(1, 3, 1.0, 0.9, 0.94, 0.93, 6, 2, 0.5, 0.03, 0.2, 0.1, 1.0, True)
    lines = [
        {"event": "RunStarted", "train_images": 128, "steps_per_epoch": 2, "val_images": 50},
        *({"event": "StepCompleted", **asdict(step(number))} for number in (1, 2, 3)),
        {"event": "EpochCompleted", **asdict(epoch)},
        {"event": "Notice", "message": "not a number anywhere"},
    ]
    history = RunHistory()
    history.add_steps([step(99)])
    history.replay(lines)
    assert history.steps.column("step").tolist() == [1, 2, 3]
    assert history.epochs.column("fixed").tolist() == [6]
    assert (history.images_per_step, history.val_images) == (64, 50)


@pytest.mark.parametrize("window", [1, 2, 5, 50])
def test_smoothing_is_the_mean_of_the_last_values(window: int) -> None:
    values = np.random.default_rng(0).normal(size=40)
    expected = [values[max(0, end - window + 1) : end + 1].mean() for end in range(40)]
    assert np.allclose(smoothed(values, window), expected)


def test_decimation_keeps_extremes_order_and_the_newest_value() -> None:
    x = np.arange(100_003, dtype=np.float64)
    y = np.sin(x / 50)
    y[31_234], y[77_777] = 9.0, -9.0
    few_x, few_y = decimated(x, y, columns=400)
    assert len(few_x) <= 801
    assert few_y.max() == 9.0
    assert few_y.min() == -9.0
    assert few_x[-1] == x[-1]
    assert (np.diff(few_x) >= 0).all()


def test_few_points_stay_as_they_are() -> None:
    x = np.arange(10.0)
    assert decimated(x, x, columns=400)[0] is x


def test_a_run_that_goes_on_forgets_what_it_is_about_to_repeat() -> None:
    history = RunHistory()
    history.add_steps([step(number) for number in range(1, 8)])
    history.keep_until(5)
    history.add_steps([step(6)])
    assert history.steps.column("step").tolist() == [1, 2, 3, 4, 5, 6]
