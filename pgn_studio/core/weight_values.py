"""Whether a file's tensors hold numbers that a network can compute with."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.weight_files import some_names

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


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
