"""Notices that come once: before the first step, at the end, and when a run cannot go on.

Those of a run's course: monitor.py.
"""

from __future__ import annotations

import math

import torch

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.amounts import percent
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import RunError
from pgn_studio.core.training.events import Notice, RunFinished
from pgn_studio.core.training.step import TrainStep

_NEARLY_ALL = 0.98


def few_failures(
    clean_train_accuracy: float, settings: TrainingSettings, *, step: int, input_mixup: float, known: bool
) -> Notice | None:
    """When f is right on (nearly) all of its training images, t is 1 and D has little to learn from.

    `known`: f has learned from the validation images, too.
    """
    if settings.problem != "enhance":
        return None
    right = f"The classifier is right on {percent(clean_train_accuracy)} of the training images"
    if known and input_mixup > 0:
        return Notice(
            step,
            "validation-known",
            f"{right} and on nearly all of the validation images: it seems to know both. It is shown them"
            f" mixed with up to {percent(input_mixup, 0)} of another image, so that it fails often enough to"
            " learn from; this run's figures on validation are of mixed images.",
            "Give training and validation images that the classifier has not seen.",
        )
    if input_mixup > 0:
        return Notice(
            step,
            "blending",
            f"{right}, more than on others: it is shown them mixed with up to {percent(input_mixup, 0)} of"
            " another image, so that there are failures to learn from.",
            "Images that the classifier has not seen would serve better.",
            "info",
        )
    if clean_train_accuracy < _NEARLY_ALL:
        return None
    return Notice(
        step,
        "targets-constant",
        f"{right}: nearly every target is 1, so there are few failures to learn from.",
        Advice(
            "Train on images that the classifier has not seen, or leave {} at its default.",
            Setting("input_mixup"),
        ),
    )


def below_clean(ending: RunFinished, settings: TrainingSettings) -> Notice | None:
    """When the PGN that is kept is, by accuracy after 8 bits, worse than no PGN."""
    step, clean, kept = ending.step, ending.clean_accuracy, ending.perturbed_accuracy_8bit
    if settings.problem == "enhance" and kept < clean:
        return Notice(
            step,
            "below-clean",
            f"The PGN that this run keeps reaches {percent(kept)} on validation;"
            f" without it it is {percent(clean)}.",
            Advice(
                "Raise {}, lower {}, or train for more epochs.", Setting("gamma"), Setting("learning_rate_g")
            ),
        )
    if settings.problem == "adversarial" and kept >= clean:
        return Notice(
            step,
            "no-attack",
            f"The PGN that this run keeps leaves accuracy at {percent(kept)}; clean it is {percent(clean)}.",
            Advice("Lower {}, or train for more epochs.", Setting("gamma")),
        )
    return None


class NotFiniteError(RunError):
    """The game has left the numbers: nothing of the present state may be kept."""


def check_losses(step: int, *, loss_g: float, loss_d: float, l2: float) -> None:
    """Raises NotFiniteError unless the losses of `step` are finite."""
    if not all(map(math.isfinite, (loss_g, loss_d, l2))):
        figures = f"L_G {loss_g:g}, L_D {loss_d:g}, L2 {l2:g}"
        raise NotFiniteError(f"The losses are no longer finite at step {step} ({figures}).")


def check_weights(train_step: TrainStep, step: int) -> None:
    """Raises NotFiniteError unless weights, averages and optimizers are finite; waits for the device.

    Asked before anything is saved: a step's losses are finite when its gradients are not.
    """
    values = [value for module in train_step.parts().values() for value in module.state_dict().values()]
    for optimizer in (train_step.adam_d, train_step.adam_g):
        values += [value for state in optimizer.state.values() for value in state.values()]
    if not all(bool(torch.isfinite(value).all()) for value in values if value.is_floating_point()):
        raise NotFiniteError(f"The weights are no longer finite at step {step}.")


def not_finite(error: NotFiniteError, *, step: int, saved_step: int) -> Notice:
    """`saved_step`: where the checkpoint and the PGNs in the run folder stand, 0 if there are none."""
    kept = (
        f"The run is kept as it was at step {saved_step}, where its last epoch ended."
        if saved_step
        else "Nothing is kept: it was in its first epoch."
    )
    hint = Advice(
        "In a new run raise {}, lower {} and {}, or use {}.",
        Setting("gamma"),
        Setting("learning_rate_g"),
        Setting("learning_rate_d"),
        Setting("precision", "fp32"),
    )
    return Notice(step, "non-finite", f"{error.message} {kept}", hint, "severe")
