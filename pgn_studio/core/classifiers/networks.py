"""Classifier networks by name: the project's small CNN, then torchvision's, then timm's."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from torch import nn

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.architectures import (
    Triple,
    check_size,
    create_network,
    find_architecture,
    planning,
)
from pgn_studio.core.classifiers.class_columns import Columns
from pgn_studio.core.classifiers.classifier import Classifier, check_classes
from pgn_studio.core.classifiers.small_cnn import MIN_SMALL_SIZE, SMALL, SmallCNN
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.pretrained import imagenet_weights, weights_for
from pgn_studio.core.protocols import Progress
from pgn_studio.core.weight_files import WeightsFile, read_weights
from pgn_studio.core.weight_fitting import fit_weights, load_weights

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
            hint=Advice("Choose a larger {}.", Setting("image_size")),
        )
    return SmallCNN(num_classes, image_size=image_size)


def fitted_network(
    arch: str, num_classes: int, weights: WeightsFile, *, image_size: int, columns: Columns | None = None
) -> tuple[nn.Module, tuple[str, ...]]:
    """The named network with the weights of a file, and what was decided on the way.

    With `columns` the last layer gets only these rows of the file's. The weights are held against
    the network's plan first, so that a small file that names a huge network costs no memory.
    Raises WrongArchitectureError when they do not fit.
    """
    rows = num_classes if columns is None else columns.of
    plan = network_plan(arch, rows, image_size=image_size)
    fitted = fit_weights(plan, weights)
    state = fitted.tensors
    if columns is not None:
        wider = network_plan(arch, rows + 1, image_size=image_size).state_dict()
        heads = [key for key, value in plan.state_dict().items() if value.shape != wider[key].shape]
        state = {**state, **{key: state[key][list(columns.indices)] for key in heads}}
    network = build_network(arch, num_classes, image_size=image_size)
    network.load_state_dict(state, strict=False)  # only what may be absent is
    return network, fitted.notices


def network_plan(arch: str, num_classes: int, *, image_size: int) -> nn.Module:
    """The named network without numbers; with them in the few cases that cannot be built so."""
    with suppress(NotImplementedError, RuntimeError), planning():
        return build_network(arch, num_classes, image_size=image_size)
    return build_network(arch, num_classes, image_size=image_size)


def check_image_size(arch: str, size: int) -> None:
    """Raises ClassifierError, which names sizes that work, where the network does not take these images."""
    if arch != SMALL:
        check_size(arch, size)


def check_suits(
    classifier: Classifier, classes: Sequence[str], image_size: int, *, hint: str | None = None
) -> None:
    """Raises ClassifierError unless these are its classes, and its network takes images of this size.

    `hint` is for where the size cannot be chosen. Programs and black boxes say for themselves what they take.
    """
    check_classes(classifier, classes)
    arch = classifier.info.arch
    if image_size == classifier.info.image_size or not _is_named(arch):
        return
    try:
        check_image_size(arch, image_size)
    except ClassifierError as error:
        raise ClassifierError(error.message, hint=hint or error.hint) from None


def _is_named(arch: str) -> bool:
    with suppress(ClassifierError):
        return arch != SMALL and bool(find_architecture(arch))
    return False


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
        published = imagenet_weights(arch, progress=progress)
        load_weights(net, published, ignore_head=True)
        return published.name
    load_weights(net, weights_for(arch, read_weights(Path(weights))), ignore_head=True)
    return weights


def default_normalization(arch: str) -> tuple[Triple, Triple]:
    """Mean and std that the architecture's ImageNet weights expect; identity for the small one."""
    if arch == SMALL:
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    architecture = find_architecture(arch)
    return architecture.mean, architecture.std


def default_image_size(arch: str) -> int:
    return SMALL_DEFAULT_SIZE if arch == SMALL else find_architecture(arch).image_size
