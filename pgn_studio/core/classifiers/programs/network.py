"""A program as a network: given normalized color images in float32, it gives logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from typing_extensions import Self

from pgn_studio.core.classifiers.outputs import log_probabilities, squeezed
from pgn_studio.core.classifiers.programs.graph import Leaf
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.files import parse_json

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow and OpenCV turn colors gray
GRAY = "it takes one channel: the luminance of an image's colors"
_EXPECTED = "Expected one input: images of 3 channels or 1, NCHW or NHWC."


@dataclass(frozen=True)
class Program:
    """As it was read. `leaves` are empty where nothing can be known of its outputs before they come."""

    net: nn.Module
    leaves: tuple[Leaf, ...]
    taken: Taken | None = None
    example_size: int | None = None  # px, of the image that it was exported with

    @property
    def sides(self) -> tuple[int | None, int | None] | None:
        return None if self.taken is None else self.taken.sides

    @property
    def image_size(self) -> int | None:
        """The side in px of the square images that it was exported for, where that is known."""
        height, width = self.sides or (None, None)
        return height if height is not None and height == width else self.example_size

    def outputs(self, given: Tensor) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
        """The program's own outputs by name, and all tensors that its opened graph gives."""
        values = self.net(given)
        if not self.leaves:
            named = dict(_flattened(values))
            return named, tuple(named.values())
        flat = values if isinstance(values, tuple) else (values,)
        return {leaf.name: flat[leaf.place] for leaf in self.leaves}, flat


@dataclass(frozen=True)
class ImageForm:
    """How normalized color images (N, 3, S, S) become what a program takes."""

    channels: int = 3
    channels_last: bool = False
    dtype: torch.dtype = torch.float32
    smallest: int = 1
    largest: int | None = None

    @property
    def is_fixed(self) -> bool:
        return self.largest == self.smallest

    @property
    def takes_bytes(self) -> bool:
        return not self.dtype.is_floating_point

    def prepared(self, images: Tensor) -> Tensor:
        if self.channels == 1:
            weights = images.new_tensor(LUMINANCE).view(1, 3, 1, 1)
            images = (images * weights).sum(1, keepdim=True)
        if self.takes_bytes:
            images = images.clamp(0, 1).mul(255).round()
        if self.dtype is not torch.float32:
            images = images.to(self.dtype)
        return images.permute(0, 2, 3, 1) if self.channels_last else images

    def batches(self, images: Tensor) -> list[tuple[Tensor, int]]:
        """Parts that fit, filled up with the last image, and how many of each are wanted."""
        count = len(images)
        if self.smallest <= count and (self.largest is None or count <= self.largest):
            return [(images, count)]
        parts = torch.split(images, self.largest or count)
        return [(_filled(part, self.smallest), len(part)) for part in parts]

    def facts(self) -> dict[str, str]:
        found = {}
        if self.channels == 1:
            found["Gray"] = GRAY
        if self.dtype is not torch.float32:
            found["Number type"] = str(self.dtype).removeprefix("torch.")
        if self.takes_bytes:
            found["Number type"] += ", 0…255: no gradient flows to the image"
        if self.channels_last:
            found["Layout"] = "channels last (NHWC)"
        if self.is_fixed:
            found["Batches"] = f"of {self.largest}, as it was exported: others are divided and filled up"
        return found


class FeaturePoint(nn.Identity):
    """Where features pass on their way to nobody: a hook sees them, as before a last nn.Linear."""

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.in_features = in_features


@dataclass(frozen=True)
class Reading:
    """Which of a program's tensors are its logits and features; by name where its graph is not open."""

    output: str  # its name
    logits: int = 0
    features: int | None = None  # None: the logits
    probabilities: str = ""  # how those are called that logits are the logarithms of


