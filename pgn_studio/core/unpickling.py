"""Training checkpoints read as data: tensors and plain containers, everything else as an inert stand-in.

torch's restricted unpickler (`weights_only=True`) creates nothing but tensors and plain containers. A usual
checkpoint also holds settings, counts of NumPy, or a whole pickled module. Each such name is handed
to it as a stand-in, so that not one class or function that the file names is imported or called.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
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
    + ("code", "codeop", "webbrowser", "pickle", "marshal", "commands", "popen2", "pdb", "bdb", "timeit")
    + ("asyncio", "urllib", "urllib2", "http", "httplib", "ftplib", "smtplib", "telnetlib", "socketserver")
    + ("tempfile", "glob", "fileinput", "profile", "cProfile", "trace", "pip", "ensurepip", "venv", "site")
    + ("multiprocessing", "threading", "concurrent", "signal", "imp", "pkgutil", "zipimport", "doctest")
    + ("platform", "shelve", "dbm", "sqlite3", "tarfile", "zipfile", "linecache", "dill", "cloudpickle")
    + ("joblib", "requests", "_winapi", "winreg", "mmap", "cffi", "_posixsubprocess", "xmlrpc", "distutils")
)
_SUSPICIOUS_NAMES = re.compile(
    r"_?io\.(?:open|open_code|FileIO)"
    r"|numpy\.(?:load|save)\w*|numpy\.(?:fromfile|tofile|memmap|genfromtxt|DataSource)"
    r"|numpy\.(?:f2py|testing|distutils|ctypeslib|lib\.npyio|lib\._npyio_impl)\..*"
    r"|torch\.(?:load|save|compile)|torch\.(?:serialization|jit)\.(?:load|save)"
    r"|torch\.(?:hub|package|utils\.cpp_extension|utils\.collect_env|ops|classes)\..*"
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
        with path.open("rb") as stream:  # by the name .safetensors torch would take it for that
            return torch.load(stream, map_location="cpu", weights_only=True)


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


def pickle_protocol(path: Path) -> int:
    """Of the file's first pickle; torch's restricted unpickler reads 2. 0 where there is none."""
    with suppress(Exception):
        for stream in _pickles(path):
            mark, number = stream.read(2)
            return number if bytes([mark]) == pickle.PROTO else 0
    return 0


def _names_in(path: Path) -> set[str]:
    """Every class and function that the file's pickles name."""
    names: set[str] = set()
    with suppress(Exception):  # what is damaged is refused on loading
        for stream in _pickles(path):
            for name in _names_of_pickle(stream):
                names.add(name)
    return names


def _pickles(path: Path) -> Iterator[IO[bytes]]:
    """What stands at the start of each; to be read to its end before the next is asked for."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for record in archive.namelist():
                if record.endswith("data.pkl"):
                    with archive.open(record) as stream:
                        yield stream
    else:
        with path.open("rb") as stream:
            for _ in range(_LEGACY_PICKLES):
                yield stream


def _names_of_pickle(stream: IO[bytes]) -> Iterator[str]:
    known: Mapping[Any, Any] = torch._utils.NAME_MAPPING
    modules: Mapping[str, str] = torch._utils.IMPORT_MAPPING
    for module, name in _globals(stream):
        renamed, last = known.get((module, name), (modules.get(module, module), name))
        yield f"{renamed}.{last}"


def _globals(stream: IO[bytes]) -> Iterator[tuple[str, str]]:
    """Modules and names; from protocol 4 on these are the two texts before, new or remembered."""
    texts: list[str] = ["", ""]
    remembered: list[str] = []
    for operation, argument, _ in pickletools.genops(stream):
        if operation.name in ("GLOBAL", "INST"):
            module, _, name = str(argument).partition(" ")
            yield module, name
        elif operation.name == "STACK_GLOBAL":
            attribute = "." in texts[-1]  # what earlier protocols say by getattr
            yield ("builtins", "getattr") if attribute else (texts[-2], texts[-1])
        elif operation.name == "MEMOIZE":
            remembered.append(texts[-1])
        elif operation.name in ("BINGET", "LONG_BINGET") and isinstance(argument, int):
            texts.append(remembered[argument] if argument < len(remembered) else "")
        elif isinstance(argument, str):
            texts.append(argument)


def _refuse_suspicious(name: str) -> None:
    module, _, last = name.rpartition(".")
    package = module.partition(".")[0]
    built_in = package == "builtins" and last in _SUSPICIOUS_BUILTINS
    if package in _SUSPICIOUS_MODULES or built_in or _SUSPICIOUS_NAMES.fullmatch(name):
        raise SuspiciousPickle(f"it names {name}")


def _stand_in(name: str) -> Callable[..., Any]:
    return _AsNothing if name.startswith("numpy.") else _AsMapping
