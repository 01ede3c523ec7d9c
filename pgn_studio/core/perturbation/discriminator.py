"""The discriminator D: a backbone that looks at x̃, and a head that judges "is it a success?".

D's backbone is f itself (shared), f's architecture with other weights (known), or another
network (black box). The head may also be told features of the clean image (conditional).
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pgn_studio.core.config import Problem

_HIDDEN = 256


class FeatureScale(nn.Module):
    """Brings features to zero mean and unit variance by statistics fitted once, so that they stand still."""

    center: Tensor
    scale: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))

    def fit(self, features: Tensor) -> None:
        """Fit on features (M, dim) of clean training images; constant ones are left unscaled."""
        deviation = features.float().std(0, unbiased=False)
        self.center.copy_(features.float().mean(0))
        self.scale.copy_(torch.where(deviation > 1e-6, deviation, torch.ones_like(deviation)))

    def forward(self, features: Tensor) -> Tensor:
        return (features.float() - self.center) / self.scale


class Discriminator(nn.Module):
    """D's learning part: a head on features of x̃ and, if conditional, of the clean image.

    `feature_dim`: width of the backbone's pooled features. `condition_dim`: width of what it is
    told of the clean image, 0 for the paper's unconditional D; its last `classes` entries are the
    image's label, one-hot, which also picks a direction in the features that is added to the
    judgment (projection: Miyato and Koyama 2018). `head`: one linear layer (the paper), or two
    hidden layers of 256 with ReLU.
    """

    def __init__(
        self,
        *,
        feature_dim: int,
        condition_dim: int = 0,
        classes: int = 0,
        head: Literal["linear", "mlp"] = "mlp",
    ) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        self.scale = FeatureScale(feature_dim)
        self.classes = classes
        self.projection = nn.Linear(feature_dim, classes, bias=False) if classes else None
        inputs = feature_dim + condition_dim
        if head == "linear":
            self.head = nn.Sequential(nn.Linear(inputs, 1))
        else:
            hidden = (nn.Linear(inputs, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU())
            self.head = nn.Sequential(*hidden, nn.Linear(_HIDDEN, 1))

    def forward(self, features: Tensor, condition: Tensor | None = None) -> Tensor:
        """Logits (N,); D's output of equation 3 is their sigmoid."""
        scaled = self.scale(features)
        seen = scaled if condition is None else torch.cat([scaled, condition.float()], dim=1)
        logits: Tensor = self.head(seen).float().squeeze(1)
        if self.projection is not None and condition is not None:
            label = condition[:, -self.classes :].float()
            logits = logits + (self.projection(scaled).float() * label).sum(1)
        return logits


class SurrogateDiscriminator(nn.Module):
    """D that names the label f gives to x̃, one of `classes`: the odds of the true one are its judgment.

    For a backbone that learns. f's label says more than success or failure does, and a classifier that
    has learned it is closer to f than one that has learned the one bit.
    """

    def __init__(self, *, feature_dim: int, classes: int, problem: Problem) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        self.classes = classes
        self.problem = problem
        self.surrogate = nn.Linear(feature_dim, classes)

    def forward(self, features: Tensor, condition: Tensor | None = None) -> Tensor:
        """Logits (N,), the log-odds that f says the label told (enhancing), or another (adversarial).

        `condition`: the clean images' true labels, one-hot (N, classes).
        """
        assert condition is not None
        names, told = self.names(features), condition > 0
        right = names.masked_fill(~told, 0).sum(1)
        odds = right - names.masked_fill(told, -torch.inf).logsumexp(1)
        return odds if self.problem == "enhance" else -odds

    def names(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of the label that f gives."""
        named: Tensor = self.surrogate(features)
        return named.float()


class FeatureMaps(Protocol):
    """A network that gives feature maps: a pretrained backbone, or a small one that is to learn."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    feature_dim: int

    def feature_map(self, normalized: Tensor) -> Tensor: ...
    def requires_grad_(self, requires_grad: bool = True) -> Any: ...


class DiscriminatorBackbone(nn.Module):
    """D's own eyes (known, black box): pixels of x̃ (N, 3, S, S) to pooled features (N, feature_dim).

    It looks at images at `size` pixels. Pretrained ones stay frozen. One without weights
    learns: by D's loss, and by naming the labels that f gives, since one bit of success a picture
    teaches a network too slowly. It has a `surrogate` for `classes` labels, none where D's head names them.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: FeatureMaps, *, size: int, trained: bool, classes: int = 0) -> None:
        super().__init__()
        self.trained = trained
        self.network = network.requires_grad_(self.trained)
        self.size = size
        self.feature_dim = network.feature_dim
        self.surrogate = nn.Linear(self.feature_dim, classes) if classes else None
        self.register_buffer("mean", torch.tensor(network.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(network.std).view(1, 3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> DiscriminatorBackbone:
        """A frozen backbone stays in evaluation mode."""
        super().train(mode and self.trained)
        return self

    def forward(self, pixels: Tensor) -> Tensor:
        if pixels.shape[-1] != self.size:
            pixels = F.interpolate(pixels, size=(self.size, self.size), mode="bilinear", align_corners=False)
        features: Tensor = self.network.feature_map((pixels - self.mean) / self.std)
        return features.float().mean((2, 3))

    def forward_eval(self, pixels: Tensor) -> Tensor:
        """As `forward`, by batch norm's running statistics also while it learns: what G learns from.

        By the statistics of one batch G could please it by moving that batch's mean.
        """
        learning = self.training
        self.train(False)
        features: Tensor = self(pixels)
        self.train(learning)
        return features
