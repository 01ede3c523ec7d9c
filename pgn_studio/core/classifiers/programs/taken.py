"""What an exported program's file says of the images that it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.files import parse_json

_EXPECTED = "Expected one input: images of 3 channels or 1, NCHW or NHWC."


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
