"""Training checkpoints read as data: tensors and plain containers, everything else as an inert stand-in.

torch's restricted unpickler (`weights_only=True`) creates nothing but tensors and plain containers. A usual
checkpoint also holds settings, counts of NumPy, or a whole pickled module. Each such name is handed
to it as a stand-in, so that not one class or function that the file names is imported or called.
"""

from __future__ import annotations

import pickle
import pickletools
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

_DEEPEST = 100  # modules in modules
_LEGACY_PICKLES = 5  # magic number, version, system, the content, the storages' keys
# Names that no checkpoint needs, and code that is hidden in a pickle does. None of them would be called:
# the file is refused so that its user hears of it.
_SUSPICIOUS_MODULES = frozenset(
    ("os", "posix", "nt", "sys", "subprocess", "shutil", "socket", "importlib", "runpy", "ctypes", "pty")
    + ("code", "webbrowser", "pickle", "marshal")
)
_SUSPICIOUS_BUILTINS = frozenset(
    ("eval", "exec", "compile", "getattr", "setattr", "delattr", "open", "input", "breakpoint", "__import__")
    + ("globals", "locals", "vars", "apply")
)


class SuspiciousPickle(pickle.UnpicklingError):
    """The pickle names what would run code."""


class _AsMapping:
    """Stands in for a class or function whose objects may be filled like a dict, or given attributes."""

    def __new__(cls, *_arguments: Any, **_named: Any) -> Any:
        return OrderedDict()


class _AsNothing:
    """Stands in for NumPy's classes and functions, whose objects are given their state in other forms."""

    def __new__(cls, *_arguments: Any, **_named: Any) -> Any:
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        pass


def load_inert(path: Path) -> Any:
    """What torch.save wrote at `path`, on the CPU. Raises what torch.load raises, and SuspiciousPickle."""
    stand_ins: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = []
    for name in sorted(_names_in(path)):
        _refuse_suspicious(name)
        stand_ins.append((_stand_in(name), name))
    with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins):
        warnings.simplefilter("ignore")  # of old pickle protocols: what cannot be read is refused
        return torch.load(path, map_location="cpu", weights_only=True)


def plain_items(value: Any) -> dict[Any, Any]:
    """The items of a mapping as the file has them, whatever attributes it was given; else none."""
    return dict(dict.items(value)) if isinstance(value, dict) else {}


def attributes(value: Any) -> dict[str, Any]:
    """What a stand-in was given as attributes: of argparse.Namespace its options."""
    return dict(vars(value)) if isinstance(value, OrderedDict) else {}


def tensors_of_module(value: Any) -> dict[str, Tensor]:
    """A pickled nn.Module's state dict; nothing of anything else."""
    found: dict[str, Tensor] = {}
    waiting, seen = [("", value)], set()
    while waiting:
        prefix, module = waiting.pop()
        if id(module) in seen or prefix.count(".") > _DEEPEST:  # a file may claim that a module holds itself
            continue
        seen.add(id(module))
        own = attributes(module)
        temporary = own.get("_non_persistent_buffers_set", ())
        for name, tensor in (plain_items(own.get("_parameters")) | plain_items(own.get("_buffers"))).items():
            if isinstance(tensor, Tensor) and name not in temporary:
                found[f"{prefix}{name}"] = tensor.detach()
        children = plain_items(own.get("_modules")).items()
        waiting += [(f"{prefix}{name}.", child) for name, child in children]
    return found


def _names_in(path: Path) -> set[str]:
    """Every class and function that the file's pickles name."""
    names: set[str] = set()
    with suppress(Exception):  # what is damaged is refused on loading
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for record in archive.namelist():
                    if record.endswith("data.pkl"):
                        with archive.open(record) as stream:
                            names |= _names_of_pickle(stream)
        else:
            with path.open("rb") as stream:
                for _ in range(_LEGACY_PICKLES):
                    names |= _names_of_pickle(stream)
    return names


def _names_of_pickle(stream: IO[bytes]) -> set[str]:
    found = set()
    for operation, argument, _ in pickletools.genops(stream):
        if operation.name in ("GLOBAL", "INST"):
            module, _, name = str(argument).partition(" ")
            known: Mapping[Any, Any] = torch._utils.NAME_MAPPING
            modules: Mapping[str, str] = torch._utils.IMPORT_MAPPING
            module, name = known.get((module, name), (modules.get(module, module), name))
            found.add(f"{module}.{name}")
    return found


def _refuse_suspicious(name: str) -> None:
    module, _, last = name.rpartition(".")
    package = module.partition(".")[0]
    if package in _SUSPICIOUS_MODULES or (package == "builtins" and last in _SUSPICIOUS_BUILTINS):
        raise SuspiciousPickle(f"it names {name}")


def _stand_in(name: str) -> Callable[..., Any]:
    return _AsNothing if name.startswith("numpy.") else _AsMapping
