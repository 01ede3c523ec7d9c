"""What D is told of the clean image: features that stand still, or that D itself learns.

Conditioned on G's own moving features D falls behind; on a frozen encoder's principal components, or on a
small encoder of its own, it holds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pgn_studio.core.perturbation.generator import SmallEncoder
from pgn_studio.core.perturbation.modulation import one_hot


class ImageCondition(nn.Module):
    """What D is told of the clean image: here nothing."""

    dim: int = 0
    reads_encoder = False  # whether it is fitted on G's encoder's features

    def fit(self, features: Tensor) -> None:
        """Fit on G's encoder's pooled features (M, C) of training images."""

    def forward(self, pixels: Tensor, encoded: Tensor) -> Tensor:
        """Images (N, 3, S, S) in [0, 1] and G's encoder's features (N, C, h, w) of them to (N, dim)."""
        return pixels.new_zeros(len(pixels), 0)


class Condition(nn.Module):
    """What D is told beside x̃: `image`, then the label one-hot, if it is one of `classes`."""

    def __init__(self, image: ImageCondition, *, classes: int) -> None:
        super().__init__()
        self.image = image
        self.classes = classes
        self.dim = image.dim + classes

    def forward(self, pixels: Tensor, encoded: Tensor, labels: Tensor) -> Tensor:
        """(N, dim); `dim` is 0 for the paper's D."""
        of_image: Tensor = self.image(pixels, encoded)
        return torch.cat([of_image.float(), one_hot(labels, self.classes).float()], dim=1)


class PrincipalComponents(ImageCondition):
    """Whitened leading principal components of pooled encoder features, fitted once on clean images."""

    reads_encoder = True

    center: Tensor
    basis: Tensor

    def __init__(self, feature_dim: int, *, components: int) -> None:
        super().__init__()
        self.dim = min(components, feature_dim)
        self.register_buffer("center", torch.zeros(feature_dim))
        self.register_buffer("basis", torch.zeros(feature_dim, self.dim))

    def fit(self, features: Tensor) -> None:
        features = features.double()
        self.center.copy_(features.mean(0))
        centered = features - features.mean(0)
        covariance = centered.T @ centered / max(len(features) - 1, 1)
        variances, vectors = torch.linalg.eigh(covariance)  # ascending
        variances, vectors = variances.flip(0)[: self.dim], vectors.flip(1)[:, : self.dim]
        floor = max(float(variances[0]) * 1e-6, 1e-12)  # fewer images than components
        self.basis.copy_(vectors / variances.clamp_min(floor).sqrt())
        self.basis[:, variances <= floor] = 0

    def forward(self, pixels: Tensor, encoded: Tensor) -> Tensor:
        """(N, dim), of about unit variance."""
        pooled = encoded.float().mean((2, 3))
        return (pooled - self.center) @ self.basis


class ConditionEncoder(ImageCondition):
    """A small encoder of the clean image, trained by D's loss."""

    def __init__(self, *, image_size: int, dim: int) -> None:
        super().__init__()
        self.encoder = SmallEncoder.fitting(image_size)
        self.dim = dim
        self.project = nn.Linear(self.encoder.feature_dim, dim)

    def forward(self, pixels: Tensor, encoded: Tensor) -> Tensor:
        features = self.encoder.feature_map((pixels - 0.5) / 0.5)
        projected: Tensor = self.project(features.float().mean((2, 3)))
        return projected
