from __future__ import annotations

from collections.abc import Iterator

from pgn_studio.core.training_loop import train_epochs


class Counting:
    """Takes at most `most` steps of three batches an epoch."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.log: list[str] = []

    def batches(self, epoch: int) -> Iterator[int]:
        self.log.append(f"epoch {epoch}")
        yield from range(3)

    def proceed(self) -> bool:
        return sum(entry.startswith("step") for entry in self.log) < self.most

    def step(self, batch: int) -> None:
        self.log.append(f"step {batch}")

    def end_epoch(self, epoch: int) -> None:
        self.log.append(f"end {epoch}")


EPOCH = ["step 0", "step 1", "step 2"]


def test_epochs_batches_and_their_ends_in_order() -> None:
    learner = Counting(99)
    assert train_epochs(learner, range(1, 3))
    assert learner.log == ["epoch 1", *EPOCH, "end 1", "epoch 2", *EPOCH, "end 2"]


def test_a_stop_inside_an_epoch_leaves_its_end_out() -> None:
    learner = Counting(4)
    assert not train_epochs(learner, range(2))
    assert learner.log == ["epoch 0", *EPOCH, "end 0", "epoch 1", "step 0"]


def test_a_stop_at_an_epoch_s_end_comes_after_it() -> None:
    learner = Counting(3)
    assert not train_epochs(learner, range(2))
    assert learner.log == ["epoch 0", *EPOCH, "end 0", "epoch 1"]
