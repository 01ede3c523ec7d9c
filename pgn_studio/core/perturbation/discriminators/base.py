"""What discriminators share: D looks at x̃, learns from what f made of it, and judges "is it a success?".

A kind of D is a subclass: it says through which backbone it looks, and what it learns beside L_D.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.perturbation.condition import Condition
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.losses import discriminator_loss

_HIDDEN = 256


class ClassifierNetwork(Protocol):
    """What a step asks of f."""

    def logits_normalized(self, normalized: Tensor) -> Tensor: ...
    def logits_and_features(self, normalized: Tensor) -> tuple[Tensor, Tensor]: ...


class FrozenClassifier:
    """f as a step asks it: about images in the space of the perturbation.

    Its outputs are labels (N,), or where targets are `soft` its probabilities (N, K).
    """

    def __init__(self, classifier: ClassifierNetwork, space: InputSpace, *, soft: bool) -> None:
        self.classifier = classifier
        self.space = space
        self.soft = soft

    @torch.no_grad()
    def outputs(self, values: Tensor) -> Tensor:
        return self._outputs(self.classifier.logits_normalized(self.space.normalized(values)))

    def outputs_and_features(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """In one forward; gradients flow from the features (N, F) to the images."""
        logits, features = self.classifier.logits_and_features(self.space.normalized(values))
        return self._outputs(logits), features

    def _outputs(self, logits: Tensor) -> Tensor:
        return logits.detach().float().softmax(1) if self.soft else logits.argmax(1)


def predicted_labels(outputs: Tensor) -> Tensor:
    """f's labels (N,) int64 of its outputs, which may be probabilities (N, K)."""
    return outputs if outputs.dim() == 1 else outputs.argmax(1)


class DiscriminatorBatch(NamedTuple):
    """A step's clean images, as far as D may know of them."""

    pixels: Tensor  # (B, 3, S, S) in [0, 1], as G sees them
    labels: Tensor  # (B,)
    encoded: Tensor  # (B, C, h, w), G's encoder's features of `pixels`, without a graph
    clean: Tensor  # (B, 3, H, W), as f is shown them, in the space of the perturbation
    outputs: Tensor  # f's for `clean`: (B,) or (B, K)


class Observation(NamedTuple):
    """What f and D's backbone see of a batch of x̃, and what D is told beside it."""

    perturbed: Tensor  # (B, 3, H, W), x̃ in the space of the perturbation
    outputs: Tensor  # f's for x̃: (B,) or (B, K)
    features: Tensor  # (B, F), of a backbone that stands still; (0,) of one that learns: it looks anew
    condition: Tensor  # (B, told), what D is told; `told` may be 0

    @property
    def predictions(self) -> Tensor:
        """f's labels, (B,) int64."""
        return predicted_labels(self.outputs)

    def detach(self) -> Observation:
        """The same for D's update, whose gradients end at x̃."""
        return self._replace(perturbed=self.perturbed.detach(), features=self.features.detach())


class DiscriminatorLoss(NamedTuple):
    """D's loss on its examples of a step, M of them, and how it judged them."""

    adversarial: Tensor  # L_D
    auxiliary: Tensor  # what its backbone learns beside L_D; 0 where that stands still
    logits: Tensor  # (M,)
    targets: Tensor  # (M,)

    @property
    def total(self) -> Tensor:
        return self.adversarial + self.auxiliary


class Discriminator(nn.Module, ABC):
    """D(x̃) = sigmoid(judge(observe(x̃))), equation 3. `head` takes features and condition to logits."""

    scales_features = False  # whether statistics of its features are fitted before the first step

    def __init__(
        self, settings: TrainingSettings, f: FrozenClassifier, *, head: nn.Module, condition: Condition
    ) -> None:
        super().__init__()
        self.f = f
        self.head = head
        self.condition = condition
        self.problem = settings.problem
        self.loss_name = settings.loss

    def observe(self, perturbed: Tensor, batch: DiscriminatorBatch) -> Observation:
        """One forward of f about x̃ (B, 3, H, W): its outputs and, where D looks through f, its features."""
        outputs, features = self._look(perturbed)
        return Observation(
            perturbed, outputs, features, self.condition(batch.pixels, batch.encoded, batch.labels)
        )

    @abstractmethod
    def loss(self, seen: Observation, targets: Tensor, batch: DiscriminatorBatch) -> DiscriminatorLoss:
        """On what was seen of x̃, detached, with the targets t (B,)."""

    @abstractmethod
    def judge(self, seen: Observation) -> Tensor:
        """Logits (B,) of x̃, by D as it is now: G learns from their gradient."""

    @abstractmethod
    def _look(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """f's outputs, and the features of a backbone that stands still, of images in p's space."""

    @abstractmethod
    def clean_features(self, pixels: Tensor) -> Tensor:
        """Its backbone's features (N, F) of images in [0, 1]."""

    def fit_scale(self, features: Tensor) -> None:
        """Fit on features (M, F) of clean training images, where D `scales_features`."""

    def parts(self) -> dict[str, nn.Module]:
        """What a checkpoint holds of it, by name; in this order its weights are counted."""
        return {"discriminator": self.head, "condition": self.condition.image}

    def learning(self) -> list[nn.Parameter]:
        parameters = (p for part in self.parts().values() for p in part.parameters())
        return [p for p in parameters if p.requires_grad]


class FixedFeatureDiscriminator(Discriminator):
    """D that looks through a backbone that stands still: only its head learns, from x̃ alone."""

    scales_features = True
    head: SuccessHead

    def loss(self, seen: Observation, targets: Tensor, batch: DiscriminatorBatch) -> DiscriminatorLoss:
        logits = self.head(seen.features, seen.condition)  # (B,)
        loss = discriminator_loss(logits, targets, self.loss_name)
        return DiscriminatorLoss(loss, targets.new_zeros(()), logits, targets)

    def judge(self, seen: Observation) -> Tensor:
        logits: Tensor = self.head(seen.features, seen.condition.detach())
        return logits

    def fit_scale(self, features: Tensor) -> None:
        self.head.scale.fit(features)


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


class SuccessHead(nn.Module):
    """How likely a success is, by features of x̃ and what D is told.

    `feature_dim`: width of the backbone's pooled features. `condition_dim`: width of what D is told, 0
    for the paper's unconditional D; its last `classes` entries are the image's label, one-hot, which also
    picks a direction in the features that is added to the judgment (projection: Miyato and Koyama 2018).
    `head`: one linear layer (the paper), or two hidden layers of 256 with ReLU.
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

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Features (N, F) and what D is told (N, condition_dim) to logits (N,)."""
        scaled = self.scale(features)
        logits: Tensor = self.head(torch.cat([scaled, condition.float()], dim=1)).float().squeeze(1)
        if self.projection is not None:
            label = condition[:, -self.classes :].float()
            logits = logits + (self.projection(scaled).float() * label).sum(1)
        return logits
