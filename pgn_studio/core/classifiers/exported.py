"""Exported programs (.pt2) and TorchScript files: checked first, so that loading runs no Python.

Both are programs by nature. TorchScript has its own interpreter. `torch.export.load` however falls
back to unpickling, evaluates size expressions as Python and finds functions by dotted name, so the
archive is held against a short list of what an honest classifier needs.
"""

from __future__ import annotations

import inspect
import io
import json
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from pgn_studio.core.classifiers.programs.graph import open_exported, open_script
from pgn_studio.core.classifiers.programs.network import Program, image_size_in, taken_by
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.files import parse_json
from pgn_studio.core.weight_files import check_archive, is_archive, opened_archive

ArchiveKind = Literal["exported-program", "torchscript", "other"]

# Every record that torch.export.save writes for a plain network, without the archive's own prefix.
_KNOWN_RECORD = re.compile(
    r"(data/)?weights/(weight_\d+|[\w-]+_weights_config\.json|\w+\.pt)"
    r"|(data/)?constants/(tensor_\d+|[\w-]+_constants_config\.json|\w+\.pt)"
    r"|(data/)?sample_inputs/\w+\.pt|models/\w+\.json|extra/.*|extra_files/.*"
    r"|serialized_exported_program\.json|serialized_(state_dict|constants|example_inputs)\.pt"
    r"|archive_format|archive_version|version|byteorder|\.data/(version|serialization_id)|\.format_version"
)
_KNOWN_TARGET = re.compile(
    r"torch\.ops\.aten\.(?!from_file)\w+\.\w+"
    r"|torch\.ops\.higher_order\.wrap_with_(set_grad_enabled|autocast)"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)"
    r"|math\.(ceil|floor|trunc|sqrt)|torch\.sym_\w+"
)
_PROGRAM_RECORD = re.compile(r"(^|/)(models/\w+\.json|serialized_exported_program\.json)$")
_EXPRESSION_CHARACTERS = re.compile(r"[\w\s()+\-*/%,=<>']*|[\d.]+")
_EXPRESSION_NAME = re.compile(
    r"Symbol|Integer|True|False|positive|nonnegative|integer|real|evaluate|Add|Mul|Pow|Max|Min|Mod"
    r"|PythonMod|FloorDiv|CeilDiv|CleanDiv|Eq|Ne|Lt|Le|Gt|Ge|And|Or|Not|[a-z]+\d+"
)
_FILE_ACCESS_IN_SCRIPT = re.compile(rb"\b(from_file|save)\b")
_EXPORT_HINT = "Export the state dict instead: torch.save(model.state_dict(), ...) or safetensors."
_SPECS = ("in_spec", "out_spec")
_SEQUENCES = ("builtins.tuple", "builtins.list")
_MAPPINGS = ("builtins.dict", "collections.OrderedDict")


def archive_kind(path: Path) -> ArchiveKind:
    """What a file is by its contents, whatever its suffix."""
    if not is_archive(path):
        return "other"
    check_archive(path)
    with opened_archive(path) as archive:
        names = archive.namelist()
    if any(_PROGRAM_RECORD.search(name) for name in names):
        return "exported-program"
    if any(name.endswith("/constants.pkl") for name in names):
        return "torchscript"
    return "other"


def read_exported_program(path: Path) -> Program:
    """The program of a .pt2 file.

    Raises ClassifierError when the archive holds anything that could run Python on loading, or the
    program takes something else than images.
    """
    source = _checked_exported_program(path)
    try:
        program = torch.export.load(source)
        guards = "check_guards" in inspect.signature(program.module).parameters
        # Guards are lines of Python in the file, which torch would execute: leave them out.
        graph = program.module(check_guards=False) if guards else program.module()
    except Exception as error:  # torch raises many kinds, and asserts, on files of other versions
        raise ClassifierError(
            f"{path.name} cannot be loaded as an exported program ({type(error).__name__}).",
            hint="Export it again with the torch that is installed here. " + _EXPORT_HINT,
            details=str(error),
        ) from error
    taken = taken_by(graph.graph, program.range_constraints, name=path.name)
    net, leaves = open_exported(graph, _output_names(program.call_spec.out_spec))
    return Program(net, leaves, taken, example_size=_example_size(program.example_inputs))


def exported_image_size(path: Path) -> int | None:
    """The side in px of the square images that a .pt2 file asks for; None where it takes any, or is none."""
    if archive_kind(path) != "exported-program":
        return None
    with opened_archive(path) as archive:
        for name in archive.namelist():
            if _PROGRAM_RECORD.search(name):
                return image_size_in(archive.read(name))
    return None


def read_torchscript(path: Path) -> Program:
    """The program of a TorchScript file. Raises ClassifierError when it is damaged or touches files."""
    with opened_archive(path) as archive:
        for name in archive.namelist():
            if "/code/" in name and _FILE_ACCESS_IN_SCRIPT.search(archive.read(name)):
                raise _refused(path, f"{name}, which reads or writes files")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated; its files are still about
            load = cast(Callable[..., nn.Module], torch.jit.load)  # torch leaves it unannotated
            net = load(str(path), map_location="cpu").eval()
            return Program(net, open_script(net))
    except Exception as error:  # the TorchScript reader raises many kinds on damaged files
        raise ClassifierError(
            f"{path.name} cannot be loaded as TorchScript ({type(error).__name__}).",
            hint=_EXPORT_HINT,
            details=str(error),
        ) from error


