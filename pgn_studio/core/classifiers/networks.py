"""Classifier networks by name: the project's small CNN, then torchvision's, then timm's."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor, nn

from pgn_studio.core.classifiers.small_cnn import MIN_SMALL_SIZE, SMALL, SmallCNN
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.pretrained import (
    Triple,
    create_network,
    find_architecture,
    imagenet_weights,
    weights_for,
)
from pgn_studio.core.protocols import Progress
from pgn_studio.core.weight_files import load_weights, read_weights

SMALL_DEFAULT_SIZE = 32


def build_network(arch: str, num_classes: int, *, image_size: int) -> nn.Module:
    """The named network with random weights (from torch's global generator).

    Raises ClassifierError when there is no such architecture or the images are too small for it.
    """
    if arch != SMALL:
        return create_network(arch, num_classes)
    if image_size < MIN_SMALL_SIZE:
        raise ClassifierError(
            f"The small network needs images of at least {MIN_SMALL_SIZE} px, got {image_size}.",
            hint="Choose a larger --image-size.",
        )
    return SmallCNN(num_classes, image_size=image_size)


def fitted_network(
    arch: str, num_classes: int, state: dict[str, Tensor], *, image_size: int, origin: str
) -> nn.Module:
    """The named network with the weights `state` of a file called `origin`.

    They are held against the network's plan first, so that a small file that names a huge network
    costs no memory. Raises ClassifierError when they do not fit.
    """
    with suppress(NotImplementedError, RuntimeError):  # of a few networks no plan can be made
        with torch.device("meta"):
            plan = build_network(arch, num_classes, image_size=image_size)
        load_weights(plan, state, origin=origin, copy=False)
    network = build_network(arch, num_classes, image_size=image_size)
    load_weights(network, state, origin=origin)
    return network


def start_weights(net: nn.Module, arch: str, weights: str, *, progress: Progress | None = None) -> str:
    """Fill `net` for fine-tuning: "none", "pretrained" (ImageNet) or a file; returns the origin.

    The last layer stays as it is where the weights are for another number of classes.
    """
    if weights == "none":
        return "none"
    if weights == "pretrained":
        if arch == SMALL:
            raise ClassifierError(
                "The small network has no pretrained weights.",
                hint="Choose weights none, or another architecture.",
            )
        state, origin = imagenet_weights(arch, progress=progress)
    else:
        state, origin = weights_for(arch, read_weights(Path(weights))), weights
    load_weights(net, state, origin=origin, ignore_head=True)
    return origin


def default_normalisation(arch: str) -> tuple[Triple, Triple]:
    """Mean and std that the architecture's ImageNet weights expect; identity for the small one."""
    if arch == SMALL:
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    architecture = find_architecture(arch)
    return architecture.mean, architecture.std


def default_image_size(arch: str) -> int:
    return SMALL_DEFAULT_SIZE if arch == SMALL else find_architecture(arch).image_size
