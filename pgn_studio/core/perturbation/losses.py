"""Targets and losses of Algorithm 1. D's output is sigmoid(logits); all losses are batch means."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from pgn_studio.core.config import LossName, Problem


def success_targets(answers: Tensor, labels: Tensor, problem: Problem) -> Tensor:
    """t of each example, shape (N,): is this perturbation a success?

    `answers` are f's labels (N,), and t is 1.0 or 0.0 (equations 4 and 10); or its probabilities
    (N, K), and t is that of success: f's own for the true label `labels` (N,), or of any other.
    """
    if answers.dim() == 1:
        right = (answers == labels).float()
    else:
        right = answers.gather(1, labels.unsqueeze(1)).squeeze(1).float()
    return right if problem == "enhance" else 1 - right


def discriminator_losses(logits: Tensor, targets: Tensor, loss: LossName) -> Tensor:
    """L_D of each example, shape (N,): equation 7 (`least-squares`), or A.2's cross-entropy (`logistic`)."""
    if loss == "least-squares":
        return (torch.sigmoid(logits) - targets).square()
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def discriminator_loss(logits: Tensor, targets: Tensor, loss: LossName) -> Tensor:
    """L_D: how far D's judgement is from what the classifier really did."""
    return discriminator_losses(logits, targets, loss).mean()


def naming_loss(names: Tensor, answers: Tensor) -> Tensor:
    """How far D's own naming, logits (N, K), is from f's answers: labels (N,) or probabilities (N, K)."""
    return F.cross_entropy(names, answers)


def generator_loss(logits: Tensor, loss: LossName) -> Tensor:
    """L_G without the L2 term (equation 8; A.2 from logits): every x̃ should look like a success."""
    if loss == "least-squares":
        return (torch.sigmoid(logits) - 1).square().mean()
    return F.softplus(-logits).mean()  # -log sigmoid(logits)


def l2_term(perturbation: Tensor) -> Tensor:
    """L2: the mean of p² over batch, channels and pixels, in the classifier's input space."""
    return perturbation.square().mean()