def _output_names(tree: Any) -> list[str]:
    """Of each tensor among a program's outputs: "logits", "1", "aux.0"; "output" where it is the only one."""
    numbered = pytree.tree_unflatten(range(tree.num_leaves), tree)
    paths, _ = pytree.tree_flatten_with_path(numbered)
    return [".".join(str(getattr(key, "key", getattr(key, "idx", ""))) for key in keys) or "output"
            for keys, _ in paths]  # fmt: skip


def _example_size(example: Any) -> int | None:
    """The image size of the example that it was exported with, where the file has that."""
    flat = [value for value in pytree.tree_leaves(example) if isinstance(value, Tensor) and value.dim() == 4]
    return int(flat[0].shape[2]) if flat else None


def _checked_exported_program(path: Path) -> Path | io.BytesIO:
    """The archive, or a copy whose outputs are described in plain containers. Raises ClassifierError."""
    changed = {}
    with opened_archive(path) as archive:
        names = archive.namelist()
        if len(set(names)) != len(names):
            raise _refused(path, "two records of one name")
        for name in names:
            record = _without_archive_name(name, names)
            if not _KNOWN_RECORD.fullmatch(record):
                raise _refused(path, f"the record {record}")
            if record.endswith(".pt"):
                _check_pickle(path, record, archive.read(name))
            elif record.endswith(".json"):
                content = archive.read(name)
                plain = _checked_json(path, content)
                if plain is not None:
                    changed[name] = plain
        if not changed:
            return path
        copy = io.BytesIO()
        with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
            for name in names:
                target.writestr(name, changed.get(name) or archive.read(name))
    copy.seek(0)
    return copy


def _without_archive_name(name: str, names: list[str]) -> str:
    """torch puts all records under one folder, named after the file."""
    folder = names[0].split("/", 1)[0] + "/"
    return name.removeprefix(folder) if all(other.startswith(folder) for other in names) else name


def _check_pickle(path: Path, record: str, content: bytes) -> None:
    try:
        if content:
            torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises whatever damaged bytes lead it to
        raise _refused(path, f"{record}, a pickle of more than tensors") from error


def _checked_json(path: Path, content: bytes) -> bytes | None:
    """The same with plain containers, where it had others. Raises ClassifierError."""
    try:
        value = parse_json(content)
        plain = plain_trees(value)
        items = list(_items(value))
    except (ValueError, RecursionError) as error:
        raise _refused(path, "damaged JSON") from error
    for key, item in items:
        _check_item(path, key, item)
    return None if plain == value else json.dumps(plain).encode()


def _check_item(path: Path, key: str, value: Any) -> None:
    if key == "use_pickle" and value:
        raise _refused(path, "pickled weights")
    if key == "path_name" and not re.fullmatch(r"(weight|tensor)_\d+", str(value)):
        raise _refused(path, f"the object {value}")
    if key in ("target", "as_operator") and not _KNOWN_TARGET.fullmatch(str(value)):
        raise _refused(path, f"a call of {value}")
    if key == "expr_str" and not _plain_expression(str(value)):
        raise _refused(path, f"the expression {str(value)[:80]}")


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """All (key, value) pairs of nested JSON."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _items(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _items(inner)


def _plain_expression(text: str) -> bool:
    """Whether a size expression holds nothing but symbols, numbers and arithmetic."""
    names = re.findall(r"[A-Za-z_]\w*", text)
    known = all(_EXPRESSION_NAME.fullmatch(name) for name in names)
    return known and _EXPRESSION_CHARACTERS.fullmatch(text) is not None


def _refused(path: Path, what: str) -> ClassifierError:
    return ClassifierError(
        f"{path.name} holds {what}; loading it could run code or read files, so it is refused.",
        hint=_EXPORT_HINT,
    )


def plain_trees(value: Any) -> Any:
    """The JSON of a program, with every description of a tree made plain."""
    if isinstance(value, list):
        return [plain_trees(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _plain_spec(item) if key in _SPECS and isinstance(item, str) and item else plain_trees(item)
        for key, item in value.items()
    }


def _plain_spec(text: str) -> str:
    """Raises ValueError for what is no description of a tree."""
    match json.loads(text):
        case [int(protocol), dict(tree)]:
            plain = _plain(tree)
            return text if plain == tree else json.dumps([protocol, plain])
    raise ValueError("no description of a tree")


def _plain(tree: dict[str, Any]) -> dict[str, Any]:
    kind, context, children = tree.get("type"), tree.get("context"), tree.get("children_spec")
    if not isinstance(children, list) or not all(isinstance(child, dict) for child in children):
        raise ValueError("no description of a tree")
    if kind is None:
        return {"type": None, "context": None, "children_spec": []}
    keys = _keys(context)
    keyed = len(keys) == len(children) and kind not in _SEQUENCES
    if keyed and (keys or kind in _MAPPINGS):
        kind, context = kind if kind in _MAPPINGS else _MAPPINGS[0], json.dumps(keys)
    else:
        kind, context = kind if kind in _SEQUENCES else _SEQUENCES[0], "null"
    return {"type": kind, "context": context, "children_spec": [_plain(child) for child in children]}


def _keys(context: Any) -> list[str | int]:
    """The keys of a mapping, also of one with a default or of a class."""
    try:
        found = json.loads(context) if isinstance(context, str) else context
    except ValueError:
        return []
    if isinstance(found, dict):
        found = found.get("dict_context")
    plain = isinstance(found, list) and all(isinstance(key, (str, int)) for key in found)
    return found if plain else []
