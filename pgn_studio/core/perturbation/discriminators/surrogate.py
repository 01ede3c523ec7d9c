"""D that predicts f's label: a surrogate of f, whose odds of the true label are D's judgment."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pgn_studio.core.config import Problem
from pgn_studio.core.perturbation.discriminators.backbone import LearningBackboneDiscriminator


class SurrogateDiscriminator(LearningBackboneDiscriminator):
    """For a backbone that learns, where D is told the label and nothing else.

    f's label says more than success or failure does, and a classifier that has learned it is closer to f
    than one that has learned the one bit.
    """

    head: SurrogateHead

    def surrogate_logits(self, features: Tensor) -> Tensor:
        return self.head.surrogate_logits(features)


class SurrogateHead(nn.Module):
    """Predicts which of `classes` labels f gives, and judges by the odds of the one that D is told."""

    def __init__(self, *, feature_dim: int, classes: int, problem: Problem) -> None:
        super().__init__()
        self.problem = problem
        self.surrogate = nn.Linear(feature_dim, classes)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Logits (N,), the log-odds that f says the label told (enhancing), or another (adversarial).

        `condition`: the clean images' true labels, one-hot (N, classes).
        """
        logits, told = self.surrogate_logits(features), condition > 0
        right = logits.masked_fill(~told, 0).sum(1)
        odds = right - logits.masked_fill(told, -torch.inf).logsumexp(1)
        return odds if self.problem == "enhance" else -odds

    def surrogate_logits(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of the label that f gives."""
        logits: Tensor = self.surrogate(features)
        return logits.float()