class ExportedNetwork(nn.Module):
    """A program, fixed in evaluation mode, since an exported graph cannot switch."""

    def __init__(self, program: Program, form: ImageForm, reading: Reading) -> None:
        super().__init__()
        self.program = program.net
        self._program = program
        self.form = form
        self.reading = reading
        self.feature_point: FeaturePoint | None = None  # where gradients flow
        self.columns: Sequence[int] | None = None  # of its scores those that are used, in this order
        self.facts: Mapping[str, str] = {}
        self.notices: tuple[str, ...] = ()
        self.training = False

    def train(self, mode: bool = True) -> Self:
        return self

    def forward(self, normalized: Tensor) -> Tensor:
        if self.form.dtype is torch.float32:
            return self._logits(normalized)
        with torch.autocast(normalized.device.type, enabled=False):  # it was exported in one number type
            return self._logits(normalized)

    def _logits(self, normalized: Tensor) -> Tensor:
        parts = [self._read(part, count) for part, count in self.form.batches(self.form.prepared(normalized))]
        logits, features = parts[0] if len(parts) == 1 else tuple(map(torch.cat, zip(*parts, strict=True)))
        if self.feature_point is not None:
            self.feature_point(features)
        return logits if self.columns is None else logits[:, list(self.columns)]

    def _read(self, given: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Logits and features of the first `count` images."""
        named, flat = self._program.outputs(given)
        reading = self.reading
        raw = flat[reading.logits] if self._program.leaves else named[reading.output]
        logits = squeezed(self._as_usual(raw[:count]))
        if reading.probabilities:
            logits = log_probabilities(logits)
        if reading.features is None:
            return logits, logits
        return logits, self._as_usual(flat[reading.features][:count])

    def _as_usual(self, values: Tensor) -> Tensor:
        return values if self.form.dtype is torch.float32 else values.float()


def _filled(part: Tensor, smallest: int) -> Tensor:
    missing = smallest - len(part)
    return part if missing <= 0 else torch.cat([part, part[-1:].expand(missing, *part.shape[1:])])


def _flattened(value: Any, name: str = "") -> list[tuple[str, Tensor]]:
    """All tensors of nested dicts, tuples and lists, with names such as "logits" or "1.0"."""
    if isinstance(value, Tensor):
        return [(name or "output", value)]
    if isinstance(value, Mapping):
        items: list[tuple[str, Any]] = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, (tuple, list)):
        keys = getattr(value, "_fields", range(len(value)))
        items = [(str(key), item) for key, item in zip(keys, value, strict=True)]
    else:
        return []
    return [found for key, item in items for found in _flattened(item, f"{name}.{key}".lstrip("."))]


@dataclass(frozen=True)
class Taken:
    channels: int
    channels_last: bool
    sides: tuple[int | None, int | None]  # height and width in px; None where any will do
    dtype: torch.dtype
    smallest: int = 1  # images in a batch
    largest: int | None = None


def taken_by(graph: fx.Graph, ranges: Mapping[Any, Any], *, name: str) -> Taken:
    """From the placeholders; `ranges` are those of the sizes that may vary.

    Raises ClassifierError for a program that takes something else than a batch of images.
    """
    given = [node.meta.get("val") for node in graph.nodes if node.op == "placeholder"]
    tensors = [value for value in given if isinstance(value, Tensor)]
    if len(given) != 1 or len(tensors) != 1:
        raise ClassifierError(f"{name} takes {len(given)} inputs.", hint=_EXPECTED)
    image = tensors[0]
    shape = [side if isinstance(side, int) else None for side in image.shape]
    last = len(shape) == 4 and _is_last(shape)
    if len(shape) != 4 or shape[3 if last else 1] not in (1, 3, None):
        sides = ", ".join("N" if side is None else str(side) for side in shape)
        raise ClassifierError(f"{name} takes an input of shape ({sides}).", hint=_EXPECTED)
    if image.dtype is torch.bool or image.dtype.is_complex:
        raise ClassifierError(f"{name} takes values of type {image.dtype}.", hint=_EXPECTED)
    smallest, largest = _batches(image.shape[0], ranges)
    height, width = shape[1:3] if last else shape[2:]
    channels = shape[3 if last else 1] or 3
    return Taken(channels, last, (height, width), image.dtype, smallest, largest)


def image_size_in(content: bytes) -> int | None:
    """The side of the square images that a program takes, from its JSON; None where it takes any."""
    try:
        program = parse_json(content)
        module = program["graph_module"]
        names = [
            spec["user_input"]["arg"]["as_tensor"]["name"]
            for spec in module["signature"]["input_specs"]
            if "user_input" in spec
        ]
        sizes = module["graph"]["tensor_values"][names[0]]["sizes"]
        shape = [size.get("as_int") for size in sizes]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None  # of another version of torch: what it takes shows when it is loaded
    if len(shape) != 4:
        return None
    height, width = shape[1:3] if _is_last(shape) else shape[2:]
    return height if isinstance(height, int) and height == width else None


def _is_last(shape: Sequence[int | None]) -> bool:
    return shape[1] not in (1, 3) and shape[3] in (1, 3)


def _batches(count: Any, ranges: Mapping[Any, Any]) -> tuple[int, int | None]:
    """The smallest and the largest batch; `count` is a number, or a symbol with a range."""
    if isinstance(count, int):
        return count, count
    known: Any = ranges.get(count.node.expr)
    try:
        return max(1, int(known.lower)), int(known.upper)
    except (AttributeError, TypeError, ValueError, OverflowError):  # none, or without an end
        return 1, None
