"""A data set as the rest of the program sees it: named splits of labeled square images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.splitting import Divisible, Division
from pgn_studio.core.data.store import ImageStore, Rows
from pgn_studio.core.errors import DataError
from pgn_studio.core.protocols import Labels, PixelHashes, UInt8Images

AnySettings = TypeVar("AnySettings", bound=DataSettings)

# What people call the three splits, in lower case.
SPLIT_ALIASES = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}


@dataclass(frozen=True)
class SkippedFile:
    """A file (or folder) that was left out, by its path relative to the data set, and why."""

    path: str
    reason: str


class Split:
    """One split; implements protocols.LabeledImages. Subsets share the decoded images."""

    def __init__(self, name: str, store: ImageStore, rows: Rows, labels: Labels) -> None:
        self.name = name
        self._store = store
        self._rows = rows
        self._labels = labels
        self._labels.setflags(write=False)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def labels(self) -> Labels:
        return self._labels

    @cached_property
    def names(self) -> Sequence[str]:
        return tuple(self._store.source.name(int(row)) for row in self._rows)

    @cached_property
    def pixel_hashes(self) -> PixelHashes:
        """(len(self),): equal for exact copies of a picture, in any lossless file and under any name."""
        source = self._store.source
        return np.array([source.pixel_hash(int(row)) for row in self._rows], dtype=np.uint64)

    def images(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> UInt8Images:
        """Images (B, S, S, 3) at `indices` of this split. Raises DataError if a file has gone bad."""
        return self._store.images(self._rows[np.asarray(indices, dtype=np.int64)])

    def subset(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Split:
        chosen = np.asarray(indices, dtype=np.int64)
        return Split(self.name, self._store, self._rows[chosen], self._labels[chosen])

    def path(self, index: int) -> Path | None:
        """The file on disk, where the data set has one file for each image."""
        return self._store.source.path(int(self._rows[index]))


@dataclass(frozen=True)
class ImageDataset:
    """Splits "train", "val" and "test" of square RGB images of one size.

    `fingerprint` (SHA-256, hex) covers classes, names, labels, byte sizes and who is in which
    split, not the pixels; `root` is where the files lie, "" for data that a package brings along.
    `data_range` is the value that means white where images have more than 8 bits. `notices` are
    sentences about what was decided while loading; every face shows them. `mirrorable`: whether a
    mirrored image keeps its class; None where nobody has said it.
    """

    name: str
    root: str
    classes: tuple[str, ...]
    image_size: int
    splits: Mapping[str, Split]
    skipped: tuple[SkippedFile, ...]
    fingerprint: str
    notices: tuple[str, ...] = ()
    data_range: float | None = None
    mirrorable: bool | None = None
    division: Division = Division()
    parts: Parts | None = field(default=None, repr=False, compare=False)
    settings: DataSettings | None = field(default=None, repr=False, compare=False)  # that it was loaded with

    def split(self, name: str) -> Split:
        """The split called `name`; "validation" and "valid" mean "val". Raises DataError."""
        key = SPLIT_ALIASES.get(name.lower(), name)
        if key not in self.splits:
            there = ", ".join(self.splits)
            raise DataError(f"Data set {self.name!r} has no split {name!r}.", hint=f"It has: {there}.")
        return self.splits[key]

    def divided(self, division: Division) -> ImageDataset:
        """The same images, divided in another way where nothing says how. Raises DataError."""
        if self.parts is None or division == self.division:
            return self
        return replace(self.parts.assembled(division), settings=self.settings)

    def class_counts(self) -> npt.NDArray[np.int64]:
        """Images of each class in each split, (number of classes, number of splits)."""
        classes = len(self.classes)
        counts = [np.bincount(split.labels, minlength=classes) for split in self.splits.values()]
        return np.stack(counts, axis=1)


def settings_as_loaded(settings: AnySettings, dataset: ImageDataset) -> AnySettings:
    """`settings` that give the same images again: with what was decided while `dataset` was loaded."""
    divided = dataset.parts is not None and bool(dataset.parts.divisible.names)
    return settings.updated(
        image_size=dataset.image_size,
        data_range=dataset.data_range,
        **(asdict(dataset.division) if divided else {}),
    )


@dataclass(frozen=True)
class Parts:
    """What a data set is put together from, before its images are divided."""

    name: str
    root: str
    store: ImageStore
    divisible: Divisible
    skipped: tuple[SkippedFile, ...]
    notices: tuple[str, ...]
    data_range: float | None
    mirrorable: bool | None

    def assembled(self, division: Division) -> ImageDataset:
        labels, classes = self.divisible.labels, self.divisible.classes
        rows = self.divisible.divided(division)
        splits = {name: Split(name, self.store, members, labels[members]) for name, members in rows.items()}
        return ImageDataset(
            name=self.name,
            root=self.root,
            classes=tuple(classes),
            image_size=self.store.image_size,
            splits=splits,
            skipped=self.skipped,
            fingerprint=_fingerprint(classes, self.store, labels, rows),
            notices=(*self.notices, *_copies(splits), *_contradictions(splits, classes)),
            data_range=self.data_range,
            mirrorable=self.mirrorable,
            division=division,
            parts=self,
        )


def assemble(
    *,
    name: str,
    root: str,
    classes: Sequence[str],
    store: ImageStore,
    labels: Labels,
    found: Mapping[str, Rows],
    settings: DataSettings,
    divides_by_name: bool = False,
    data_range: float | None = None,
    skipped: Sequence[SkippedFile] = (),
    notices: Sequence[str] = (),
    mirrorable: bool | None = None,
) -> ImageDataset:
    """Put the parts together: `labels` (one for each row of the store), rows of the splits that were `found`.

    What is missing of train, val and test is divided as `settings` say, by names or by places.
    Raises DataError when a class has too few images for that.
    """
    names = [store.source.name(row) for row in range(len(labels))] if divides_by_name else ()
    divisible = Divisible(found, labels, names, tuple(classes))
    parts = Parts(name, root, store, divisible, tuple(skipped), tuple(notices), data_range, mirrorable)
    return parts.assembled(Division.of(settings))


def _copies(splits: Mapping[str, Split]) -> list[str]:
    """Which images of a later split are exact copies of an earlier one's."""
    found = []
    for earlier, later in (("train", "val"), ("train", "test"), ("val", "test")):
        ours, theirs = splits[earlier], splits[later]
        copies = np.flatnonzero(np.isin(theirs.pixel_hashes, ours.pixel_hashes))
        if not len(copies):
            continue
        first = int(copies[0])
        original = int(np.flatnonzero(ours.pixel_hashes == theirs.pixel_hashes[first])[0])
        found.append(
            f"{len(copies):,} of {len(theirs):,} images in {later} are exact copies of images in {earlier}, "
            f"such as {theirs.names[first]} of {ours.names[original]}: figures on {later} flatter."
        )
    return found


