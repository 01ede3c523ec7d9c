"""Weight files, read without running code from them.

Of a training checkpoint, or a whole pickled module, the tensors are taken and the rest is left out.
"""

from __future__ import annotations

import pickle
import re
import shlex
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.unpickling import (
    SuspiciousPickle,
    attributes,
    load_inert,
    pickle_protocol,
    plain_items,
    tensors_of_module,
)

_MOST_UNPACKED, _SMALL_ARCHIVE = 4, 4 * 2**20  # torch stores weights as they are, and packs only code
_DAMAGED_ARCHIVE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, IndexError),
    *(RuntimeError, struct.error),  # encrypted, of an unknown method
)
UNREADABLE_TENSORS = (SafetensorError, OSError, ValueError, MemoryError)  # what safetensors raises
# Where training scripts put a network's weights, the likeliest first.
_WRAPPERS = (
    *("state_dict", "model_state_dict", "model", "net", "network", "weights", "params", "model_state"),
    *("state", "net_state_dict", "params_ema", "student"),
)
_ARCH_NAMES = ("arch", "architecture", "model_name", "model", "net")
_DEEPEST = 3
_PROTOCOL = 2
_EMA = re.compile(
    r"(?<![A-Za-z])ema(?![a-z])|(?<![A-Z])E(?:MA|ma)(?![a-z])|[Aa]verag|(?<![A-Za-z])(?:swa|SWA)(?![a-z])"
)
# Lightning's callback: its average lacks the batch statistics that `state_dict` is given in the end.
_UNFINISHED = re.compile(r"StochasticWeightAveraging|average_model_state")
_START = 64  # bytes that tell formats apart
_PICKLES = (b"\x80", b"PK")  # pickles of protocol 2 and later, which torch.save writes, and its archives
_UNPACK = "Unpack it, and give the file in it."
_AGAIN = "Download the file itself."
_OTHER_FORMATS = (  # in lower case
    (b"version https://git-lfs", "a pointer of Git LFS", "Fetch the file itself: git lfs pull."),
    (b"<", "a web page", _AGAIN),
    (b"\x1f\x8b", "compressed (gzip)", _UNPACK),
    (b"bzh", "compressed (bzip2)", _UNPACK),
    (b"\xfd7zxz", "compressed (xz)", _UNPACK),
    (b"7z\xbc\xaf", "compressed (7z)", _UNPACK),
    (b"\x89hdf", "an HDF5 file (Keras)", "Export the network to ONNX, and give that."),
)
_CONVERSION = (
    "import torch as t; d = lambda x: x.state_dict() if hasattr(x, 'state_dict') else x;"
    " k = lambda m: {{n: w.detach().clone() for n, w in m.items() if t.is_tensor(w)}};"
    " c = d(t.load({path!r}, map_location='cpu', weights_only=False));"
    " t.save(k(c) or {{n: k(d(m)) for n, m in c.items() if hasattr(d(m), 'items')}}, {out!r})"
)


@dataclass(frozen=True)
class WeightsFile:
    """The state dicts in a file, by where they lie ("" for the file itself), the likeliest first.

    `name` is what messages call it.
    """

    name: str
    states: Mapping[str, Mapping[str, Tensor]]
    arch: str | None = None  # the network's name, where the training script wrote it down
    notices: tuple[str, ...] = ()


def read_weights(path: Path) -> WeightsFile:
    """The tensors of a .safetensors file or of what torch.save wrote, without running code from the file.

    Raises ClassifierError on files that are missing or damaged, hold no tensors, or ask for code.
    """
    if not path.is_file():
        raise ClassifierError(f"There is no weights file {path}.", hint="Check the path.")
    _refuse_other_formats(path)
    if is_safetensors(path):
        return WeightsFile(path.name, {"": _read_safetensors(path)})
    content = _read_pickle(path)
    states = dict(sorted(_states(content, set()), key=lambda item: likelihood(item[0])))
    if not states:
        keys = plain_items(content)
        found = some_names(map(str, keys)) if keys else type(content).__name__
        raise ClassifierError(
            f"{path.name} holds no state dict (found: {found}).",
            hint="Save it with torch.save(model.state_dict(), ...) or as .safetensors.",
        )
    pickled = any(key == "_modules" for key in attributes(content))
    notices = (f"{path.name} is a whole pickled module; its tensors are used, none of its code.",)
    return WeightsFile(path.name, states, _recorded_arch(content), notices if pickled else ())


