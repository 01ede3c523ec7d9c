"""Noise on what G's decoder reads, to reduce overfitting.

On a few thousand images a decoder tells each from all others, is sure of every label, and on new
images it overrules f where f was right. Noise of the size by which features differ between
images leaves it as sure as the features allow; for a linear reading it is ridge regression.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NoFeatureNoise(nn.Module):
    """Leaves the features as they are."""

    reads_encoder = False  # whether it is fitted on the encoder's features

    def fit(self, features: Tensor) -> None:
        """Fit on pooled features (M, feature_dim) of training images."""

    def forward(self, feature_map: Tensor, draws: torch.Generator) -> Tensor:
        """Feature map (N, C, h, w), noisy; `draws` lives on the CPU, so that every device sees the same."""
        return feature_map


class FeatureNoise(NoFeatureNoise):
    """Adds normal noise to feature maps, one draw for each image and channel; only while training.

    `strength` is in standard deviations of a channel's pooled features over the training images.
    """

    reads_encoder = True
    deviation: Tensor

    def __init__(self, feature_dim: int, *, strength: float) -> None:
        super().__init__()
        self.strength = strength
        self.register_buffer("deviation", torch.zeros(feature_dim))

    def fit(self, features: Tensor) -> None:
        self.deviation.copy_(features.float().std(0, unbiased=False))

    def forward(self, feature_map: Tensor, draws: torch.Generator) -> Tensor:
        noise = torch.randn(feature_map.shape[:2], generator=draws).to(self.deviation, non_blocking=True)
        noise = (self.strength * self.deviation * noise)[:, :, None, None]
        return feature_map + noise.to(feature_map.dtype)
