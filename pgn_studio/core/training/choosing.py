"""Which epoch is a run's best: the latest of those that validation cannot tell from the best.

So many images tell accuracies apart only so far: of sixteen epochs the one with the highest is often an
early one that was lucky. The one-standard-error rule (Breiman et al. 1984) takes all that are within one
standard error of the highest for equals; of these the latest has learned longest.
"""

from __future__ import annotations

from pgn_studio.core.config import Problem


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
