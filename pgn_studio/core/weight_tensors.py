"""What a file's tensors say: the names' prefixes and layers, what to call the rest, and values of use."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

import torch
from torch import Tensor

from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.weight_files import some_names

# What DataParallel, torch.compile, FSDP and checkpointing put into names, at any depth.
_WRAPPING = re.compile(r"(?:^|(?<=\.))(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
# As torchvision renames what its older versions wrote; its published DenseNets have these names.
_RENAMED = (
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\."), r"\1\2."),
    (re.compile(r"(encoder_layer_\d+\.mlp)\.linear_1\."), r"\1.0."),
    (re.compile(r"(encoder_layer_\d+\.mlp)\.linear_2\."), r"\1.3."),
)
_CONSTANTS = ("mean", "std", "mu", "sigma", "pos_weight")  # (1, 3, 1, 1), often
_VALUES_SHOWN = 3
_COLORS = 3
_MATRICES = ("weight", "weight_v", "original1")  # the latter two under weight normalization
_FACTORS = re.compile(r"(?:^|_)(?:bias|scale|gain|gamma|beta|offset|shift|temperature)s?$", re.IGNORECASE)
# Layers that serve training, measuring, or another network than the one that answers.
_OF_TRAINING = re.compile(
    r"crit|loss|metric|accuracy|confmat|class_?weight|pos_weight|optim|teacher|momentum|queue|center|margin"
    r"|projector|projection_head|proj_head|discrim|(?:^|[._])(?:aux|auxiliary|acc|ema|swa)(?:[._\d]|$)",
    re.IGNORECASE,
)
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def unwrapped_names(state: Mapping[str, Tensor], expected: Iterable[str]) -> dict[str, str]:
    """The file's keys by their names without wrappers'; as they are where two would become one."""
    if any(_WRAPPING.search(key) for key in expected):
        return {key: key for key in state}
    names = {_as_today(_WRAPPING.sub("", key)): key for key in state}
    return names if len(names) == len(state) else {key: key for key in state}


def _as_today(name: str) -> str:
    for old, new in _RENAMED:
        name = old.sub(new, name)
    return name


def prefixes(names: Iterable[str], needed: Collection[str]) -> Counter[str]:
    """How many of the network's keys there are behind each prefix."""
    needed = set(needed)
    counts: Counter[str] = Counter()
    for name in names:
        start = 0
        while start >= 0:
            if name[start:] in needed:
                counts[name[:start]] += 1
            start = name.find(".", start) + 1 or -1
    return counts


def layers(tensors: Mapping[str, Tensor]) -> set[str]:
    """Names of what computes: weights of two dimensions or more, or a weight with a bias, or statistics."""
    found = set()
    for name, value in tensors.items():
        path, _, leaf = name.rpartition(".")
        large = value.ndim >= 2 and leaf not in _CONSTANTS
        if value.is_floating_point() and (large or leaf in ("bias", "running_mean")):
            found.add(path)
    return found


def around(tensors: Mapping[str, Tensor], outputs: int, features: int) -> list[str]:
    """Layers beside a network whose sizes are those of images, of its outputs, or of its features."""
    found = [
        name.rpartition(".")[0] or name
        for name, value in tensors.items()
        if value.is_floating_point() and not _OF_TRAINING.search(name)
        if _joins(name, value, outputs, features)
    ]
    return list(dict.fromkeys(found))


def _joins(name: str, value: Tensor, outputs: int, features: int) -> bool:
    leaf, ends = name.rpartition(".")[2], (outputs, features)
    if leaf in _MATRICES and value.ndim >= 2:
        return value.shape[1] in (_COLORS, *ends) or value.shape[0] in (_COLORS, outputs)
    if leaf == "running_mean":
        return value.numel() in (_COLORS, *ends)
    return value.ndim > 0 and value.numel() in ends and _FACTORS.search(leaf) is not None


def like_head(tensors: Mapping[str, Tensor], shapes: Mapping[str, torch.Size]) -> list[str]:
    """Layers with the last layer's tensors and inputs; any number of outputs."""
    groups: dict[str, dict[str, torch.Size]] = defaultdict(dict)
    for name, value in tensors.items():
        path, _, leaf = name.rpartition(".")
        groups[path][leaf] = value.shape
    found = []
    for path, own in groups.items():
        if path and own.keys() == shapes.keys() and all(own[leaf][1:] == shapes[leaf][1:] for leaf in own):
            found += [path] if len({own[leaf][:1] for leaf in own}) == 1 else []
    return found


def described(strays: Mapping[str, Tensor]) -> str:
    """One by one, or many by their first name; of three numbers the values: they may be a mean."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in strays:
        groups[name.partition(".")[0]].append(name)
    parts = []
    for root, names in groups.items():
        if len(names) > _VALUES_SHOWN:
            parts.append(f"{root}.… ({len(names)} tensors)")
            continue
        for name in names:
            value = strays[name]
            few = value.numel() == _VALUES_SHOWN and value.is_floating_point()
            numbers = ", ".join(f"{float(number):.4g}" for number in value.flatten()) if few else ""
            parts.append(f"{name} ({numbers})" if few else name)
    return some_names(parts, limit=8)


def check_values(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], name: str) -> None:
    """Raises ClassifierError, which calls the file `name`, for values of no use to the network."""
    odd = [key for key, tensor in tensors.items() if not _is_plain(tensor)]
    if odd:
        raise ClassifierError(
            f"{name} holds tensors of an unusual kind (sparse, quantized, or larger than their data) in"
            f" {some_names(odd)}.",
            hint="Save the network's own state dict, in float32 and contiguous.",
        )
    other = [key for key, tensor in tensors.items() if not _is_of_type(tensor, expected[key])]
    if other:
        found = str(tensors[other[0]].dtype).removeprefix("torch.")
        raise ClassifierError(
            f"{name} holds {found} numbers where weights are expected (float32, float64, float16 or"
            f" bfloat16): {some_names(other)}.",
            hint="Quantized or converted weights are not read: save the original network's state dict.",
        )
    bad = [key for key, tensor in tensors.items() if tensor.is_floating_point() and not _all_finite(tensor)]
    if bad:
        raise ClassifierError(
            f"{name} holds NaN or infinity in {some_names(bad)}.",
            hint="The training that made it diverged, or the file is damaged: use another one.",
        )


def _is_of_type(tensor: Tensor, expected: Tensor) -> bool:
    """Floats where floats are expected; counters may come as whole numbers or floats."""
    whole = not tensor.is_floating_point() and not tensor.is_complex()
    return tensor.dtype in _FLOATS or (whole and not expected.is_floating_point())


def _is_plain(tensor: Tensor) -> bool:
    """Dense numbers that lie in memory one by one; a view may claim terabytes of a single number."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _all_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())
