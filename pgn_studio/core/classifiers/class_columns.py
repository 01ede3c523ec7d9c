"""Which of a classifier's outputs are the data set's classes: by the names that are given, or ImageNet's."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

from pgn_studio.core.advice import Advice, Argument
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.pretrained import IMAGENET_CLASSES, imagenet_categories
from pgn_studio.core.weight_files import some_names

_SYNSET = re.compile(r"(n\d{8})(?:\D.*)?")
_AMBIGUOUS = -1
_MOSTLY = 0.5  # of the classes, from which on they are taken for ImageNet's


@dataclass(frozen=True)
class Columns:
    """The outputs that are used, in the order of the data set's classes."""

    indices: tuple[int, ...]
    of: int  # outputs that there are
    notice: str


def choose_columns(
    outputs: int, classes: Sequence[str], names: Sequence[str] | None, *, origin: str
) -> Columns | None:
    """None where the outputs are the classes as they stand.

    `names` are the outputs', in their order; without them those of ImageNet are tried. Raises
    ClassifierError where some class is not among them.
    """
    if names is not None:
        return _by_names(outputs, classes, names, origin)
    known = [_imagenet_index(outputs, name) for name in classes]
    missing = [name for name, index in zip(classes, known, strict=True) if index is None or index < 0]
    if outputs == len(classes) and missing and _is_own_order(known):
        return None
    if len(missing) == len(classes):
        raise ClassifierError(
            f"{origin} has a last layer for {outputs} classes, but {len(classes)} classes were given.",
            hint=Advice(
                "Load the data set that it was trained on, or name its classes in its order with {}.",
                Argument("classes"),
            ),
        )
    if missing:
        raise ClassifierError(
            f"{origin} knows ImageNet's {outputs:,} classes. Of the data set's {len(classes)} classes"
            f" {len(classes) - len(missing)} are among them, but not {_with_doubt(outputs, missing)}.",
            hint="Name the folders by their synsets (n01440764), or leave out what ImageNet does not have.",
        )
    return _columns([index for index in known if index is not None], classes, outputs, "ImageNet's classes")


def _is_own_order(known: Sequence[int | None]) -> bool:
    """Whether as many outputs as classes are the classes as they stand: where few are called as
    ImageNet's, by chance, or those that are stand in its order."""
    odd = [number for number, index in enumerate(known) if index is not None and index != number]
    names = sum(index is not None for index in known)
    return not odd or names < _MOSTLY * len(known)


def imagenet_columns(classes: Sequence[str]) -> Columns | None:
    """Where all classes are some of ImageNet's; else None."""
    try:
        return choose_columns(IMAGENET_CLASSES, classes, None, origin="")
    except ClassifierError:
        return None


def _by_names(outputs: int, classes: Sequence[str], names: Sequence[str], origin: str) -> Columns | None:
    if len(names) != outputs:
        raise ClassifierError(
            Advice(
                "{} has {} outputs, but {} names {} classes.",
                origin,
                outputs,
                Argument("classes"),
                len(names),
            ),
            hint="Name each output, in the order in which the classifier was trained.",
        )
    known = _among(names, classes, outputs)
    missing = [name for name, index in zip(classes, known, strict=True) if index is None or index < 0]
    theirs = any(_imagenet_index(outputs, name) is not None or _synset(name) for name in names)
    if len(missing) == len(classes) and not theirs and (synsets := _synsets(outputs, classes)):
        return _columns(synsets, classes, outputs, "ImageNet's synsets, as the names given are none of them")
    if missing:
        raise ClassifierError(
            Advice(
                "The classes of {} are not the data set's: {} not among those that {} names.",
                origin,
                some_names(missing),
                Argument("classes"),
            ),
            hint="Name them as the data set does, in the order in which the classifier was trained.",
        )
    return _columns([index for index in known if index is not None], classes, outputs, "the names given")


