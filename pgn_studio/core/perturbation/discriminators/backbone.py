"""D that looks through a network of its own (known, black box): f is only asked for its outputs."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import Self

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.perturbation.condition import Condition
from pgn_studio.core.perturbation.discriminators.base import (
    Discriminator,
    DiscriminatorBatch,
    DiscriminatorLoss,
    FixedFeatureDiscriminator,
    FrozenClassifier,
    Observation,
)
from pgn_studio.core.perturbation.discriminators.plan import DiscriminatorPlan
from pgn_studio.core.perturbation.losses import discriminator_loss, success_targets, surrogate_loss


class BackboneDiscriminator(Discriminator):
    """Its backbone learns or stands still: see its kinds."""

    def __init__(
        self,
        settings: TrainingSettings,
        f: FrozenClassifier,
        *,
        backbone: DiscriminatorBackbone,
        head: nn.Module,
        condition: Condition,
    ) -> None:
        super().__init__(settings, f, head=head, condition=condition)
        self.backbone = backbone

    @classmethod
    def over(cls, plan: DiscriminatorPlan, backbone: DiscriminatorBackbone) -> Self:
        """D that looks through `backbone`, with the condition and the head that the settings say."""
        condition = plan.condition()
        head = plan.success_head(backbone.feature_dim, condition, learns=backbone.trained)
        return cls(plan.settings, plan.f, backbone=backbone, head=head, condition=condition)

    def clean_features(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.backbone(pixels)
        return features

    def parts(self) -> dict[str, nn.Module]:
        return {"discriminator": self.head, "backbone": self.backbone, "condition": self.condition.image}


class FrozenBackboneDiscriminator(BackboneDiscriminator, FixedFeatureDiscriminator):
    """Its backbone has pretrained weights and stays as it is (the paper's attacks)."""

    def _look(self, values: Tensor) -> tuple[Tensor, Tensor]:
        return self.f.outputs(values), self.backbone(self.f.space.to_pixels(values))


class LearningBackboneDiscriminator(BackboneDiscriminator):
    """Its backbone starts from random weights: it learns by L_D and by predicting f's outputs.

    f is asked about the clean images anyway, and without them such a D lags behind: they are half of its
    examples.
    """

    def _look(self, values: Tensor) -> tuple[Tensor, Tensor]:
        return self.f.outputs(values), values.new_empty(0)

    def loss(self, seen: Observation, targets: Tensor, batch: DiscriminatorBatch) -> DiscriminatorLoss:
        examples = torch.cat([seen.perturbed, batch.clean])  # (2B, 3, H, W)
        features = self.backbone(self.f.space.to_pixels(examples))  # (2B, F)
        auxiliary = surrogate_loss(self.surrogate_logits(features), torch.cat([seen.outputs, batch.outputs]))
        targets = torch.cat([targets, success_targets(batch.outputs, batch.labels, self.problem)])
        logits = self.head(features, seen.condition.repeat(2, 1))  # (2B,)
        return DiscriminatorLoss(
            discriminator_loss(logits, targets, self.loss_name), auxiliary, logits, targets
        )

    def judge(self, seen: Observation) -> Tensor:
        features = self.backbone.forward_eval(self.f.space.to_pixels(seen.perturbed))
        logits: Tensor = self.head(features, seen.condition.detach())
        return logits

    def surrogate_logits(self, features: Tensor) -> Tensor:
        """Which label f gives, by the backbone's features (N, F): logits (N, K)."""
        return self.backbone.surrogate_logits(features)


class FeatureMaps(Protocol):
    """A network that gives feature maps: a pretrained backbone, or a small one that is to learn."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    feature_dim: int

    def feature_map(self, normalized: Tensor) -> Tensor: ...
    def requires_grad_(self, requires_grad: bool = True) -> Any: ...


class DiscriminatorBackbone(nn.Module):
    """Pixels of x̃ (N, 3, S, S) to pooled features (N, feature_dim).

    It looks at images at `size` pixels. Pretrained ones stay frozen. One without weights is `trained`: by
    L_D, and by predicting f's labels, since one bit of success an image teaches a network too slowly. It
    has a `surrogate` for `classes` labels, none where D's head predicts them.
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

    def surrogate_logits(self, features: Tensor) -> Tensor:
        """Logits (N, K) of the label that f gives."""
        assert self.surrogate is not None
        logits: Tensor = self.surrogate(features)
        return logits.float()
