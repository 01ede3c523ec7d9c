"""The monitor on figures that a test makes up, and on those of recorded healthy runs."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from pgn_studio.core.advice import Advice
from pgn_studio.core.config import Problem
from pgn_studio.core.training.events import EpochCompleted, Notice, StepCompleted
from pgn_studio.core.training.monitor import RECENT, WARM_UP, WINDOW, Monitor

RECORDED = Path(__file__).parent / "recorded"
HEALTHY = StepCompleted(
    step=1,
    epoch=1,
    gamma=10.0,
    loss_g=0.03,
    loss_d=0.05,
    l2=0.04**2,
    target_mean=0.93,
    fixed=3,
    broken=1,
    clean_accuracy=0.90,
    perturbed_accuracy=0.93,
    images_per_second=100.0,
    d_spread=0.4,
    d_target_mean=0.5,
)
EPOCH = EpochCompleted(1, 1, 10.0, 0.9, 0.93, 0.93, 20, 5, 1.0, 0.04, 0.1, 0.1, 1.0, True)


def steps(count: int, *, first: int = 1, **changes: Any) -> Iterator[StepCompleted]:
    for number in range(first, first + count):
        yield replace(HEALTHY, **{"step": number, "epoch": 1 + number // 20, **changes})


def told(monitor: Monitor, events: Iterator[StepCompleted]) -> list[Notice]:
    return [notice for event in events for notice in monitor.step(event)]


def enhancing() -> Monitor:
    return Monitor(problem="enhance", loss="least-squares")


# What is seen while a condition holds; the rest is as in a healthy run.
SICK: dict[str, dict[str, Any]] = {
    "d-constant": {"loss_d": 0.25, "d_spread": 0.02, "loss_g": 0.2},
    "g-outran-d": {"perturbed_accuracy": 0.4, "target_mean": 0.4, "fixed": 1, "broken": 32, "loss_g": 0.1},
    "targets-constant": {"target_mean": 1.0, "clean_accuracy": 1.0, "perturbed_accuracy": 1.0, "fixed": 0},
    "perturbation-exploding": {"l2": 0.4**2},
    "perturbation-vanishing": {"l2": 0.0005**2},
}


def test_doubt_is_believed_rather_than_the_loss_at_a_temperature() -> None:
    wrong = {"perturbed_accuracy": 0.05, "clean_accuracy": 0.05, "target_mean": 0.05, "fixed": 0, "broken": 0}
    sure_of_failure = steps(120, **wrong, loss_g=0.25, d_doubt=0.9)  # at temperature 4 as if D were in doubt
    assert "g-outran-d" not in {notice.code for notice in told(enhancing(), sure_of_failure)}
    sure_of_success = steps(120, **wrong, loss_g=0.25, d_doubt=0.01)
    assert "g-outran-d" in {notice.code for notice in told(enhancing(), sure_of_success)}


@pytest.mark.parametrize("code", SICK)
def test_each_condition_is_told_once_when_it_starts_and_once_when_it_has_passed(code: str) -> None:
    monitor = enhancing()
    assert told(monitor, steps(80)) == []
    started = told(monitor, steps(100, first=81, **SICK[code]))
    assert [(notice.code, notice.level == "passed") for notice in started] == [(code, False)]
    assert monitor.active == {code}
    assert started[0].message
    assert isinstance(started[0].hint, Advice)
    assert 80 < started[0].step <= 80 + WINDOW
    passed = told(monitor, steps(100, first=181))
    assert [(notice.code, notice.level) for notice in passed] == [(code, "passed")]
    assert not monitor.active


@pytest.mark.parametrize("code", SICK)
def test_what_swings_about_a_threshold_is_not_told_again_and_again(code: str) -> None:
    """Six steps ill, two well, and so on: one notice."""
    monitor = enhancing()
    told(monitor, steps(80))
    notices = []
    for number in range(81, 400):
        changes = SICK[code] if number % 8 < 6 else {}
        notices += told(monitor, steps(1, first=number, **changes))
    assert len([notice for notice in notices if notice.level != "passed"]) <= 1


def test_the_figures_are_in_the_message() -> None:
    monitor = enhancing()
    notices = told(monitor, steps(100, **SICK["g-outran-d"]))
    assert notices[0].level == "severe"
    assert "40.0 % of the perturbed images are right, 90.0 % of the clean" in notices[0].message
    assert "68 %" in notices[0].message  # 1 - √0.1: D believes so at least
    assert "(now 10)" in notices[0].hint


def test_nothing_is_said_of_the_first_steps_but_that_a_perturbation_explodes() -> None:
    everything = {**SICK["d-constant"], **SICK["g-outran-d"], "loss_d": 0.25}
    monitor = enhancing()
    assert told(monitor, steps(WARM_UP + WINDOW - 1, **everything)) == []
    codes = {notice.code for notice in told(enhancing(), steps(RECENT, l2=1.0))}
    assert codes == {"perturbation-exploding"}


def test_a_doubled_perturbation_is_exploding_before_it_is_huge() -> None:
    grows = [replace(HEALTHY, step=n, l2=(0.03 * 1.03**n) ** 2) for n in range(1, 76)]  # to 0.28
    notices = told(enhancing(), iter(grows))
    assert [notice.code for notice in notices] == ["perturbation-exploding"]
    assert f"{WINDOW} steps before" in notices[0].message


def test_few_flips_are_no_loss_of_accuracy() -> None:
    """Batches of two images: 10 points down, but by chance."""
    few = {"fixed": 0, "broken": 0, "perturbed_accuracy": 0.8, "target_mean": 0.8}
    monitor = enhancing()
    events = [replace(event, broken=int(event.step % 8 == 0)) for event in steps(100, **few)]
    assert told(monitor, iter(events)) == []


def test_a_loss_on_validation_counts_too() -> None:
    monitor = enhancing()
    told(monitor, steps(20))
    notices = monitor.epoch(replace(EPOCH, step=20, perturbed_accuracy=0.5, fixed=1, broken=100))
    assert [notice.code for notice in notices] == ["g-outran-d"]
    assert "on validation 40.0 points fewer" in notices[0].message
    assert told(monitor, steps(80, first=21)) == []  # the batches are well, the validation split is not yet
    assert [notice.level for notice in monitor.epoch(replace(EPOCH, step=100))] == ["passed"]


def test_an_attack_that_works_is_healthy_and_one_that_only_d_believes_in_is_not() -> None:
    works = {"target_mean": 1.0, "perturbed_accuracy": 0.0, "fixed": 0, "broken": 58}
    assert told(Monitor(problem="adversarial", loss="least-squares"), steps(200, **works)) == []
    fails = {"target_mean": 0.1, "perturbed_accuracy": 0.9, "fixed": 0, "broken": 0, "loss_g": 0.01}
    notices = told(Monitor(problem="adversarial", loss="least-squares"), steps(200, **fails))
    assert [notice.code for notice in notices] == ["g-outran-d"]
    assert "10.0 % of the perturbed images are wrong" in notices[0].message


def test_no_success_at_all_is_told_as_such() -> None:
    never = {"target_mean": 0.0, "perturbed_accuracy": 1.0, "clean_accuracy": 1.0, "fixed": 0, "broken": 0}
    notices = told(Monitor(problem="adversarial", loss="least-squares"), steps(100, loss_g=0.9, **never))
    assert [notice.code for notice in notices] == ["targets-constant"]
    assert "100.0 % of the targets are 0" in notices[0].message


def test_targets_that_became_1_through_the_pgn_are_what_is_wanted() -> None:
    assert told(enhancing(), steps(200, target_mean=1.0, perturbed_accuracy=1.0)) == []


def test_a_perturbation_in_normalized_space_is_judged_in_pixel_units() -> None:
    large = 0.4**2
    for scale, tells in ((0.25, False), (1.0, True)):
        monitor = Monitor(problem="enhance", loss="least-squares", pixel_scale=scale)
        assert bool(told(monitor, steps(100, l2=large))) is tells


@pytest.mark.parametrize("loss", ["least-squares", "logistic"])
def test_the_best_constant_is_measured_in_the_loss_that_is_used(loss: Any) -> None:
    best = 0.25 if loss == "least-squares" else math.log(2)
    for share, expected in ((0.95, ["d-constant"]), (0.5, [])):
        sick = {"loss_d": share * best, "d_spread": 0.02}
        assert [
            notice.code for notice in told(Monitor(problem="enhance", loss=loss), steps(100, **sick))
        ] == expected


def test_what_an_older_run_did_not_write_down_is_not_judged() -> None:
    unknown = {"loss_d": 0.25, "d_spread": math.nan, "d_target_mean": math.nan}
    assert told(enhancing(), steps(200, **unknown)) == []


def test_what_something_else_has_found_is_only_told_when_it_has_passed() -> None:
    monitor = enhancing()
    monitor.begin("targets-constant")
    monitor.begin("blending")  # nothing that the monitor knows
    assert monitor.active == {"targets-constant"}
    notices = told(monitor, steps(100))
    assert [(notice.code, notice.level) for notice in notices] == [("targets-constant", "passed")]


def test_a_replayed_run_is_in_the_same_state() -> None:
    whole, resumed = enhancing(), enhancing()
    events = [*steps(80), *steps(40, first=81, **SICK["d-constant"])]
    notices = told(whole, iter(events))
    records = [{"event": "StepCompleted", **asdict(event)} for event in events]
    records += [{"event": "Notice", **asdict(notice)} for notice in notices]
    records += [{"event": "EpochCompleted", **asdict(EPOCH)}, {"event": "GammaChanged"}]
    whole.epoch(EPOCH)
    resumed.replay(records)
    assert resumed.active == whole.active == {"d-constant"}
    assert told(whole, steps(60, first=121)) == told(resumed, steps(60, first=121))


@pytest.mark.parametrize(
    ("name", "problem"), [("enhance", "enhance"), ("adversarial", "adversarial"), ("blackbox", "enhance")]
)
def test_no_false_alarm_on_recorded_healthy_runs(name: str, problem: Problem) -> None:
    monitor, count = Monitor(problem=problem, loss="least-squares"), 0
    with (RECORDED / f"{name}.csv").open(encoding="utf-8") as stream:
        for kind, *values in csv.reader(stream):
            count += 1
            if kind == "step":
                notices = monitor.step(recorded_step(values))
            else:
                step, epoch, clean, perturbed, fixed, broken = values
                figures = {"clean_accuracy": float(clean), "perturbed_accuracy": float(perturbed)}
                flips = {"fixed": int(fixed), "broken": int(broken)}
                notices = monitor.epoch(replace(EPOCH, step=int(step), epoch=int(epoch), **figures, **flips))
            assert notices == []
    assert count > 100


def recorded_step(values: list[str]) -> StepCompleted:
    step, epoch, loss_g, loss_d, l2, target, fixed, broken, clean, perturbed, spread, share = values
    return StepCompleted(
        step=int(step),
        epoch=int(epoch),
        gamma=1.0,
        loss_g=float(loss_g),
        loss_d=float(loss_d),
        l2=float(l2),
        target_mean=float(target),
        fixed=int(fixed),
        broken=int(broken),
        clean_accuracy=float(clean),
        perturbed_accuracy=float(perturbed),
        images_per_second=1.0,
        d_spread=float(spread),
        d_target_mean=float(share),
    )