def _contradictions(splits: Mapping[str, Split], classes: Sequence[str]) -> list[str]:
    """How many images are exact copies of one of another class, in whatever split."""
    hashes = np.concatenate([split.pixel_hashes for split in splits.values()])
    labels = np.concatenate([split.labels for split in splits.values()])
    _, picture, copies = np.unique(hashes, return_inverse=True, return_counts=True)
    of_several = np.flatnonzero(copies[picture] > 1)
    order = of_several[np.lexsort((labels[of_several], picture[of_several]))]
    differ = (np.diff(picture[order]) == 0) & (np.diff(labels[order]) != 0)
    contradicted = np.isin(picture, picture[order[1:][differ]])
    if not contradicted.any():
        return []
    first = int(np.flatnonzero(contradicted)[0])
    other = int(np.flatnonzero((picture == picture[first]) & (labels != labels[first]))[0])
    names = [name for split in splits.values() for name in split.names]
    return [
        f"{np.count_nonzero(contradicted):,} images have exact copies under another class, such as "
        f"{names[first]} ({classes[labels[first]]}) and {names[other]} ({classes[labels[other]]}): their "
        "labels contradict each other."
    ]


def _fingerprint(classes: Sequence[str], store: ImageStore, labels: Labels, rows: Mapping[str, Rows]) -> str:
    source = store.source
    digest = hashlib.sha256("\n".join(classes).encode("utf-8", "surrogateescape"))
    for split, members in rows.items():
        lines = [f"\n{split}"]
        lines += [
            f"{source.name(row)}\t{label}\t{source.byte_size(row)}"
            for row, label in zip(members.tolist(), labels[members].tolist(), strict=True)
        ]
        digest.update("\n".join(lines).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
