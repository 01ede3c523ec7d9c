"""Exported programs (.pt2) and TorchScript files: checked first, so that loading runs no Python.

Both are programs by nature. TorchScript has its own interpreter. `torch.export.load` however falls
back to unpickling, evaluates size expressions as Python and finds functions by dotted name, so the
archive is held against a short list of what an honest classifier needs.
"""

from __future__ import annotations

import inspect
import io
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from typing_extensions import Self

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
_EXPRESSION_CHARACTERS = re.compile(r"[\w\s()+\-*/%,=<>']*|[\d.]+")
_EXPRESSION_NAME = re.compile(
    r"Symbol|Integer|True|False|positive|nonnegative|integer|real|evaluate|Add|Mul|Pow|Max|Min|Mod"
    r"|PythonMod|FloorDiv|CeilDiv|CleanDiv|Eq|Ne|Lt|Le|Gt|Ge|And|Or|Not|[a-z]+\d+"
)
_FILE_ACCESS_IN_SCRIPT = re.compile(rb"\b(from_file|save)\b")
_EXPORT_HINT = "Export the state dict instead: torch.save(model.state_dict(), ...) or safetensors."


class ExportedNetwork(nn.Module):
    """A program as a network: fixed in evaluation mode, since an exported graph cannot switch."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program
        self.training = False

    def train(self, mode: bool = True) -> Self:
        return self

    def forward(self, normalized: Tensor) -> Tensor:
        output = self.program(normalized)
        return cast(Tensor, output[0] if isinstance(output, (tuple, list)) else output)


def archive_kind(path: Path) -> ArchiveKind:
    """What a file is by its contents, whatever its suffix."""
    if not is_archive(path):
        return "other"
    check_archive(path)
    with opened_archive(path) as archive:
        names = archive.namelist()
    if any(re.search(r"(^|/)(models/\w+\.json|serialized_exported_program\.json)$", name) for name in names):
        return "exported-program"
    if any(name.endswith("/constants.pkl") for name in names):
        return "torchscript"
    return "other"


def read_exported_program(path: Path) -> tuple[nn.Module, int | None]:
    """The network of a .pt2 file and the image size that it was exported with, where it says.

    Raises ClassifierError when the archive holds anything that could run Python on loading.
    """
    _check_exported_program(path)
    try:
        program = torch.export.load(path)
        guards = "check_guards" in inspect.signature(program.module).parameters
        # Guards are lines of Python in the file, which torch would execute: leave them out.
        graph = program.module(check_guards=False) if guards else program.module()
    except Exception as error:  # torch raises many kinds, and asserts, on files of other versions
        raise ClassifierError(
            f"{path.name} cannot be loaded as an exported program ({type(error).__name__}).",
            hint="Export it again with the torch that is installed here. " + _EXPORT_HINT,
            details=str(error),
        ) from error
    example = program.example_inputs
    first = example[0][0] if example and example[0] else None
    return ExportedNetwork(graph), int(first.shape[-1]) if isinstance(first, Tensor) else None


def read_torchscript(path: Path) -> nn.Module:
    """The network of a TorchScript file. Raises ClassifierError when it is damaged or touches files."""
    with opened_archive(path) as archive:
        for name in archive.namelist():
            if "/code/" in name and _FILE_ACCESS_IN_SCRIPT.search(archive.read(name)):
                raise _refused(path, f"{name}, which reads or writes files")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated; its files are still about
            load = cast(Callable[..., nn.Module], torch.jit.load)  # torch leaves it unannotated
            return ExportedNetwork(load(str(path), map_location="cpu").eval())
    except Exception as error:  # the TorchScript reader raises many kinds on damaged files
        raise ClassifierError(
            f"{path.name} cannot be loaded as TorchScript ({type(error).__name__}).",
            hint=_EXPORT_HINT,
            details=str(error),
        ) from error


@torch.no_grad()
def check_program(net: nn.Module, num_classes: int, image_size: int, *, name: str) -> None:
    """Raise ClassifierError unless the program takes batches of any size and gives (N, K) logits.

    Also refuses weights that are not finite, and a program exported in training mode.
    """
    if not all(bool(torch.isfinite(value).all()) for value in net.state_dict().values()):
        raise ClassifierError(f"{name} holds NaN or infinity.", hint="Use another file.")
    before = {key: value.clone() for key, value in net.state_dict().items()}
    for batch in (2, 3):
        try:
            shape = tuple(net(torch.rand(batch, 3, image_size, image_size)).shape)
        except Exception as error:  # a program fails in its own ways
            raise ClassifierError(
                f"{name} does not take {batch} images of {image_size} px ({type(error).__name__}).",
                hint="Give the image size that it was exported with, and export it with a batch of any"
                " size (dynamic_shapes={0: torch.export.Dim('batch')}).",
                details=str(error),
            ) from error
        if shape != (batch, num_classes):
            raise ClassifierError(
                f"{name} was expected to give ({batch}, {num_classes}) logits for {batch} images and"
                f" {num_classes} classes, but gives {shape}.",
                hint="Give the classes that it was trained on, in its order.",
            )
    if any(not torch.equal(value, before[key]) for key, value in net.state_dict().items()):
        raise ClassifierError(
            f"{name} changes its own buffers when used: it was exported in training mode.",
            hint="Call model.eval() and export it again.",
        )


def _check_exported_program(path: Path) -> None:
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
                _check_json(path, archive.read(name))


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


def _check_json(path: Path, content: bytes) -> None:
    try:
        items = list(_items(parse_json(content)))
    except (ValueError, RecursionError) as error:
        raise _refused(path, "damaged JSON") from error
    for key, value in items:
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
