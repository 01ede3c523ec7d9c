"""Any network of torchvision and timm as an encoder: its last feature map, and its last stage by itself."""

from __future__ import annotations

import math
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
import torchvision
from torch import Tensor, nn
from torchvision.ops import Permute

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.architectures import (
    LITE0,
    LITE2,
    Architecture,
    check_size,
    create_network,
    find_architecture,
    planning,
    suitable_size,
)
from pgn_studio.core.config import TrainingSettings, encoder_training
from pgn_studio.core.encoder_base import ENCODERS, Encoder
from pgn_studio.core.errors import ClassifierError, ConfigError
from pgn_studio.core.pretrained import IMAGENET_CLASSES, imagenet_weights, source_of, weights_for
from pgn_studio.core.protocols import Progress
from pgn_studio.core.weight_files import read_weights
from pgn_studio.core.weight_fitting import load_weights

SMALL = "small"
LEAST_SIZE = 128  # pixels; below it, networks with stride 32 leave fewer than 4x4 positions
_SIZE = "encoder_input_size"
_SEEN_WHOLE = 32  # pixels of an image from which on it is enlarged to what the weights learned at
# Of a network's parameters, how many its last stage has: a quarter of a transformer's blocks, and more than
# the convolution that ends a MobileNet.
_LEAST_SHARE, _MOST_SHARE = 0.2, 0.9

_Map = Callable[[Tensor], Tensor]


class Backbone(nn.Module):
    """A network up to its last feature map, before pooling and classifier, for images of `size` pixels."""

    def __init__(self, features: nn.Module, encoder: Encoder, *, size: int, weights_source: str) -> None:
        super().__init__()
        self.features = features
        self._encoder = encoder
        self.name = encoder.name
        self.mean = encoder.mean
        self.std = encoder.std
        self.size = size
        self.weights_source = weights_source
        raw = self._probed()
        self._layout = _layout(features, raw)
        self.maps = self._layout.maps
        self.feature_dim = self._check_maps(raw)

    def feature_map(self, normalized: Tensor) -> Tensor:
        """Images normalized with `mean` and `std` (N, 3, S, S) to features (N, C, h, w)."""
        return cast(Tensor, self.maps(self.features(normalized)))

    def forward(self, normalized: Tensor) -> Tensor:
        return self.feature_map(normalized)

    def cut_last_stage(self) -> nn.Module:
        """What makes the last feature map from the one that this backbone is left with.

        Of a transformer these are all its tokens, (N, C, T, 1). Raises ConfigError where there is no stage
        that takes nothing else.
        """
        with _Calls(self.features) as calls:
            output = self._probed()
        channels_last = self._layout.back is not None
        stage = _stage(self.features, _line(calls, output), channels_last=channels_last)
        if not stage:
            raise self._uncut()
        for name in stage:
            parent, _, leaf = name.rpartition(".")
            setattr(self.features.get_submodule(parent), leaf, _PassedOn())
        try:
            raw = self._probed()
        except ClassifierError:  # it reads what was cut off
            raise self._uncut() from None
        if raw.dim() != output.dim():
            raise self._uncut()
        maps, self.maps = self.maps, self._layout.rows
        self.feature_dim = int(self.maps(raw).shape[1])
        modules = list(stage.values())
        if self._layout.back is not None:
            modules = [self._layout.back, *modules, maps]
        return modules[0] if len(modules) == 1 else nn.Sequential(*modules)

    @torch.no_grad()
    def _probed(self) -> Tensor:
        """What the network says of a black image, in evaluation mode (buffers stay as they are)."""
        mode = self.features.training
        try:
            raw = self.features.eval()(torch.zeros(1, 3, self.size, self.size))
        except Exception as error:  # asserts, shape errors: each network its own
            self._encoder.check_size(self.size, setting=_SIZE)
            raise self._without_maps() from error
        finally:
            self.features.train(mode)
        if not isinstance(raw, Tensor) or raw.dim() not in (3, 4):
            raise self._without_maps()
        return raw

    def _check_maps(self, raw: Tensor) -> int:
        shape = self.maps(raw).shape
        if shape[2] != shape[3] or (raw.dim() == 3 and shape[2] < 2):
            raise self._without_maps()
        return int(shape[1])

    def _without_maps(self) -> ClassifierError:
        return ClassifierError(
            f"{self.name} gives no feature map of (N, C, h, w).",
            hint="Use another network, such as efficientnet-lite0, resnet50 or vit_small_patch16_224.",
        )

    def _uncut(self) -> ConfigError:
        return ConfigError(
            f"{self.name} has no last stage that could learn alone.",
            hint=Advice(
                "Use {} or {}.", Setting("encoder_training", "frozen"), Setting("encoder_training", "full")
            ),
        )


