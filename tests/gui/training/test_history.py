"""The series of a run: growth, replay, smoothing and decimation."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest

from pgn_studio.core.training.events import EpochCompleted, StepCompleted
from pgn_studio.gui.plots import series as series_module
from pgn_studio.gui.plots.series import BLOCKS, GrowingLine, Look, Reduced, Series
from pgn_studio.gui.training.history import RunHistory, Table, smoothed


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


@pytest.mark.parametrize("chunk", [7, 1024, 100_003])
def test_a_growing_curve_keeps_extremes_order_and_the_newest_value(chunk: int) -> None:
    x = np.arange(100_003, dtype=np.float64)
    y = np.sin(x / 50)
    y[31_234], y[77_777] = 9.0, -9.0
    kept = Reduced()
    for start in range(0, len(x), chunk):
        kept.extend(x[start : start + chunk], y[start : start + chunk])
    few_x, few_y = kept.line()
    assert 2 * BLOCKS // 2 <= len(few_x) <= 2 * BLOCKS + 3
    assert few_y.max() == 9.0
    assert few_y.min() == -9.0
    assert few_x[-1] == x[-1]
    assert (np.diff(few_x) >= 0).all()
    assert np.array_equal(few_y, y[few_x.astype(int)])


@pytest.mark.parametrize("count", [1, 2, 9, 2 * BLOCKS - 1])
def test_few_points_stay_as_they_are(count: int) -> None:
    x = np.arange(float(count))
    y = np.random.default_rng(0).normal(size=count)
    kept = Reduced()
    for start in range(0, count, 4):
        kept.extend(x[start : start + 4], y[start : start + 4])
    assert np.array_equal(kept.line()[0], x)
    assert np.array_equal(kept.line()[1], y)


@pytest.mark.parametrize("look", [Look(window=20), Look(window=1), Look(per_epoch=True)])
def test_what_grew_is_what_all_of_it_gives(look: Look) -> None:
    rng = np.random.default_rng(0)
    series = Series("generator", "first", "loss_g")
    history, kept = RunHistory(), GrowingLine()
    number = 0
    for size in (1, 3, 40, 2, 300, 57):
        steps = (step(number + more) for more in range(size))
        history.add_steps([replace(s, epoch=1 + s.step // 50, loss_g=rng.normal()) for s in steps])
        number += size
        line = kept.follow(history, look, partial(series.between, history, look), per_epoch=look.per_epoch)
    expected = series.line(history, look)
    np.testing.assert_allclose(line[0], expected[0])
    np.testing.assert_allclose(line[1], expected[1], atol=1e-12)
    history.keep_until(100)
    line = kept.follow(history, look, partial(series.between, history, look), per_epoch=look.per_epoch)
    np.testing.assert_allclose(line[1], series.line(history, look)[1], atol=1e-12)


def test_a_long_run_is_taken_in_by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_module, "CHUNK", 100)
    series, look, line = Series("generator", "first", "loss_g"), Look(), GrowingLine()
    history = RunHistory()
    history.add_steps([step(number) for number in range(250)])
    between = partial(series.between, history, look)
    ends = []
    for _ in range(3):
        x, y = line.follow(history, look, between)
        ends.append((x[-1], line.behind))
    assert ends == [(99, True), (199, True), (249, False)]
    np.testing.assert_allclose(y, series.line(history, look)[1])


def test_steps_over_several_blocks_and_back() -> None:
    table = Table(("a", "b"), block=4)
    for start in range(0, 10, 3):
        table.append([{"a": number, "b": -number} for number in range(start, start + 3)])
    assert table.column("b").tolist() == [-number for number in range(12)]
    assert table.between("a", 5, 11).tolist() == list(range(5, 11))
    assert table.between("a", 12, 12).tolist() == []
    assert table.ends("a") == (0.0, 11.0)
    table.keep_until("a", 5)
    table.append([{"a": 6}])
    assert table.column("a").tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_a_run_that_goes_on_forgets_what_it_is_about_to_repeat() -> None:
    history = RunHistory()
    history.add_steps([step(number) for number in range(1, 8)])
    history.keep_until(5)
    history.add_steps([step(6)])
    assert history.steps.column("step").tolist() == [1, 2, 3, 4, 5, 6]
