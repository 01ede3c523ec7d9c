"""Targets and losses of Algorithm 1. D's output is sigmoid(logits); all losses are batch means."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from pgn_studio.core.config import L2Kind, LossName, Problem


def success_targets(outputs: Tensor, labels: Tensor, problem: Problem) -> Tensor:
    """t of each example, shape (N,): is this perturbation a success?

    `outputs` are f's labels (N,), and t is 1.0 or 0.0 (equations 4 and 10); or its probabilities
    (N, K), and t is that of success: f's own for the true label `labels` (N,), or of any other.
    """
    if outputs.dim() == 1:
        right = (outputs == labels).float()
    else:
        right = outputs.gather(1, labels.unsqueeze(1)).squeeze(1).float()
    return right if problem == "enhance" else 1 - right


def discriminator_losses(logits: Tensor, targets: Tensor, loss: LossName) -> Tensor:
    """L_D of each example, shape (N,): equation 7 (`least-squares`), or A.2's cross-entropy (`logistic`)."""
    if loss == "least-squares":
        return (torch.sigmoid(logits) - targets).square()
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def discriminator_loss(logits: Tensor, targets: Tensor, loss: LossName) -> Tensor:
    """L_D: how far D's judgment is from what the classifier really did."""
    return discriminator_losses(logits, targets, loss).mean()


def surrogate_loss(logits: Tensor, outputs: Tensor) -> Tensor:
    """How far D's prediction of f's label, logits (N, K), is from f's outputs: labels (N,) or (N, K)."""
    return F.cross_entropy(logits, outputs)


def generator_losses(logits: Tensor, loss: LossName) -> Tensor:
    """L_G of each example without the L2 term, (N,): equation 8; A.2 from logits. All should be successes."""
    if loss == "least-squares":
        return (torch.sigmoid(logits) - 1).square()
    return F.softplus(-logits)  # -log sigmoid(logits)


def generator_loss(logits: Tensor, loss: LossName) -> Tensor:
    """L_G without the L2 term: the mean of `generator_losses`."""
    return generator_losses(logits, loss).mean()


def l2_terms(perturbation: Tensor, kind: L2Kind = "mean") -> Tensor:
    """L2 of each p, (N,), in the classifier's input space: of its values the mean of p², the sum, or ‖p‖₂.

    The paper does not say which it means.
    """
    squares = perturbation.flatten(1).square()
    if kind == "mean":
        return squares.mean(1)
    return squares.sum(1) if kind == "sum" else squares.sum(1).sqrt()


def l2_term(perturbation: Tensor, kind: L2Kind = "mean") -> Tensor:
    """L2: the batch's mean of `l2_terms`."""
    if kind == "mean":
        return perturbation.square().mean()
    return l2_terms(perturbation, kind).mean()