class LibraryEncoder(Encoder):
    """A network of torchvision or timm, by its name there."""

    library_name = ""  # of a class that stands for one network

    def __init__(self, name: str = "") -> None:
        self._architecture = architecture = find_architecture(name or self.library_name)
        self.name = architecture.name
        self.mean, self.std = architecture.mean, architecture.std
        self.image_size = architecture.image_size

    def build(self, weights: str, *, size: int, progress: Progress | None = None) -> tuple[nn.Module, str]:
        network = create_network(self.name, IMAGENET_CLASSES)
        source = "none"
        if weights in ("auto", "pretrained"):
            published = imagenet_weights(self.name, progress=progress)
            load_weights(network, published, ignore_head=True)
            source = published.name
        elif weights != "none":
            path = Path(weights)
            load_weights(network, weights_for(self.name, read_weights(path)), ignore_head=True)
            source = source_of(path)
        if size != self.image_size and hasattr(network, "set_input_size"):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of how timm fits position embeddings
                    cast(Callable[..., None], network.set_input_size)(img_size=(size, size))
            except Exception:  # noqa: BLE001 - asserts, shape errors: each network its own
                self.check_size(size, setting=_SIZE)
        return _feature_layers(network, self._architecture), source

    def size_for(self, size: int) -> int:
        return suitable_size(self.name, size)

    def check_size(self, size: int, *, setting: str) -> None:
        check_size(self.name, size, setting=setting)


class Lite0(LibraryEncoder):
    library_name = LITE0


class Lite2(LibraryEncoder):
    library_name = LITE2


class ResNet50(LibraryEncoder):
    library_name = "resnet50"


class ResNet101(LibraryEncoder):
    library_name = "resnet101"


def find_encoder(name: str) -> Encoder:
    """A registered one, else torchvision's or timm's. Raises ClassifierError where there is none."""
    if name not in ENCODERS:
        return LibraryEncoder(name)
    kind = ENCODERS.load(name)
    with ENCODERS.blaming(name):
        encoder = kind()
        encoder.name = name
    return encoder


def imagenet_backbone(
    name: str, weights: str = "auto", *, size: int | None = None, progress: Progress | None = None
) -> Backbone:
    """The named network without pooling and classifier, for images of `size` pixels.

    `weights`: "auto" or "pretrained" (package, cache or download), "none" (random), or a file.
    Raises WeightsError when weights cannot be had, ClassifierError when they or the size do not fit.
    """
    encoder = find_encoder(name)
    size = size or encoder.size_for(LEAST_SIZE)
    with ENCODERS.blaming(name):
        features, source = encoder.build(weights, size=size, progress=progress)
    return Backbone(features, encoder, size=size, weights_source=source)


def default_size(name: str, image_size: int) -> int:
    """At how many pixels the named network looks at an image: 128 at least, where it takes several sizes."""
    return find_encoder(name).size_for(max(image_size, LEAST_SIZE))


