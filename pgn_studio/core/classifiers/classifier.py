"""The frozen classifier f: normalization, logits and the features that its last layer sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import Self

from pgn_studio.core.class_names import composed, same_class, same_classes
from pgn_studio.core.classifiers.blackbox.meter import QueryMeter
from pgn_studio.core.classifiers.normalization import Normalization, in_order
from pgn_studio.core.classifiers.programs.network import ExportedNetwork, FeaturePoint
from pgn_studio.core.config import ChannelOrder
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.pretrained import Triple

# Where the hook below puts the last layer's input. Each thread has its own value, so calls from
# several threads do not mix, and nothing is left on the module.
_caught: ContextVar[list[Tensor] | None] = ContextVar("_caught", default=None)


@dataclass(frozen=True)
class ClassifierInfo:
    """What is known about a classifier beside its weights. `mean` and `std` are for images in [0, 1]."""

    arch: str
    classes: tuple[str, ...]
    mean: Triple
    std: Triple
    image_size: int
    path: str = ""  # empty when it has not been saved
    sha256: str = ""  # of the file
    training: Mapping[str, Any] = field(default_factory=dict)  # settings, accuracies, fingerprint
    parameters: int = 0
    channels: ChannelOrder = "rgb"  # the order in which the network takes them; ours is always RGB
    facts: Mapping[str, str] = field(default_factory=dict)  # what was understood of a program, for a person
    notices: tuple[str, ...] = ()  # sentences about what was decided while loading; every face shows them
    told: Mapping[str, Any] = field(default_factory=dict, compare=False)  # `external_facts`


class Classifier(nn.Module):
    """A network that never changes: always in evaluation mode, no gradients to its weights.

    Gradients do flow through it to its input.
    """

    mean: Tensor
    std: Tensor
    queries: QueryMeter | None = None  # of a black box: what asking it has cost

    def __init__(self, net: nn.Module, info: ClassifierInfo) -> None:
        super().__init__()
        self.info = info
        self.net = net
        self.register_buffer("mean", torch.tensor(info.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(info.std).view(1, 3, 1, 1), persistent=False)
        last = last_linear(net)
        self.feature_dim = last.in_features if last is not None else 0
        if last is not None:
            last.register_forward_pre_hook(_catch_input)
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode whatever is asked: f is frozen."""
        return super().train(False)

    @property
    def has_features(self) -> bool:
        return self.feature_dim > 0

    @property
    def gives_scores(self) -> bool:
        """False for a black box that answers with labels: its one-hot rows are no probabilities."""
        return True

    @property
    def normalization(self) -> Normalization | None:
        """What happens to an image before the network sees it; None where it is given 8-bit images."""
        if isinstance(self.net, ExportedNetwork) and self.net.form.takes_bytes:
            return None
        return Normalization(self.info.mean, self.info.std, self.info.channels)

    @property
    def backbone_name(self) -> str:
        return self.info.arch

    @property
    def num_classes(self) -> int:
        return len(self.info.classes)

    def normalize(self, pixels: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [0, 1] to the space in which the network was trained."""
        return (pixels - self.mean) / self.std

    def denormalize(self, normalized: Tensor) -> Tensor:
        """The inverse of `normalize`; not clamped."""
        return normalized * self.std + self.mean

    def forward(self, pixels: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [0, 1] to logits (N, K)."""
        return self.logits_normalized(self.normalize(pixels))

    def logits_normalized(self, normalized: Tensor) -> Tensor:
        """Normalized images (N, 3, H, W), red first, to logits (N, K)."""
        logits: Tensor = self.net(in_order(normalized, self.info.channels))
        return logits

    def logits_and_features(self, normalized: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, K) and the last linear layer's input (N, feature_dim), in one forward pass.

        Raises ClassifierError for networks whose last layer cannot be seen.
        """
        if not self.has_features:
            raise ClassifierError(
                f"{self.info.arch} does not show the features before its last layer.",
                hint="Choose the discriminator 'known' or 'blackbox', which do not need them.",
            )
        caught: list[Tensor] = []
        token = _caught.set(caught)
        try:
            logits = self.logits_normalized(normalized)
        finally:
            _caught.reset(token)
        return logits, caught[-1]


def _catch_input(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    caught = _caught.get()
    if caught is not None:
        caught.append(inputs[0])


def last_linear(net: nn.Module) -> nn.Linear | FeaturePoint | None:
    """The network's last nn.Linear, by order of definition, or where a program shows what its own is given.

    None where there is none to see.
    """
    layers = [module for module in net.modules() if isinstance(module, (nn.Linear, FeaturePoint))]
    return layers[-1] if layers else None


def recorded_data_range(classifier: Classifier) -> float | None:
    """The value that meant white when it was trained here; None where that is not known."""
    settings = classifier.info.training.get("settings")
    value = settings.get("data_range") if isinstance(settings, Mapping) else None
    return float(value) if isinstance(value, (int, float)) and value > 0 else None


def check_classes(classifier: Classifier, classes: Sequence[str]) -> None:
    """Raise ClassifierError unless `classes` are the classifier's, in its order."""
    own = classifier.info.classes
    if same_classes(own, classes):
        return
    if len(classes) != len(own):
        raise ClassifierError(
            f"The classifier knows {len(own)} classes, the data set has {len(classes)}.",
            hint="Load the data set that it was trained on, or train a classifier for this one.",
        )
    index, (ours, theirs) = next(
        (index, pair) for index, pair in enumerate(zip(own, classes, strict=True)) if not same_class(*pair)
    )
    same_set = set(map(composed, own)) == set(map(composed, classes))
    raise ClassifierError(
        f"The classes differ{' in order' if same_set else ''}: number {index} is {ours!r} for the"
        f" classifier, {theirs!r} in the data set.",
        hint=(
            "Give the classifier's classes in the order that it was trained with."
            if same_set
            else "Load the data set that it was trained on, or train a classifier for this one."
        ),
    )
