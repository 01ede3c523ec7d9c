"""What discriminators are built for, and the parts that most of them share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import nn

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.perturbation.condition import (
    Condition,
    ConditionEncoder,
    ImageCondition,
    PrincipalComponents,
)
from pgn_studio.core.perturbation.discriminators.base import FrozenClassifier, SuccessHead
from pgn_studio.core.perturbation.generator import Generator


class Info(Protocol):
    """What is known of a classifier."""

    @property
    def arch(self) -> str: ...
    @property
    def classes(self) -> Sequence[str]: ...
    @property
    def facts(self) -> Mapping[str, str]: ...


class PlannedClassifier(Protocol):
    """f as far as D is built for it; `DiscriminatorPlan.f` is what it asks."""

    feature_dim: int
    net: nn.Module

    @property
    def info(self) -> Info: ...
    @property
    def has_features(self) -> bool: ...


@dataclass(frozen=True)
class DiscriminatorPlan:
    """What a discriminator is built for."""

    settings: TrainingSettings
    classifier: PlannedClassifier
    f: FrozenClassifier
    generator: Generator
    image_size: int

    @property
    def classes(self) -> int:
        """How many labels D is told one of; 0: it is not told the label."""
        return len(self.classifier.info.classes) if self.settings.label_conditioning else 0

    def condition(self) -> Condition:
        return Condition(self._image_condition(), classes=self.classes)

    def _image_condition(self) -> ImageCondition:
        settings, generator = self.settings, self.generator
        if not settings.image_conditioning:
            return ImageCondition()
        if generator.encoder_trained:  # its features move: D learns its own instead
            return ConditionEncoder(image_size=self.image_size, dim=settings.condition_dim)
        return PrincipalComponents(generator.encoder.feature_dim, components=settings.condition_dim)

    def success_head(self, feature_dim: int, condition: Condition, *, learns: bool = False) -> SuccessHead:
        """`learns`: whether the backbone does, of which these features are."""
        return SuccessHead(
            feature_dim=feature_dim,
            condition_dim=condition.dim,
            classes=self.classes,
            head="linear" if head_name(self.settings, learns=learns) == "linear" else "mlp",
        )


def head_name(settings: TrainingSettings, *, learns: bool) -> Literal["linear", "mlp", "surrogate"]:
    """What D's head is. `learns`: whether D has a backbone of its own that does."""
    predicts = learns and settings.label_conditioning
    if settings.head == "auto":
        return "surrogate" if predicts else "mlp"
    if settings.head == "surrogate" and not predicts:
        raise ConfigError(
            "A head that names labels needs a backbone of D's own that learns, and the true label.",
            hint=Advice(
                "Use {} and leave {} on, or leave {} at auto.",
                Setting("discriminator", "blackbox"),
                Setting("label_conditioning"),
                Setting("head"),
            ),
        )
    return settings.head