def is_average(place: str) -> bool:
    """Whether weights that lie there are a running average of those that were trained."""
    return _EMA.search(place) is not None and not is_unfinished_average(place)


def is_unfinished_average(place: str) -> bool:
    return _UNFINISHED.search(place) is not None


def likelihood(place: str) -> tuple[bool, int]:
    """To sort by: averaged weights first, as timm takes them, then the usual names."""
    last = place.rpartition(".")[2]
    return not is_average(place), _WRAPPERS.index(last) if last in _WRAPPERS else len(_WRAPPERS)


def _states(
    content: Any, seen: set[int], place: str = "", depth: int = 0
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Every mapping of names to tensors, at any of a few depths, and every module's tensors."""
    if id(content) in seen:
        return
    seen.add(id(content))
    items = {key: value for key, value in plain_items(content).items() if isinstance(key, str)}
    tensors = {key: value.detach() for key, value in items.items() if isinstance(value, Tensor)}
    tensors = tensors or tensors_of_module(content)
    if tensors:
        yield place, tensors
    if depth < _DEEPEST:
        for key, value in items.items():
            yield from _states(value, seen, f"{place}.{key}" if place else key, depth + 1)


def _recorded_arch(content: Any) -> str | None:
    """As pytorch/examples ("arch") and timm ("arch", args.model) write it."""
    top = plain_items(content)
    for holder in (top, *(top.get(name) for name in ("args", "config", "hyper_parameters", "cfg"))):
        named = plain_items(holder) | attributes(holder) if holder is not top else top
        for key in _ARCH_NAMES:
            if isinstance(named.get(key), str):
                return str(named[key])
    return None


def is_safetensors(path: Path) -> bool:
    """By its first bytes, whatever it is called; what is called so and is no pickle may be damaged."""
    start = _start(path)
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size:
        return True
    return path.suffix.lower() == ".safetensors" and not start.startswith(_PICKLES)


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_START)
    except OSError as error:
        raise ClassifierError(f"{path} cannot be read ({error}).", hint="Check the path.") from error


def _refuse_other_formats(path: Path) -> None:
    start = _start(path)
    for beginning, what, hint in _OTHER_FORMATS:
        if start.lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith(beginning):
            raise ClassifierError(f"{path.name} is no weights file, but {what}.", hint=hint)
    if start and not start.startswith(_PICKLES) and not is_safetensors(path) and not is_archive(path):
        raise ClassifierError(
            f"{path.name} is no readable weights file: it is neither a pickle nor safetensors.",
            hint="Expected a .safetensors file or a state dict saved with torch.save.",
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


def _read_pickle(path: Path) -> Any:
    check_archive(path)
    try:
        return load_inert(path)
    except pickle.UnpicklingError as error:
        protocol = pickle_protocol(path)
        if protocol > _PROTOCOL and not isinstance(error, SuspiciousPickle):
            raise ClassifierError(
                f"{path.name} is a pickle of protocol {protocol}; only torch.save's default, {_PROTOCOL}, is"
                " read.",
                hint=f"Save it again without pickle_protocol. {_conversion(path)}",
                details=str(error),
            ) from error
        raise ClassifierError(
            f"{path.name} is a pickle that holds more than weights; loading it could run code, so it"
            " is refused.",
            hint=_conversion(path),
            details=str(error),
        ) from error
    except Exception as error:  # the unpickler raises whatever damaged bytes lead it to
        raise ClassifierError(
            f"{path.name} is no readable weights file ({type(error).__name__}).",
            hint="Expected a .safetensors file or a state dict saved with torch.save.",
            details=str(error),
        ) from error


def _conversion(path: Path) -> str:
    out = str(path.with_name(f"{path.stem}-weights.pth"))
    command = shlex.quote(_CONVERSION.format(path=str(path), out=out))
    return (
        "Save the network's state dict, or .safetensors. Where you trust the file, take its weights out,"
        f" outside PGN Studio, where its own code is installed: python -c {command}"
    )


def some_names(names: Iterable[str], limit: int = 4) -> str:
    """The first few of `names`, for an error message."""
    listed = list(names)
    more = ", …" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more if listed else "none"
