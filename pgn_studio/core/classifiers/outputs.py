"""What raw outputs mean, by one rule for every classifier that does not say it: decided once, on loading."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pgn_studio.core.errors import ClassifierError

SUM_SLACK = 0.01  # half precision
_MOST_SLACK = 0.2  # of many probabilities that were rounded to few digits
SMALLEST = 1e-30  # below it a probability counts as this much: float32 still has a gradient there
PROBABILITIES = "probabilities, taken as their logarithms"
PERCENTAGES = "percentages, taken as the logarithms of probabilities"
_SORTED_STEPS = 4  # fewer fall by chance alone, where a classifier sees one class in all made-up images
LIKE_SIGMOIDS = (
    "The classifier's scores lie between 0 and 1 and do not sum to 1: they are taken as logits, so its"
    " confidences mean little."
)
SAME_FOR_ALL = (
    "The classifier gives the same for every image, as far as made-up ones tell: check how it was exported."
)
SORTED = "gives its scores in order of size, not of the classes: they fall or rise along every row"
SORTED_HINT = "Export it without topk or sort: a score for each class, in the order of the classes."
IN_TRAINING_MODE = "Call model.eval() and export it again."


def probabilities_as(rows: Tensor) -> str:
    """What rows (N, K) are called whose logarithms are the logits; "" where they are logits themselves.

    A factor changes no logarithm but by a constant, which no softmax sees.
    """
    if are_probabilities(rows):
        return PROBABILITIES
    return PERCENTAGES if are_probabilities(rows.double() / 100) else ""


def are_sorted(rows: Tensor) -> bool:
    """Whether all rows (N, K), of different images, fall or all rise from the first class to the last."""
    steps = rows.detach().double().diff(dim=1)
    one_way = bool((steps <= 0).all()) or bool((steps >= 0).all())
    return one_way and not are_alike(rows) and float((steps != 0).sum(1).double().mean()) >= _SORTED_STEPS


def are_alike(rows: Tensor) -> bool:
    """Whether rows (N, K), of different images, are all the same up to the last bits."""
    return bool((rows - rows[:1]).abs().max() <= 1e-6 * rows.abs().max())


def are_probabilities(rows: Tensor) -> bool:
    """Whether all rows (N, K), of different images, are non-negative and sum to 1, up to rounding."""
    rows = rows.detach().double()
    sums = rows.sum(1)
    return bool((rows >= 0).all()) and bool(((sums - 1).abs() <= _slack(rows)).all())


def _slack(rows: Tensor) -> float:
    """By how much sums may miss 1: half of the last digit for each class, where digits were left out."""
    for digits in range(1, 5):
        whole = rows * 10**digits
        if bool(((whole - whole.round()).abs() < 1e-3).all()):
            return min(_MOST_SLACK, max(SUM_SLACK, rows.shape[1] * 0.5 / 10.0**digits))
    return SUM_SLACK


def look_like_sigmoids(rows: Tensor) -> bool:
    """Whether all values (N, K) lie in 0...1 while the rows do not sum to 1."""
    return bool(((rows >= 0) & (rows <= 1)).all()) and not are_probabilities(rows)


def log_probabilities(probabilities: Tensor) -> Tensor:
    """Logits whose softmax gives the probabilities back."""
    return probabilities.float().clamp_min(SMALLEST).log()


def scores_among(outputs: Mapping[str, Tensor], count: int, num_classes: int, *, name: str) -> str:
    """Which of several outputs for `count` images holds the scores of all classes (count, num_classes).

    The only one of that shape; of several the one called logits, or that whose softmax another one is.
    Raises ClassifierError that names all outputs with their shapes.
    """
    fitting = {key: value for key, value in outputs.items() if _fits(value, count, num_classes)}
    named = [key for key in fitting if key.rpartition(".")[2].lower() in ("logits", "logit")]
    twins = [key for key in fitting if _has_softmax(key, fitting)]
    for found in (list(fitting), named, twins):
        if len(found) == 1:
            return found[0]
    shapes = ", ".join(f"{key} {tuple(value.shape)}" for key, value in outputs.items()) or "no tensor"
    if fitting:
        raise ClassifierError(
            f"{name} gives several outputs that could be its scores: {shapes}.",
            hint="Export a model that returns its logits alone, or call them logits in a dict.",
        )
    raise ClassifierError(
        f"{name} was expected to give ({count}, {num_classes}) logits for {count} images and"
        f" {num_classes} classes, but gives {shapes if len(outputs) != 1 else _only(outputs)}.",
        hint="Give the classes that it was trained on, in its order.",
    )


def squeezed(scores: Tensor) -> Tensor:
    """(N, K, 1, 1), as fully convolutional networks give it, to (N, K)."""
    return scores.flatten(1) if scores.dim() > 2 else scores


def _fits(value: Tensor, count: int, num_classes: int) -> bool:
    shape = tuple(value.shape)
    return shape[:2] == (count, num_classes) and set(shape[2:]) <= {1} and value.is_floating_point()


def _has_softmax(key: str, outputs: Mapping[str, Tensor]) -> bool:
    """Whether another output is this one's softmax: (logits, probabilities) is a common pair."""
    own = outputs[key]
    soft = squeezed(own).float().softmax(1)
    return not are_probabilities(squeezed(own)) and any(
        other is not own and torch.allclose(squeezed(other).float(), soft, atol=1e-3)
        for other in outputs.values()
    )


def _only(outputs: Mapping[str, Tensor]) -> str:
    return str(tuple(next(iter(outputs.values())).shape))
