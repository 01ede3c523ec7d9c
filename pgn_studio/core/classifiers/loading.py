"""One door for every kind of classifier: our files, external weights, exported programs, names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from pgn_studio.core.advice import Advice, Argument
from pgn_studio.core.architectures import architectures_called, fixed_size, suitable_size
from pgn_studio.core.class_names import composed
from pgn_studio.core.classifiers.blackbox.access import Access
from pgn_studio.core.classifiers.blackbox.onnx import onnx_image_size
from pgn_studio.core.classifiers.blackbox.opening import open_black_box
from pgn_studio.core.classifiers.class_columns import Columns, choose_columns, imagenet_columns
from pgn_studio.core.classifiers.classifier import Classifier, ClassifierInfo, check_classes
from pgn_studio.core.classifiers.exported import (
    ArchiveKind,
    archive_kind,
    exported_image_size,
    read_exported_program,
    read_torchscript,
)
from pgn_studio.core.classifiers.guessing import guess_architecture
from pgn_studio.core.classifiers.networks import (
    build_network,
    check_image_size,
    default_image_size,
    default_normalization,
    fitted_network,
    network_plan,
)
from pgn_studio.core.classifiers.programs.network import ExportedNetwork, Program
from pgn_studio.core.classifiers.programs.probing import network_of
from pgn_studio.core.classifiers.saved import (
    count_parameters,
    read_saved_classifier,
    saved_content,
)
from pgn_studio.core.classifiers.small_cnn import SMALL
from pgn_studio.core.classifiers.source import CLASSIFIERS, ClassifierRequest, ClassifierSource, scheme_of
from pgn_studio.core.config import ChannelOrder, names_file
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.external_classifier import external_facts
from pgn_studio.core.files import sha256_of_file
from pgn_studio.core.plugins import PluginError
from pgn_studio.core.pretrained import (
    IMAGENET_CLASSES,
    Triple,
    imagenet_categories,
    imagenet_weights,
    weights_for,
)
from pgn_studio.core.weight_files import WeightsFile, read_weights
from pgn_studio.core.weight_fitting import WrongArchitectureError, fit_weights

_ARCH_SCHEME = "arch:"
_ARCH_AND_WEIGHTS = re.compile(r"((?:(?:timm|torchvision):)?[^:]+)(:none|:pretrained)?")
_PROGRAM_SIZE = 224  # where a program does not say the image size that it was exported with


def load_classifier(
    source: str | Path,
    *,
    classes: Sequence[str] | None = None,
    arch: str | None = None,
    image_size: int | None = None,
    mean: Triple | None = None,
    std: Triple | None = None,
    channels: ChannelOrder | None = None,
    access: Access | None = None,
) -> Classifier:
    """Load a classifier, frozen. No code from a file is run.

    `source` is a file that PGN Studio saved (which knows all the rest), external weights in a .safetensors
    file or a checkpoint of torch.save (`arch` and `classes` needed; where the weights know more classes,
    by the names in `access` or ImageNet's, the outputs of `classes` are used), a .pt2 exported program
    or TorchScript file (`classes` needed; it is given pixels in [0, 1] unless `mean` and `std` say
    otherwise),
    "arch:NAME" (random weights, for trials) or "arch:NAME:pretrained" (ImageNet's 1,000 classes);
    or a black box, asked as `access` says (`classes` needed): an .onnx file, http://host/path, or
    python:module:function, whose code runs only where `access` trusts it; or what a plug-in
    names before a colon.
    What is not given comes from the architecture's published weights, and from a file of ours itself:
    of such a file `mean`, `std` and `channels` replace its own. Raises ClassifierError.
    """
    request = ClassifierRequest(classes, arch, image_size, mean, std, channels, access or Access())
    name = scheme_of(str(source))
    kind = CLASSIFIERS.load(name)
    with CLASSIFIERS.blaming(name):
        classifier = kind().load(str(source), request)
    if not isinstance(classifier, Classifier):
        raise PluginError(f"{name}: must load a Classifier, got {type(classifier).__name__}.")
    asked = None if access is None or access == Access() else access.to_json()
    told = external_facts(arch=arch, mean=mean, std=std, channels=channels, access=asked)
    classifier.info = replace(classifier.info, told=told)
    return classifier


class FromFile(ClassifierSource):
    """A file of ours, external weights, an exported program, or an ONNX file."""

    def load(self, source: str, request: ClassifierRequest) -> Classifier:
        if source.lower().endswith(".onnx"):
            return _black_box(source, request)
        path = Path(source).expanduser()
        if not path.is_file():
            raise ClassifierError(f"There is no classifier file {path}.", hint="Check the path.")
        if path.suffix == ".safetensors":
            content = saved_content(path)
            return _from_ours(path, content, request) if content else _from_state_dict(path, request)
        kind = archive_kind(path)
        return _from_state_dict(path, request) if kind == "other" else _from_program(path, kind, request)


class FromName(ClassifierSource):
    """arch:NAME with random weights, or arch:NAME:pretrained."""

    def load(self, source: str, request: ClassifierRequest) -> Classifier:
        return _from_name(source.removeprefix(_ARCH_SCHEME), request)


class FromOracle(ClassifierSource):
    """An address or trusted code that is asked for answers."""

    def load(self, source: str, request: ClassifierRequest) -> Classifier:
        return _black_box(source, request)


def is_saved_by_us(source: str) -> bool:
    """Whether it is a file that says its classes, image size and normalization itself."""
    path = Path(source).expanduser()
    ours = names_file(source) and path.suffix == ".safetensors" and path.is_file()
    return ours and bool(saved_content(path))


def own_image_size(source: str, arch: str | None = None) -> int | None:
    """The side in px of the only images that a classifier takes; None where it takes any, or does not say."""
    path = Path(source).expanduser()
    if source.lower().endswith(".onnx"):
        return onnx_image_size(path)
    if name := network_name(source, arch):
        return fixed_size(name)
    ours_or_weights = path.suffix == ".safetensors" or not names_file(source) or not path.is_file()
    return None if ours_or_weights else exported_image_size(path)


def suitable_image_size(source: str, arch: str | None, size: int) -> int:
    """`size`, or where the classifier's network does not take such images the size that it was made for."""
    name = network_name(source, arch)
    return size if name is None else suitable_size(name, size)


def network_name(source: str, arch: str | None) -> str | None:
    """What the source names, or `arch` where it is weights; None of the small one, which fits any size."""
    found = _ARCH_AND_WEIGHTS.fullmatch(source.removeprefix(_ARCH_SCHEME))
    if source.startswith(_ARCH_SCHEME):
        arch = found.group(1) if found else None
    return None if arch == SMALL else arch


def _from_ours(path: Path, content: Mapping[str, Any], request: ClassifierRequest) -> Classifier:
    if request.names is not None:
        raise ClassifierError(
            Advice(
                "{} says its classes itself: {} is for other programs' files.", path.name, Argument("classes")
            ),
            hint="Leave it out.",
        )
    classifier = read_saved_classifier(path, {**content, **request.normalization})
    if request.classes is not None:
        check_classes(classifier, request.classes)
    return classifier


def _black_box(source: str, request: ClassifierRequest) -> Classifier:
    return open_black_box(
        source,
        classes=request.needed_classes(source),
        image_size=request.image_size,
        mean=request.mean,
        std=request.std,
        channels=request.channels,
        access=request.access,
    )


def _info(
    request: ClassifierRequest,
    net: nn.Module,
    arch: str,
    classes: Sequence[str],
    path: Path | None,
    notices: tuple[str, ...] = (),
) -> ClassifierInfo:
    mean, std = default_normalization(arch)
    return ClassifierInfo(
        arch=arch,
        classes=tuple(classes),
        mean=request.mean or mean,
        std=request.std or std,
        image_size=request.image_size or default_image_size(arch),
        path=str(path.resolve()) if path else "",
        sha256=sha256_of_file(path) if path else "",
        parameters=count_parameters(net),
        channels=request.channels or "rgb",
        notices=notices,
    )


def _from_state_dict(path: Path, request: ClassifierRequest) -> Classifier:
    weights, arch = read_weights(path), request.arch
    if arch is None:
        guess = guess_architecture(weights)
        raise ClassifierError(
            f"{path.name} holds weights only, which do not say their architecture.",
            hint=Advice(
                "{}Name it ({}), and the classes in their order ({}).",
                _guess_hint(weights),
                Argument("classifier_arch", None if guess is None else guess[0]),
                Argument("classes"),
            ),
        )
    classes = request.needed_classes(path.name)
    names = [SMALL] if arch == SMALL else [found.name for found in architectures_called(arch)]
    problem: WrongArchitectureError | None = None
    for name in names:
        said: tuple[str, ...] = ()
        if problem is not None:
            said = (f"These weights are for timm's {arch}; torchvision has another network of that name.",)
        try:
            return _with_weights(name, weights, classes, path, request, said)
        except WrongArchitectureError as error:
            problem = problem or error
    assert problem is not None
    raise ClassifierError(problem.message, hint=_guess_hint(weights) or problem.hint) from problem


def _with_weights(
    arch: str,
    weights: WeightsFile,
    classes: tuple[str, ...],
    path: Path | None,
    request: ClassifierRequest,
    said: tuple[str, ...] = (),
) -> Classifier:
    size = request.image_size or default_image_size(arch)
    weights = weights_for(arch, weights)
    plan = network_plan(arch, len(classes), image_size=size)
    outputs = fit_weights(plan, weights, any_outputs=True).outputs
    check_image_size(arch, size)
    columns = _columns(outputs, classes, request.names, origin=weights.name)
    net, notices = fitted_network(arch, len(classes), weights, image_size=size, columns=columns)
    chosen = () if columns is None else (columns.notice,)
    return Classifier(net, _info(request, net, arch, classes, path, (*said, *notices, *chosen)))


def _columns(
    outputs: int, classes: Sequence[str], names: Sequence[str] | None, *, origin: str
) -> Columns | None:
    """`choose_columns`; disks and programs spell one name in several Unicode forms."""
    alike = None if names is None else [composed(name) for name in names]
    return choose_columns(outputs, [composed(name) for name in classes], alike, origin=origin)


def _guess_hint(weights: WeightsFile) -> str:
    guess = guess_architecture(weights)
    return "" if guess is None else f"They fit {guess[0]}, with {guess[1]} classes. "


def _from_program(path: Path, kind: ArchiveKind, request: ClassifierRequest) -> Classifier:
    classes = request.needed_classes(path.name)
    program = read_exported_program(path) if kind == "exported-program" else read_torchscript(path)
    image_size = request.image_size or program.image_size or _PROGRAM_SIZE
    net, columns = _probed(program, classes, request.names, image_size, name=path.name)
    if net.form.takes_bytes and request.normalization:
        raise ClassifierError(f"{path.name} takes bytes: no mean, std or channel order fits there.")
    info = ClassifierInfo(
        arch=kind,
        classes=classes,
        mean=request.mean or (0.0, 0.0, 0.0),
        std=request.std or (1.0, 1.0, 1.0),
        image_size=image_size,
        path=str(path.resolve()),
        sha256=sha256_of_file(path),
        parameters=count_parameters(net),
        channels=request.channels or "rgb",
        facts=net.facts,
        notices=net.notices if columns is None else (*net.notices, columns.notice),
    )
    return Classifier(net, info)


def _probed(
    program: Program, classes: Sequence[str], names: Sequence[str] | None, image_size: int, *, name: str
) -> tuple[ExportedNetwork, Columns | None]:
    """The program as a network of the `classes`, and which of its outputs these are."""
    if names is not None:
        net = network_of(program, len(names), image_size, name=name)
        columns = _columns(len(names), classes, names, origin=name)
    else:
        net, columns = _with_own_outputs(program, classes, image_size, name=name)
    net.columns = None if columns is None else columns.indices
    return net, columns


def _with_own_outputs(
    program: Program, classes: Sequence[str], image_size: int, *, name: str
) -> tuple[ExportedNetwork, Columns | None]:
    """With as many outputs as there are classes, or with ImageNet's, of which the classes are some."""
    try:
        net = network_of(program, len(classes), image_size, name=name)
    except ClassifierError as error:
        columns = imagenet_columns(classes)
        if columns is None:
            raise
        try:
            return network_of(program, IMAGENET_CLASSES, image_size, name=name), columns
        except ClassifierError:
            raise error from None
    return net, choose_columns(len(classes), classes, None, origin=name)


def _from_name(text: str, request: ClassifierRequest) -> Classifier:
    found = _ARCH_AND_WEIGHTS.fullmatch(text)
    if found is None:
        raise ClassifierError(
            f"Expected arch:NAME or arch:NAME:pretrained, got {_ARCH_SCHEME}{text}.",
            hint="For weights in a file, give the file and name its architecture.",
        )
    arch, pretrained = found.group(1), found.group(2) == ":pretrained"
    if pretrained:
        check_image_size(arch, request.image_size or default_image_size(arch))  # before a download
        classes = tuple(request.classes) if request.classes else imagenet_categories(arch)
        return _with_weights(arch, imagenet_weights(arch), classes, None, request)
    classes = request.needed_classes(arch)
    size = request.image_size or default_image_size(arch)
    check_image_size(arch, size)
    net = build_network(arch, len(classes), image_size=size)
    return Classifier(net, _info(request, net, arch, classes, None))