def _columns(indices: list[int], classes: Sequence[str], outputs: int, by: str) -> Columns | None:
    if len(set(indices)) < len(indices):
        twice = next(name for name, index in zip(classes, indices, strict=True) if indices.count(index) > 1)
        raise ClassifierError(
            f"Two of the data set's classes are the same by {by}: {twice} and another one.",
            hint="Put their images into one folder.",
        )
    if indices == list(range(outputs)):
        return None
    shown = some_names((f"{name} is number {index}" for name, index in zip(classes, indices, strict=True)), 3)
    count = len(classes)
    notice = f"Of the classifier's {outputs:,} outputs the data set's {count} are used, by {by}: {shown}."
    return Columns(tuple(indices), outputs, notice)


# ---------------------------------------------------------------------- names


def _among(names: Sequence[str], classes: Sequence[str], outputs: int) -> list[int | None]:
    """Each class's number among the `names`, as written, by its synset, or by ImageNet's names for it."""
    space = outputs if _imagenet_tables(outputs) else IMAGENET_CLASSES
    tables = _tables([names, map(_folded, names)])
    synsets = _numbered((number, synset) for number, name in enumerate(names) if (synset := _synset(name)))
    meant = _numbered((number, str(_imagenet_index(space, name))) for number, name in enumerate(names))

    def among(name: str) -> int | None:
        if (found := _look_up(name, tables)) is not None:
            return found
        index = _imagenet_index(space, name)
        if index is not None and index >= 0:
            return meant.get(str(index))
        return synsets.get(_synset(name) or "")

    return [among(name) for name in classes]


def _synset(name: str) -> str | None:
    found = _SYNSET.fullmatch(name)
    return found.group(1) if found else None


def _imagenet_index(outputs: int, name: str) -> int | None:
    return _look_up(_synset(name) or name, _imagenet_tables(outputs))


def _synsets(outputs: int, classes: Sequence[str]) -> list[int]:
    """Each class's number among ImageNet's where all are called by their synsets; else none."""
    known = [_imagenet_index(outputs, name) for name in classes if _SYNSET.fullmatch(name)]
    numbers = [index for index in known if index is not None]
    return numbers if len(numbers) == len(classes) else []


def _with_doubt(outputs: int, missing: Sequence[str]) -> str:
    doubtful = [name for name in missing if _imagenet_index(outputs, name) == _AMBIGUOUS]
    text = some_names(missing, limit=8)
    return f"{text} (several of ImageNet's are called {some_names(doubtful)})" if doubtful else text


def _look_up(name: str, tables: Sequence[dict[str, int]]) -> int | None:
    for table in tables:
        for spelling in (name, _folded(name)):
            if spelling in table:
                return table[spelling]
    return None


def _tables(levels: Iterable[Iterable[str]]) -> list[dict[str, int]]:
    return [_numbered(enumerate(level)) for level in levels]


def _numbered(pairs: Iterable[tuple[int, str]]) -> dict[str, int]:
    """Each name's number; _AMBIGUOUS where it has several."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for number, name in pairs:
        numbers[name].add(number)
    return {name: own.pop() if len(own) == 1 else _AMBIGUOUS for name, own in numbers.items()}


@lru_cache(maxsize=4)
def _imagenet_tables(outputs: int) -> list[dict[str, int]]:
    """Synsets, names as torchvision has them, then with other spellings, then all of WordNet's names."""
    subset = infer_imagenet_subset({"num_classes": outputs})
    if not subset:
        return []
    info = ImageNetInfo(subset)
    numbers = range(outputs)
    synsets = [str(info.index_to_label_name(number)) for number in numbers]
    described = [str(info.index_to_description(number)) for number in numbers]
    first = [names.split(",")[0].strip() for names in described]
    usual = imagenet_categories("resnet50") if outputs == IMAGENET_CLASSES else tuple(first)
    synonyms = [(n, _folded(part)) for n, names in enumerate(described) for part in names.split(",")]
    return [*_tables([synsets, usual, map(_folded, usual), map(_folded, first)]), _numbered(synonyms)]


def _folded(name: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))
