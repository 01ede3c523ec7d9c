"""DeepFool (Moosavi-Dezfooli et al. 2016) for a whole batch: the nearest linearised boundary, repeated."""

from __future__ import annotations

import torch
from torch import Tensor

from pgn_studio.core.baselines.gradients import check_differentiable, exact_gradients, logits_of, own_answers
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.device import full_precision
from pgn_studio.core.perturbation.input_space import InputSpace

_MOST_STEPS = 50
_CANDIDATES = 10  # classes whose boundaries are tried, as in the paper's experiments
_TINY = 1e-12


def deepfool(
    classifier: Classifier,
    space: InputSpace,
    values: Tensor,
    *,
    candidates: int = _CANDIDATES,
    overshoot: float = 0.02,
    most_steps: int = _MOST_STEPS,
) -> Tensor:
    """Small p (N, 3, H, W) that change f's answers on images (N, 3, H, W) in `space` (algorithm 2).

    Images whose answer has changed rest while the others go on. `overshoot` is the paper's η.
    Nothing is clamped. Raises ClassifierError for a classifier that gives no gradients.
    """
    values = values.detach().float()
    with torch.no_grad(), full_precision(values.device):
        logits = logits_of(classifier, space, values)
    classes = logits.topk(min(candidates, logits.shape[1]), dim=1).indices  # (N, C), f's answer first
    moved = torch.zeros_like(values)
    going = torch.arange(len(values), device=values.device)
    for left in range(most_steps - 1, -1, -1):
        moved[going] += _step(classifier, space, values[going] + moved[going], classes[going])
        if not left:  # no step to follow: whether it has reached is not asked
            break
        reached = values[going] + (1 + overshoot) * moved[going]
        going = going[own_answers(classifier, space, reached) == classes[going, 0]]
        if len(going) == 0:
            break
    return moved * (1 + overshoot)


def _step(classifier: Classifier, space: InputSpace, values: Tensor, classes: Tensor) -> Tensor:
    """The shortest way (N, 3, H, W) to the nearest of the linearised boundaries (equations 7 to 9).

    `classes` (N, C): the class to leave, then those whose boundaries are tried.
    """
    with exact_gradients(values.device):
        values = values.requires_grad_()
        logits = logits_of(classifier, space, values)
        check_differentiable(classifier, logits)
        scores = logits.gather(1, classes)  # (N, C)
        gradients = torch.stack(
            [
                torch.autograd.grad(score.sum(), values, retain_graph=True)[0].flatten(1)
                for score in scores.unbind(1)
            ],
            dim=1,
        )  # (N, C, 3·H·W)
    scores = scores.detach()
    normals = gradients[:, 1:] - gradients[:, :1]
    lengths = normals.norm(dim=2).clamp_min(_TINY)  # (N, C - 1)
    distances = (scores[:, 1:] - scores[:, :1]).abs() / lengths
    nearest = distances.argmin(dim=1)
    rows = torch.arange(len(values), device=values.device)
    chosen = normals[rows, nearest] / lengths[rows, nearest, None]
    step: Tensor = distances[rows, nearest, None] * chosen
    return step.view_as(values)
