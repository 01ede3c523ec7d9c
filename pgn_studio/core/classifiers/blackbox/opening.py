"""From a name to a black box that has answered once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pgn_studio.core.advice import Advice, Argument, Setting
from pgn_studio.core.classifiers.blackbox.access import Access
from pgn_studio.core.classifiers.blackbox.classifier import BlackBoxClassifier, Oracle, to_bytes
from pgn_studio.core.classifiers.blackbox.http import HttpOracle
from pgn_studio.core.classifiers.blackbox.meter import QueryMeter
from pgn_studio.core.classifiers.blackbox.onnx import OnnxOracle
from pgn_studio.core.classifiers.blackbox.outputs import OutputReader
from pgn_studio.core.classifiers.blackbox.python_callable import CallableOracle
from pgn_studio.core.classifiers.class_columns import choose_columns, imagenet_columns
from pgn_studio.core.classifiers.classifier import ClassifierInfo
from pgn_studio.core.classifiers.outputs import (
    IN_TRAINING_MODE,
    LIKE_SIGMOIDS,
    SAME_FOR_ALL,
    SORTED,
    SORTED_HINT,
)
from pgn_studio.core.classifiers.programs.probing import more_probes
from pgn_studio.core.config import HTTP_SCHEMES, PYTHON_SCHEME, ChannelOrder
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.files import sha256_of_file
from pgn_studio.core.pretrained import IMAGENET_CLASSES, Triple

_SIZE = 224  # where nothing says another
_SAME_FILE, _SAME = 0.01, 0.02  # shares of the largest score: half precision; digits that a server leaves out


@dataclass(frozen=True)
class _Opened:
    oracle: Oracle
    kind: str
    path: str
    sha256: str = ""
    image_size: int | None = None
    classes: tuple[str, ...] | None = None  # as the file itself names them
    facts: Mapping[str, str] = field(default_factory=dict)
    outputs: int | None = None  # scores that it gives for an image, where the file says it


def open_black_box(
    source: str,
    *,
    classes: Sequence[str],
    image_size: int | None,
    mean: Triple | None,
    std: Triple | None,
    channels: ChannelOrder | None,
    access: Access,
) -> BlackBoxClassifier:
    """`source` is an .onnx file, http(s)://… or python:module:function; `classes` the data set's.

    `mean`, `std` and `channels` are for ONNX files alone. Raises ClassifierError when it cannot be
    opened or its first answers are of no use, ConfigError when it is code that is not trusted.
    """
    opened = _open(source, mean, std, channels, access, len(access.classes or classes))
    own, told = _own_classes(opened, classes, access)
    if opened.image_size and image_size and opened.image_size != image_size:
        raise ClassifierError(
            f"{opened.oracle.name} takes images of {opened.image_size} px, not of {image_size} px.",
            hint=Advice("Use {}.", Setting("image_size", opened.image_size)),
        )
    size = opened.image_size or image_size or _SIZE
    info = ClassifierInfo(
        arch=opened.kind,
        classes=tuple(classes),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        image_size=size,
        path=opened.path,
        sha256=opened.sha256,
    )
    reader = OutputReader(opened.oracle.name, classes, own)
    meter = QueryMeter(access.budget, access.per_second)
    classifier = BlackBoxClassifier(opened.oracle, info, reader=reader, meter=meter)
    apart = classifier.check(size)
    facts = {**opened.facts, "Output": classifier.output}
    classifier.info = replace(info, facts=facts, notices=(*told, *_notices(classifier, opened, apart)))
    return classifier


def _own_classes(
    opened: _Opened, classes: Sequence[str], access: Access
) -> tuple[Sequence[str] | None, tuple[str, ...]]:
    """Those of the black box, in its order, as far as they are known, and what was taken for them."""
    own = access.classes or opened.classes
    if own is not None or opened.outputs is None:
        return own, ()
    if opened.outputs == len(classes):
        columns = choose_columns(opened.outputs, classes, None, origin=opened.oracle.name)
    else:
        columns = imagenet_columns(classes) if opened.outputs == IMAGENET_CLASSES else None
    if columns is None:
        return None, ()
    names = [f"ImageNet's number {number}" for number in range(IMAGENET_CLASSES)]
    for number, name in zip(columns.indices, classes, strict=True):
        names[number] = name
    return names, (columns.notice,)


def _notices(classifier: BlackBoxClassifier, opened: _Opened, apart: float) -> Iterator[str]:
    """`apart`: how far two answers about one image are. Raises ClassifierError for a file that guesses."""
    name = opened.oracle.name
    if opened.kind == "onnx" and apart > _SAME_FILE:
        raise ClassifierError(
            f"{name} answers differently about the same image again, or when it comes with others: it was"
            " exported in training mode.",
            hint=IN_TRAINING_MODE,
        )
    if classifier.are_sorted and opened.kind == "onnx":
        if classifier.sorts(to_bytes(more_probes(classifier.info.image_size))):
            raise ClassifierError(f"{name} {SORTED}.", hint=SORTED_HINT)
    elif classifier.are_sorted:
        yield f"It seems that {name} {SORTED}."
    if classifier.are_alike:
        yield SAME_FOR_ALL
    if apart > _SAME:
        yield f"{name} answers differently about the same image again: its figures depend on chance."
    if classifier.output != "logits" and classifier.gives_scores:
        yield f"The classifier {classifier.output}."
    if classifier.like_sigmoids:
        yield LIKE_SIGMOIDS
    if "Gray" in opened.facts:
        yield "The classifier takes one channel: it is given the luminance of each image."


def _open(
    source: str,
    mean: Triple | None,
    std: Triple | None,
    channels: ChannelOrder | None,
    access: Access,
    num_classes: int,
) -> _Opened:
    if not source.startswith((*HTTP_SCHEMES, PYTHON_SCHEME)):
        path = Path(source).expanduser()
        onnx = OnnxOracle(path, mean=mean, std=std, channels=channels, num_classes=num_classes)
        place = str(path.resolve())
        sha256, size = sha256_of_file(path), onnx.image_size
        return _Opened(onnx, "onnx", place, sha256, size, onnx.classes, onnx.facts, onnx.outputs)
    if not (mean is None and std is None and channels is None):
        raise ClassifierError(
            f"{source} is given 8-bit images: mean, std and channel order belong to ONNX files.",
            hint=Advice(
                "Leave out {}, {} and {}.",
                Argument("classifier_mean"),
                Argument("classifier_std"),
                Argument("classifier_channels"),
            ),
        )
    if source.startswith(PYTHON_SCHEME):
        return _Opened(CallableOracle(source.removeprefix(PYTHON_SCHEME), access), "python", source)
    return _Opened(HttpOracle(source, access), "http", source)
