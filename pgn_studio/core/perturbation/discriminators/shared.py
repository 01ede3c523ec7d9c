"""D that looks through f itself (the paper's enhancing problem): one forward of f serves targets and D."""

from __future__ import annotations

from torch import Tensor

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.perturbation.discriminators.base import FixedFeatureDiscriminator
from pgn_studio.core.perturbation.discriminators.plan import DiscriminatorPlan


class SharedDiscriminator(FixedFeatureDiscriminator):
    """Its features are what f's last layer reads; G's gradient flows through f."""

    @classmethod
    def build(cls, plan: DiscriminatorPlan) -> SharedDiscriminator:
        classifier = plan.classifier
        if not classifier.has_features:
            why = classifier.info.facts.get("Features", "none").removeprefix("none").strip(": ")
            raise ConfigError(
                f"A shared discriminator needs the features of {classifier.info.arch}, which gives none"
                f"{f' ({why})' if why else ''}.",
                hint=Advice("Use {}: it only asks for labels.", Setting("discriminator", "blackbox")),
            )
        condition = plan.condition()
        head = plan.success_head(classifier.feature_dim, condition)
        return cls(plan.settings, plan.f, head=head, condition=condition)

    def _look(self, values: Tensor) -> tuple[Tensor, Tensor]:
        return self.f.outputs_and_features(values)

    def clean_features(self, pixels: Tensor) -> Tensor:
        return self.f.outputs_and_features(self.f.space.from_pixels(pixels))[1]
