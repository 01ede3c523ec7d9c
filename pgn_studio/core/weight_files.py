"""Weight files, read without running code from them, and fitted into a network.

Pickles are read with `weights_only=True` and refused when they hold anything but tensors and plain
containers; every key and shape must fit the network, and every value must be finite.
"""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pgn_studio.core.errors import ClassifierError

_MOST_UNPACKED, _SMALL_ARCHIVE = 4, 4 * 2**20  # torch stores weights as they are, and packs only code
_DAMAGED_ARCHIVE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, IndexError),
    *(RuntimeError, struct.error),  # encrypted, of an unknown method
)
UNREADABLE_TENSORS = (SafetensorError, OSError, ValueError, MemoryError)  # what safetensors raises
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
_CONVERSION_HINT = (
    "Where you trust the file, convert it to safetensors first, outside PGN Studio: python -c"
    " \"import torch, safetensors.torch as s; m = torch.load('{name}', map_location='cpu',"
    " weights_only=False); s.save_model(m, '{stem}.safetensors')\""
    " (if the file holds a dict, take the model out of it first)."
)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors or .pth state dict, without running code from the file.

    Wrappers such as {"state_dict": ...} are opened. Raises ClassifierError on files that are
    missing, damaged, hold Python objects, or hold NaN or infinity.
    """
    if not path.is_file():
        raise ClassifierError(f"There is no weights file {path}.", hint="Check the path.")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    state = _unwrapped(content, path)
    odd = [name for name, tensor in state.items() if not _is_plain(tensor)]
    if odd:
        raise ClassifierError(
            f"{path.name} holds tensors of an unusual kind (sparse, quantized, or larger than their data) in"
            f" {some_names(odd)}.",
            hint="Save the network's own state dict, in float32 and contiguous.",
        )
    bad = [name for name, tensor in state.items() if tensor.is_floating_point() and not _all_finite(tensor)]
    if bad:
        raise ClassifierError(
            f"{path.name} holds NaN or infinity in {some_names(bad)}.",
            hint="The training that made it diverged, or the file is damaged: use another one.",
        )
    return state


def load_weights(
    network: nn.Module,
    state: Mapping[str, Tensor],
    *,
    origin: str,
    ignore_head: bool = False,
    copy: bool = True,
) -> None:
    """Copy `state` into `network`; every key and shape must fit, or ClassifierError says which do not.

    Without `copy` nothing but the check is done.

    With `ignore_head` the last layer keeps its own weights where the file's are absent or of
    another size (fine-tuning, feature extraction).
    """
    expected = network.state_dict()
    given = _without_prefixes(state, expected)
    head = head_name(network)
    head_keys = {key for key in expected if head and key.startswith(f"{head}.")}
    if ignore_head:
        given = {k: v for k, v in given.items() if k not in head_keys or v.shape == expected[k].shape}
    else:
        _check_head_size(given, expected, head, origin)
    optional = head_keys if ignore_head else set()
    missing = [k for k in expected if k not in given | dict.fromkeys(optional) and not _is_counter(k)]
    unexpected = [key for key in given if key not in expected]
    if missing or unexpected:
        raise ClassifierError(
            f"{origin} does not fit this architecture: {len(missing)} of {len(expected)} keys missing"
            f" ({some_names(missing)}), {len(unexpected)} unexpected ({some_names(unexpected)}).",
            hint="Name the architecture that these weights were made for.",
        )
    shapes = [k for k, v in given.items() if v.shape != expected[k].shape]
    if shapes:
        first = shapes[0]
        raise ClassifierError(
            f"{origin} does not fit this architecture: {len(shapes)} tensors have another shape, first"
            f" {first}: expected {tuple(expected[first].shape)}, got {tuple(given[first].shape)}.",
            hint="Name the architecture that these weights were made for.",
        )
    if copy:
        network.load_state_dict(given, strict=False)  # only optional keys can be absent by now


def head_name(network: nn.Module) -> str:
    """Name of the last nn.Linear, else of the last convolution (fully convolutional networks)."""
    names: list[str] = []
    for kind in (nn.Conv2d, nn.Linear):
        names += [name for name, module in network.named_modules() if isinstance(module, kind)]
    return names[-1] if names else ""


def _check_head_size(
    given: Mapping[str, Tensor], expected: Mapping[str, Tensor], head: str, origin: str
) -> None:
    key = f"{head}.weight"
    if key in given and key in expected and given[key].shape[0] != expected[key].shape[0]:
        raise ClassifierError(
            f"{origin} has a last layer for {given[key].shape[0]} classes, but"
            f" {expected[key].shape[0]} classes were given.",
            hint="Give the classes that it was trained on, in its order.",
        )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with reading_safetensors(path):
        return load_file(path)


@contextmanager
def reading_safetensors(path: Path) -> Iterator[None]:
    """Raises ClassifierError for what goes wrong inside with the safetensors file at `path`."""
    try:
        yield
    except UNREADABLE_TENSORS as error:
        raise ClassifierError(
            f"{path.name} is no readable safetensors file ({error}).", hint="Copy or save it again."
        ) from error


@contextmanager
def opened_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip archive at `path`. Raises ClassifierError for what is damaged in it, also on reading."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _DAMAGED_ARCHIVE as error:
        raise ClassifierError(
            f"{path.name} is a damaged archive ({error}).", hint="Copy or save it again."
        ) from error


def is_archive(path: Path) -> bool:
    """Whether the file at `path` is a zip archive, damaged or not."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # it says that it is one of several disks
        return True


