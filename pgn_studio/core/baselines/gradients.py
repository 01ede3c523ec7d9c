"""Gradients through the frozen classifier to its input, always in float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import Problem
from pgn_studio.core.device import full_precision
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.perturbation.input_space import InputSpace


@contextmanager
def exact_gradients(device: torch.device) -> Iterator[None]:
    """Gradients on, in float32: half precision loses the signs of small gradients."""
    with full_precision(device), torch.enable_grad():
        yield


def direction(problem: Problem) -> float:
    """Down the cross-entropy to help, up to harm."""
    return -1.0 if problem == "enhance" else 1.0


def logits_of(classifier: Classifier, space: InputSpace, values: Tensor) -> Tensor:
    """f's logits (N, K) of images (N, 3, H, W) in `space`, in float32."""
    logits: Tensor = classifier.logits_normalized(space.normalized(values))
    return logits.float()


def check_differentiable(classifier: Classifier, logits: Tensor) -> None:
    """Raise ClassifierError where f only answers."""
    if not logits.requires_grad:
        raise ClassifierError(
            f"This baseline needs gradients through the classifier, and {classifier.info.arch} gives none.",
            hint="Choose the baseline 'random-sign', which only asks for answers.",
        )


def cross_entropy_gradient(
    classifier: Classifier, space: InputSpace, values: Tensor, labels: Tensor | None
) -> Tensor:
    """∇ of each image's cross-entropy to its label, (N, 3, H, W) in `space`; None: to f's own answer.

    Raises ClassifierError for a classifier that gives no gradients.
    """
    with exact_gradients(values.device):
        values = values.detach().float().requires_grad_()
        logits = logits_of(classifier, space, values)
        check_differentiable(classifier, logits)
        labels = logits.detach().argmax(1) if labels is None else labels
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, labels, reduction="sum"), values)
    return gradient


@torch.no_grad()
def own_answers(classifier: Classifier, space: InputSpace, values: Tensor) -> Tensor:
    """f's labels (N,) for images in `space`, in float32."""
    with full_precision(values.device):
        return logits_of(classifier, space, values.float()).argmax(1)


def in_ball(perturbation: Tensor, radius: float) -> Tensor:
    """Each of (N, 3, H, W) brought back to ‖p‖₂ <= radius."""
    norm = perturbation.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    factor: Tensor = (radius / norm.clamp_min(1e-12)).clamp_max(1.0)
    return perturbation * factor
