"""The time left, on clocks that these tests turn."""

from __future__ import annotations

import pytest

from pgn_studio.core.training.eta import ETA, FEWEST, WINDOW, ETAWords


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def left(clock: Clock) -> ETA:
    made = ETA(clock)
    made.begin([], batch_size=10, val_images=0)
    return made


def steps(left: ETA, clock: Clock, count: int, seconds: float) -> None:
    for _ in range(count):
        clock.now += seconds
        left.step()


def test_nothing_is_said_before_anything_is_known(left: ETA, clock: Clock) -> None:
    steps(left, clock, FEWEST - 1, 0.1)
    assert left.left(steps=100, epochs=1) is None
    steps(left, clock, 1, 0.1)
    assert left.left(steps=100, epochs=1) == pytest.approx(10.0)


def test_slow_validation_counts_for_every_epoch_to_come(left: ETA, clock: Clock) -> None:
    steps(left, clock, 50, 0.1)
    clock.now += 30.0
    left.epoch_end()
    steps(left, clock, 50, 0.1)
    assert left.left(steps=100, epochs=4) == pytest.approx(100 * 0.1 + 4 * 30.0)


def test_before_the_first_validation_its_cost_is_guessed(clock: Clock) -> None:
    left = ETA(clock)
    left.begin([], batch_size=10, val_images=200)
    steps(left, clock, 20, 0.1)
    assert left.left(steps=0, epochs=3) == pytest.approx(3 * 0.5 * 0.1 * 20)


def test_a_pause_spoils_nothing(left: ETA, clock: Clock) -> None:
    steps(left, clock, 30, 0.1)
    clock.now += 3600.0
    left.paused(3600.0)
    steps(left, clock, 30, 0.1)
    assert left.left(steps=100, epochs=0) == pytest.approx(10.0)


def test_a_stall_hardly_moves_it(left: ETA, clock: Clock) -> None:
    steps(left, clock, 100, 0.1)
    before = left.left(steps=1000, epochs=0)
    steps(left, clock, 1, 60.0)
    after = left.left(steps=1000, epochs=0)
    assert before == pytest.approx(100.0)
    assert after is not None
    assert after < 1.1 * before  # counted in full it would be 792 s


def test_a_lasting_change_is_followed_without_a_jump(left: ETA, clock: Clock) -> None:
    steps(left, clock, WINDOW, 0.1)
    told = []
    for _ in range(WINDOW):
        steps(left, clock, 1, 0.2)
        told.append(left.left(steps=1000, epochs=0) or 0.0)
    assert told[-1] == pytest.approx(200.0)
    assert max(abs(later - sooner) for sooner, later in zip(told, told[1:], strict=False)) < 1.0


def test_costs_that_come_now_and_then_are_not_lost(left: ETA, clock: Clock) -> None:
    for _ in range(40):  # a preview after every tenth step
        steps(left, clock, 9, 0.1)
        steps(left, clock, 1, 0.4)
    assert left.left(steps=1000, epochs=0) == pytest.approx(130.0)


def test_a_resumed_run_starts_right_and_forgets_the_other_machine(clock: Clock) -> None:
    told = [{"event": "StepCompleted", "images_per_second": 100.0}] * 50
    told += [{"event": "EpochCompleted", "validation_seconds": 7.0}, {"event": "EpochCompleted"}]
    left = ETA(clock)
    left.begin(told, batch_size=10, val_images=1000)
    assert left.left(steps=100, epochs=2) == pytest.approx(100 * 0.1 + 2 * 7.0)
    steps(left, clock, 20, 0.01)
    assert left.left(steps=100, epochs=0) == pytest.approx(1.0)


def test_damaged_records_say_nothing(clock: Clock) -> None:
    left = ETA(clock)
    left.begin(
        [{"event": "StepCompleted", "images_per_second": value} for value in (None, 0, "x", -1)],
        batch_size=10,
        val_images=10,
    )
    assert left.left(steps=1, epochs=1) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (12.0, "less than a minute left"),
        (60.0, "about 1 min left"),
        (725.0, "about 12 min left"),
        (3600.0, "about 1 h left"),
        (5110.0, "about 1 h 25 min left"),
        (7 * 3600.0 + 1000, "about 7 h 30 min left"),
        (49 * 3600.0, "about 2 d 1 h left"),
    ],
)
def test_in_words(seconds: float, words: str) -> None:
    assert ETAWords().say(seconds) == words


def test_the_words_stay_while_the_estimate_wavers() -> None:
    words = ETAWords()
    said = {words.say(seconds) for seconds in (725, 735, 752, 740, 705, 745, 690)}
    assert said == {"about 12 min left"}
    assert words.say(670) == "about 11 min left"
    assert words.say(None) == ""
