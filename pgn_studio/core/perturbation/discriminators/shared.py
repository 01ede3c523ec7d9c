"""D that looks through f itself (the paper's enhancing problem): one forward of f serves targets and D."""

from __future__ import annotations

from torch import Tensor

from pgn_studio.core.perturbation.discriminators.base import FixedFeatureDiscriminator


class SharedDiscriminator(FixedFeatureDiscriminator):
    """Its features are what f's last layer reads; G's gradient flows through f."""

    def _look(self, values: Tensor) -> tuple[Tensor, Tensor]:
        return self.f.outputs_and_features(values)

    def clean_features(self, pixels: Tensor) -> Tensor:
        return self.f.outputs_and_features(self.f.space.from_pixels(pixels))[1]
