"""The network of its own through which D looks (known, black box), and D around it."""

from __future__ import annotations

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.choices import DISCRIMINATORS
from pgn_studio.core.classifiers import SmallCNN
from pgn_studio.core.classifiers.programs.network import ExportedNetwork
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.encoders import default_size, imagenet_backbone
from pgn_studio.core.errors import ConfigError, WeightsError
from pgn_studio.core.perturbation.condition import Condition, ImageCondition
from pgn_studio.core.perturbation.discriminators.backbone import (
    BackboneDiscriminator,
    DiscriminatorBackbone,
    FrozenBackboneDiscriminator,
    LearningBackboneDiscriminator,
)
from pgn_studio.core.perturbation.discriminators.plan import (
    DiscriminatorPlan,
    PlannedClassifier,
    head_name,
)
from pgn_studio.core.perturbation.discriminators.surrogate import SurrogateDiscriminator, SurrogateHead
from pgn_studio.core.perturbation.generator import SmallEncoder

_NO_WEIGHTS = Advice(
    "Without a network: download the weights elsewhere and give their file as {}, or let the discriminator"
    " learn from random ones: {}.",
    Setting("discriminator_weights"),
    Setting("discriminator_weights", "none"),
)


def build_with_backbone(plan: DiscriminatorPlan) -> BackboneDiscriminator:
    """Weights are drawn in this order: the backbone's, the condition's, the head's."""
    settings, classes = plan.settings, len(plan.classifier.info.classes)
    learns = backbone_learns(settings, plan.classifier)
    head = head_name(settings, learns=learns)
    backbone = _build_backbone(plan, learns=learns, classes=classes if learns and head != "surrogate" else 0)
    if head == "surrogate":
        return SurrogateDiscriminator(
            settings,
            plan.f,
            backbone=backbone,
            head=SurrogateHead(feature_dim=backbone.feature_dim, classes=classes, problem=settings.problem),
            condition=Condition(ImageCondition(), classes=classes),
        )
    kind = LearningBackboneDiscriminator if learns else FrozenBackboneDiscriminator
    return kind.over(plan, backbone)


def backbone_learns(settings: TrainingSettings, classifier: PlannedClassifier) -> bool:
    if not DISCRIMINATORS[settings.discriminator].own_backbone:
        return False
    return backbone_name(settings, classifier) == "small" or settings.discriminator_weights == "none"


def _build_backbone(plan: DiscriminatorPlan, *, learns: bool, classes: int) -> DiscriminatorBackbone:
    """`classes`: how many labels of f it predicts itself; 0 where it is frozen, or D's head does."""
    settings, image_size = plan.settings, plan.image_size
    name, weights = backbone_name(settings, plan.classifier), settings.discriminator_weights
    if name != "small":
        size = default_size(name, image_size)
        try:
            network = imagenet_backbone(name, weights, size=size)
        except WeightsError as error:
            raise WeightsError(error.message, hint=_NO_WEIGHTS, details=error.details) from error
        return DiscriminatorBackbone(network, size=size, trained=learns, classes=classes)
    if weights not in ("auto", "none"):
        raise ConfigError(
            f"There are no weights for a small discriminator backbone, got {weights!r}.",
            hint=Advice(
                "Use {}, so that it learns, or another {}.",
                Setting("discriminator_weights", "none"),
                Setting("discriminator_backbone"),
            ),
        )
    if settings.discriminator == "blackbox":
        encoder = SmallEncoder.fitting(image_size)
        return DiscriminatorBackbone(encoder, size=image_size, trained=learns, classes=classes)
    twin = SmallCNN(len(plan.classifier.info.classes), image_size=image_size)
    del twin.fc  # D has a head of its own
    return DiscriminatorBackbone(twin, size=image_size, trained=learns, classes=classes)


def backbone_name(settings: TrainingSettings, classifier: PlannedClassifier) -> str:
    """known: f's own architecture. blackbox: the paper's ResNet-101, or a small one that learns (§3.4)."""
    if settings.discriminator_backbone != "auto":
        return settings.discriminator_backbone
    if settings.discriminator == "known":
        if isinstance(classifier.net, ExportedNetwork):
            raise ConfigError(
                "A known discriminator needs the classifier's architecture: an exported program says none.",
                hint=Advice(
                    "Name it with {}, or use {}.",
                    Setting("discriminator_backbone"),
                    Setting("discriminator", "shared"),
                ),
            )
        return classifier.info.arch
    return "resnet101" if settings.recipe == "paper" else "small"