def with_encoder_view(settings: TrainingSettings, *, image_size: int) -> TrainingSettings:
    """A new run's settings, which say at how many pixels its encoder looks at the image.

    None leaves it to the generator. A frozen ImageNet encoder tells more of a small image that is enlarged
    to what its weights learned at (docs/experiments); below 32 pixels no larger factor
    was measured than there. Raises ClassifierError where there is no such encoder.
    """
    if settings.encoder == SMALL:
        return settings
    encoder = find_encoder(settings.encoder)
    name, learned_at = encoder.name, encoder.image_size
    settings = settings.updated(encoder=name)
    if settings.encoder_input_size is not None:
        return settings
    if encoder_training(settings) == "full" or image_size >= learned_at:
        size = default_size(name, image_size)
        return settings if size >= image_size else settings.updated(encoder_input_size=size)
    view = min(learned_at * image_size // _SEEN_WHOLE, learned_at)
    return settings.updated(encoder_input_size=default_size(name, view))


def check_encoder(settings: TrainingSettings) -> None:
    """Raises ClassifierError or ConfigError unless there is such an encoder, and it can learn as it is to.

    Of its plan, without any weights.
    """
    if settings.encoder != SMALL:
        last_stage = encoder_training(settings) == "last-stage"
        _check_plan(settings.encoder, settings.encoder_input_size, last_stage=last_stage)


@lru_cache
def _check_plan(name: str, size: int | None, *, last_stage: bool) -> None:
    with planning():
        backbone = imagenet_backbone(name, "none", size=size)
        if last_stage:
            backbone.cut_last_stage()


# ---------------------------------------------------------------------- up to the last feature map


class _TimmFeatures(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        reset = cast(Callable[..., None], network.reset_classifier)
        try:
            reset(0, "")
        except (AssertionError, TypeError, ValueError):  # pooling that is not for choosing
            reset(0)
        self.network = network

    def forward(self, normalized: Tensor) -> Tensor:
        return cast(_Map, self.network.forward_features)(normalized)


class _VitFeatures(nn.Module):
    """torchvision's, whose encoder does in one call what is cut in two here."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        network.heads = nn.Identity()
        self.network = network

    def forward(self, normalized: Tensor) -> Tensor:
        network: Any = self.network
        patches = network._process_input(normalized)
        tokens = torch.cat([network.class_token.expand(patches.shape[0], -1, -1), patches], dim=1)
        encoder = network.encoder
        return cast(Tensor, encoder.ln(encoder.layers(encoder.dropout(tokens + encoder.pos_embedding))))


def _feature_layers(network: nn.Module, architecture: Architecture) -> nn.Module:
    if architecture.library == "timm":
        return _TimmFeatures(network)
    if isinstance(network, torchvision.models.VisionTransformer):
        return _VitFeatures(network)
    children = OrderedDict(network.named_children())
    if isinstance(network, torchvision.models.SwinTransformer):
        swin = nn.Sequential(OrderedDict(features=children["features"], norm=children["norm"]))
        swin.num_features = cast(Any, children["head"].in_features)  # by which its channels are found
        return swin
    if "features" in children:
        layers: list[tuple[str, nn.Module]] = [("features", children["features"])]
        if isinstance(network, torchvision.models.DenseNet):
            layers.append(("relu", nn.ReLU()))
        return nn.Sequential(OrderedDict(layers))
    # ResNet, RegNet, ShuffleNet, MNASNet …: all that comes before pooling and the classifier, in order
    dropped = ("avgpool", "dropout", "fc", "classifier")
    kept = ((name, child) for name, child in children.items() if name not in dropped)
    in_line = (
        (name, nn.Sequential(*child) if isinstance(child, nn.ModuleList) else child) for name, child in kept
    )
    return nn.Sequential(OrderedDict(in_line))


class _Grid(nn.Module):
    """Tokens (N, T, C), the last h · w of them an image's places, to (N, C, h, w)."""

    def __init__(self, prefix: int) -> None:
        super().__init__()
        self.prefix = prefix

    def forward(self, tokens: Tensor) -> Tensor:
        side = math.isqrt(tokens.shape[1] - self.prefix)
        return tokens[:, -side * side :].transpose(1, 2).reshape(tokens.shape[0], -1, side, side)


class _Rows(nn.Module):
    """All tokens (N, T, C) to (N, C, T, 1)."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens.transpose(1, 2).unsqueeze(3)


class _Tokens(nn.Module):
    """Back again."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows.squeeze(3).transpose(1, 2)


class _Layout(NamedTuple):
    """From what a network computes with to the order that the decoder and what is kept have."""

    maps: nn.Module  # to (N, C, h, w)
    rows: nn.Module  # to (N, C, …, …) with all that the last stage needs
    back: nn.Module | None = None  # from there; None where they are the same


def _layout(features: nn.Module, raw: Tensor) -> _Layout:
    network = getattr(features, "network", features)
    if raw.dim() == 3:
        return _Layout(_Grid(int(getattr(network, "num_prefix_tokens", 0))), _Rows(), _Tokens())
    channels = getattr(network, "num_features", None)
    if raw.shape[3] == channels != raw.shape[1]:
        return _Layout(Permute([0, 3, 1, 2]), Permute([0, 3, 1, 2]), Permute([0, 2, 3, 1]))
    return _Layout(nn.Identity(), nn.Identity())


# ---------------------------------------------------------------------- its last stage


class _PassedOn(nn.Module):
    """In the place of what was cut off."""

    def forward(self, values: Tensor, *_args: Any, **_more: Any) -> Tensor:
        return values


class _Value(NamedTuple):
    tensor: Tensor
    version: int  # of its numbers, which are changed in place

    @classmethod
    def of(cls, value: Any) -> _Value | None:
        return cls(value, value._version) if isinstance(value, Tensor) else None

    def same(self, other: _Value | None) -> bool:
        return other is not None and self.tensor is other.tensor and self.version == other.version


class _Call(NamedTuple):
    name: str
    module: nn.Module
    begun: int  # how many calls had ended by then
    given: _Value | None  # None unless it was given one tensor and nothing else
    gave: _Value | None

    @property
    def group(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.module.parameters())

    def resizes(self, channels_last: bool) -> bool:
        assert self.given is not None
        assert self.gave is not None
        places = slice(1, -1) if channels_last else slice(2, None)
        return self.given.tensor.shape[places] != self.gave.tensor.shape[places]


class _Calls(list[_Call]):
    """What a network's modules are given and give while it runs, in the order in which they end."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = network
        self._open: list[tuple[int, _Value | None]] = []

    def __enter__(self) -> _Calls:
        self._hooks = []
        for name, module in self._network.named_modules():
            if name:
                self._hooks.append(module.register_forward_pre_hook(self._begin, with_kwargs=True))
                self._hooks.append(module.register_forward_hook(self._ending(name)))
        return self

    def __exit__(self, *_error: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _begin(self, _module: nn.Module, args: tuple[Any, ...], more: dict[str, Any]) -> None:
        given = [value for value in (*args, *more.values()) if value is not None]
        self._open.append((len(self), _Value.of(given[0]) if len(given) == 1 else None))

    def _ending(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def end(module: nn.Module, _args: Any, gave: Any) -> None:
            begun, given = self._open.pop()
            self.append(_Call(name, module, begun, given, _Value.of(gave)))

        return end


def _line(calls: _Calls, output: Tensor) -> list[_Call]:
    """The calls that end the network, last first: each takes what the one before it gave and nothing else.

    A plain nn.Sequential counts as its parts.
    """
    times = Counter(id(call.module) for call in calls)
    line: list[_Call] = []
    wanted, ended = _Value.of(output), len(calls)
    for index in reversed(range(len(calls))):
        call = calls[index]
        if index >= ended or type(call.module) is nn.Sequential:
            continue
        if call.gave is None or not call.gave.same(wanted):
            continue
        if call.given is None or times[id(call.module)] > 1:
            break
        line.append(call)
        wanted, ended = call.given, call.begun
    return line


def _length(line: list[_Call], parameters: int, channels_last: bool) -> int:
    """How many calls make the last stage.

    It begins where the network's resolution changes, or one of its groups of blocks begins; where all
    blocks are alike, with the first that makes it large enough.
    """
    held = enough = short = 0
    for count, (call, before) in enumerate(zip(line, [*line[1:], None], strict=False), start=1):
        held += call.parameters
        if held > _MOST_SHARE * parameters:
            break
        begins = call.resizes(channels_last) or before is None or before.group != call.group
        if held < _LEAST_SHARE * parameters:
            short = count if begins and held >= _LEAST_SHARE / 2 * parameters else short
        elif begins:
            return count
        else:
            enough = enough or count
    return enough or short


def _stage(network: nn.Module, line: list[_Call], *, channels_last: bool) -> dict[str, nn.Module]:
    """The modules of the last stage by name, in order; none where there is no such stage."""
    stage = line[: _length(line, sum(p.numel() for p in network.parameters()), channels_last)]
    while stage and not stage[-1].parameters:
        stage.pop()
    found: dict[str, nn.Module] = {}
    names = {call.name for call in stage}
    for call in reversed(stage):
        group = network.get_submodule(call.group)
        inside = {f"{call.group}.{name}" for name, _ in group.named_children()}
        whole = call.group and type(group) is nn.Sequential and names >= inside
        found |= {call.group: group} if whole else {call.name: call.module}
    return found
