"""Where a step is, and which images it takes, when the batch shrinks on the way."""

from __future__ import annotations

import numpy as np
import pytest

from pgn_studio.core.training.schedule import BatchSchedule


def taken(schedule: BatchSchedule, epoch: int, *, done: int = 0) -> list[int]:
    return [int(image) for batch in schedule.batches(epoch, seed=3, done=done) for image in batch]


def test_without_a_change_it_is_division() -> None:
    schedule = BatchSchedule(10, 4)
    assert schedule.per_epoch == 3
    assert [schedule.place(step) for step in range(7)] == [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (1, 2),
        (2, 0),
    ]
    assert [schedule.first_step(epoch) for epoch in range(3)] == [0, 3, 6]


def test_at_an_epoch_s_end_only_the_following_ones_are_longer() -> None:
    schedule = BatchSchedule(10, 4).changed(2, step=3)
    assert schedule == BatchSchedule(10, 2, step=3, epoch=1)
    assert schedule.place(3) == (1, 0)
    assert schedule.first_step(2) == 8
    assert schedule.place(8) == (2, 0)
    assert taken(schedule, 1, done=2) == taken(BatchSchedule(10, 2), 1, done=2)


@pytest.mark.parametrize(
    ("images", "batch", "smaller", "step"), [(40, 8, 4, 7), (41, 5, 2, 11), (9, 4, 2, 1)]
)
def test_inside_an_epoch_the_rest_of_its_images_follow_each_once(
    images: int, batch: int, smaller: int, step: int
) -> None:
    before = BatchSchedule(images, batch)
    epoch, done = before.place(step)
    after = before.changed(smaller, step=step)
    assert after.place(step) == (epoch, done)
    first = taken(before, epoch)[: done * batch]
    both = [*first, *taken(after, epoch, done=done)]
    assert len(set(both)) == len(both)
    assert images - len(both) <= 1  # a last one alone is left out
    assert after.first_step(epoch + 1) - step == len(after.batches(epoch, seed=3, done=done))
    assert after.place(after.first_step(epoch + 1)) == (epoch + 1, 0)
    assert taken(after, epoch + 1) == taken(BatchSchedule(images, smaller), epoch + 1)


def test_shrinking_twice_in_one_epoch_keeps_count() -> None:
    schedule = BatchSchedule(40, 8).changed(4, step=2).changed(2, step=4)
    assert schedule == BatchSchedule(40, 2, step=4, epoch=0, done=4, taken=24)
    assert schedule.first_step(1) == 4 + 8
    order = taken(BatchSchedule(40, 8), 0)
    assert taken(schedule, 0, done=4) == order[24:]
    assert taken(schedule, 0, done=6) == order[28:]


def test_the_same_size_changes_nothing() -> None:
    schedule = BatchSchedule(40, 8, step=3, epoch=0, done=3, taken=24)
    assert schedule.changed(8, step=4) is schedule


@pytest.mark.parametrize("wrong", [{"batch_size": 1}, {"step": -1}, {"taken": "3"}, {"epoch": 0.5}])
def test_what_no_run_can_have_written_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a schedule"):
        BatchSchedule(**{"images": 10, "batch_size": 4, **wrong})  # type: ignore[arg-type]


def test_the_order_is_the_seed_s_and_the_epoch_s() -> None:
    first, again = (BatchSchedule(10, 4).batches(0, seed=1, done=0)[0] for _ in range(2))
    assert np.array_equal(first, again)
    assert taken(BatchSchedule(10, 4), 0) != taken(BatchSchedule(10, 4), 1)
