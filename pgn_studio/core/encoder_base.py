"""The base class of encoders. Importing it imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from pgn_studio.core.plugins import Registry

if TYPE_CHECKING:
    from torch import nn

    from pgn_studio.core.protocols import Progress

_Triple = tuple[float, float, float]


class Encoder(ABC):
    """A network up to its last feature map, as `--encoder NAME` names it."""

    name: str  # under which it was asked for
    mean: _Triple = (0.485, 0.456, 0.406)  # with which images in [0, 1] are normalized
    std: _Triple = (0.229, 0.224, 0.225)
    image_size: int = 224  # at which its weights learned

    @abstractmethod
    def build(self, weights: str, *, size: int, progress: Progress | None = None) -> tuple[nn.Module, str]:
        """The network, and where its weights are from; "none" for random ones.

        It takes normalized images (N, 3, S, S), S = `size`, to features (N, C, h, w), or to tokens (N, T, C)
        of which the last h · w are the image's places. `weights`: "auto" or "pretrained", "none", or a file.
        With "none" it must also be built on torch's meta device. Raises WeightsError, ClassifierError.
        """

    def size_for(self, size: int) -> int:
        """At how many pixels it looks at images where `size` would be right; for networks of one size."""
        return size

    def check_size(self, size: int, *, setting: str) -> None:  # noqa: B027 - optional
        """Raises ClassifierError, which names sizes that work, where the network does not take `size`."""


# Those that were tried; any other name is looked for in torchvision and timm.
ENCODERS: Registry[Encoder] = Registry(
    "encoders",
    "pgn_studio.core.encoder_base:Encoder",
    {
        "efficientnet-lite0": "pgn_studio.core.encoders:Lite0",
        "efficientnet-lite2": "pgn_studio.core.encoders:Lite2",
        "resnet50": "pgn_studio.core.encoders:ResNet50",
        "resnet101": "pgn_studio.core.encoders:ResNet101",
    },
)