def check_archive(path: Path) -> None:
    """Raises ClassifierError for a zip archive that unpacks to far more than it holds, or is damaged."""
    if not is_archive(path):
        return
    with opened_archive(path) as archive:
        unpacked = sum(info.file_size for info in archive.infolist())
    if unpacked > _MOST_UNPACKED * path.stat().st_size + _SMALL_ARCHIVE:
        raise ClassifierError(
            f"{path.name} would unpack to {unpacked / 2**20:,.0f} MiB, far more than its size.",
            hint="It is refused: torch.save writes no such files.",
        )


def _read_pickle(path: Path) -> object:
    check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old pickle protocols: what cannot be read is refused below
            return cast(object, torch.load(path, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError as error:
        raise ClassifierError(
            f"{path.name} is a pickle that holds more than weights; loading it could run code, so it"
            " is refused.",
            hint=_CONVERSION_HINT.format(name=path.name, stem=path.stem),
            details=str(error),
        ) from error
    except Exception as error:  # the unpickler raises whatever damaged bytes lead it to
        raise ClassifierError(
            f"{path.name} is no readable weights file ({type(error).__name__}).",
            hint="Expected a .safetensors file or a state dict saved with torch.save.",
            details=str(error),
        ) from error


def _unwrapped(content: object, path: Path) -> dict[str, Tensor]:
    while isinstance(content, Mapping):
        inner = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    tensors = isinstance(content, Mapping) and content and all(map(torch.is_tensor, content.values()))
    if not tensors:
        keys = some_names(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise ClassifierError(
            f"{path.name} holds no state dict (found: {keys}).",
            hint="Save it with torch.save(model.state_dict(), ...) or as .safetensors.",
        )
    return dict(cast(Mapping[str, Tensor], content))


def _without_prefixes(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Strip module., model. … as DataParallel, torch.compile and Lightning add them."""
    given = dict(state)
    while not any(key in expected for key in given):
        prefix = next((p for p in _PREFIXES if all(key.startswith(p) for key in given)), None)
        if prefix is None:
            break
        given = {key.removeprefix(prefix): tensor for key, tensor in given.items()}
    return given


def _is_plain(tensor: Tensor) -> bool:
    """Dense numbers that lie in memory one by one; a view may claim terabytes of a single number."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _all_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _is_counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")  # absent from old files, unused in evaluation


def some_names(names: Iterable[str], limit: int = 4) -> str:
    """The first few of `names`, for an error message."""
    listed = list(names)
    more = ", …" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more if listed else "none"
