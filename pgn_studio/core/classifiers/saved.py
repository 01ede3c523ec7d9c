"""The project's classifier file: one .safetensors whose metadata says all that is needed to use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from pgn_studio.core.classifiers.classifier import Classifier, ClassifierInfo
from pgn_studio.core.classifiers.networks import fitted_network
from pgn_studio.core.config import ChannelOrder
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.files import parse_json, replacing, sha256_of_file
from pgn_studio.core.legacy import modern
from pgn_studio.core.pretrained import Triple
from pgn_studio.core.weight_files import read_weights, reading_safetensors

FORMAT = "pgn-studio-classifier"
VERSION = 1
_KEY = "pgn-studio"  # the only metadata entry: safetensors writes several in random order


class _Content(BaseModel):
    """The metadata's JSON; a file from elsewhere is checked against it before use."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    format: Literal["pgn-studio-classifier"] = "pgn-studio-classifier"
    version: Literal[1] = 1
    arch: str
    classes: tuple[str, ...] = Field(min_length=2)
    mean: Triple
    std: Triple
    image_size: int = Field(ge=1, le=8192)
    channels: ChannelOrder = "rgb"
    training: Mapping[str, Any]


def save_classifier(path: Path, net: nn.Module, info: ClassifierInfo) -> ClassifierInfo:
    """Write the classifier atomically; returns `info` with the file's path, hash and size."""
    content = _Content(
        arch=info.arch,
        classes=info.classes,
        mean=info.mean,
        std=info.std,
        image_size=info.image_size,
        channels=info.channels,
        training=info.training,
    )
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={_KEY: content.model_dump_json()})
    return replace(
        info,
        path=str(path.resolve()),
        sha256=sha256_of_file(path),
        parameters=count_parameters(net),
    )


def read_saved_classifier(path: Path, content: Mapping[str, Any]) -> Classifier:
    """Load a file whose metadata is `content`. Raises ClassifierError when it is damaged or newer."""
    if content.get("version") != VERSION:
        raise ClassifierError(
            f"{path.name} has format version {content.get('version')}; this PGN Studio reads {VERSION}.",
            hint="Update PGN Studio.",
        )
    try:
        return _from_content(path, _Content.model_validate(content))
    except ValidationError as error:
        raise ClassifierError(
            f"{path.name} has damaged metadata.", hint="Save it again.", details=str(error)
        ) from error


def _from_content(path: Path, content: _Content) -> Classifier:
    if min(content.std) <= 0:
        raise ClassifierError(f"{path.name} has a std that is not positive: {content.std}.")
    weights, size = read_weights(path), content.image_size
    net, _ = fitted_network(content.arch, len(content.classes), weights, image_size=size)
    info = ClassifierInfo(
        arch=content.arch,
        classes=content.classes,
        mean=content.mean,
        std=content.std,
        image_size=content.image_size,
        channels=content.channels,
        path=str(path.resolve()),
        sha256=sha256_of_file(path),
        training=_modern_training(content.training),
        parameters=count_parameters(net),
    )
    return Classifier(net, info)


def _modern_training(training: Mapping[str, Any]) -> dict[str, Any]:
    settings = training.get("settings")
    return {**training, "settings": modern(settings)} if isinstance(settings, Mapping) else dict(training)


def saved_content(path: Path) -> dict[str, Any]:
    """What PGN Studio wrote beside the tensors; empty in files from elsewhere.

    Raises ClassifierError when the file is not safetensors, or is one of PGN Studio's other files.
    """
    with reading_safetensors(path):
        with safe_open(path, framework="pt") as opened:
            metadata = opened.metadata() or {}
        content = parse_json(metadata[_KEY]) if _KEY in metadata else _other_file_of_ours(metadata)
    if not isinstance(content, dict) or content.get("format", FORMAT) != FORMAT:
        kind = content.get("format") if isinstance(content, dict) else "damaged"
        raise ClassifierError(f"{path.name} is no classifier ({kind}).", hint="Choose a classifier's file.")
    return content


def _other_file_of_ours(metadata: Mapping[str, str]) -> dict[str, str]:
    """The format of a PGN or checkpoint, so that it is refused by name; nothing for external files."""
    return {"format": metadata["format"]} if metadata.get("format", "").startswith("pgn-studio") else {}


def count_parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())
