"""What goes wrong in PGN training, in words, with what to change."""

from __future__ import annotations

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.training.checkpoints import Position
from pgn_studio.core.training.events import Notice

_NEARLY_ALL = 0.98


def few_failures(
    clean_train_accuracy: float, settings: TrainingSettings, *, step: int, blend: float
) -> Notice | None:
    """When f is right on (nearly) all of its training images, t is 1 and D has little to learn from."""
    if settings.problem != "enhance":
        return None
    right = f"The classifier is right on {clean_train_accuracy:.1%} of the training images"
    if blend > 0:
        return Notice(
            step,
            "blending",
            f"{right}, more than on others: it is shown them mixed with up to {blend:.0%} of another image, "
            "so that there are failures to learn from.",
            "Images that the classifier has not seen would serve better.",
        )
    if clean_train_accuracy < _NEARLY_ALL:
        return None
    return Notice(
        step,
        "targets-constant",
        f"{right}: nearly every target is 1, so there are few failures to learn from.",
        "Train on images that the classifier has not seen, or leave --blend at its default.",
    )


def below_clean(position: Position, settings: TrainingSettings) -> Notice | None:
    """When the PGN that is kept is worse than no PGN."""
    clean, kept = position.clean_accuracy, position.best_accuracy_8bit
    if settings.problem == "enhance" and kept < clean:
        return Notice(
            position.step,
            "below-clean",
            f"The best PGN of this run reaches {kept:.1%} on validation; without it it is {clean:.1%}.",
            "Raise --gamma, lower --learning-rate-g, or train for more epochs.",
        )
    if settings.problem == "adversarial" and kept >= clean:
        return Notice(
            position.step,
            "no-attack",
            f"The best PGN of this run leaves accuracy at {kept:.1%}; clean it is {clean:.1%}.",
            "Lower --gamma, or train for more epochs.",
        )
    return None
