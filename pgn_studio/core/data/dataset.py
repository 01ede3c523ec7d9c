"""A data set as the rest of the program sees it: named splits of labelled square images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pgn_studio.core.data.store import ImageStore, Rows
from pgn_studio.core.errors import DataError
from pgn_studio.core.protocols import Labels, UInt8Images

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
    """One split; implements protocols.LabelledImages. Subsets share the decoded images."""

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
    `notices` are sentences about what was decided while loading; every face shows them.
    """

    name: str
    root: str
    classes: tuple[str, ...]
    image_size: int
    splits: Mapping[str, Split]
    skipped: tuple[SkippedFile, ...]
    fingerprint: str
    notices: tuple[str, ...] = ()

    def split(self, name: str) -> Split:
        """The split called `name`; "validation" and "valid" mean "val". Raises DataError."""
        key = SPLIT_ALIASES.get(name.lower(), name)
        if key not in self.splits:
            there = ", ".join(self.splits)
            raise DataError(f"Data set {self.name!r} has no split {name!r}.", hint=f"It has: {there}.")
        return self.splits[key]


def assemble(
    *,
    name: str,
    root: str,
    classes: Sequence[str],
    store: ImageStore,
    labels: Labels,
    rows: Mapping[str, Rows],
    skipped: Sequence[SkippedFile] = (),
    notices: Sequence[str] = (),
) -> ImageDataset:
    """Put the parts together: `labels` (one for each row of the store), `rows` of each split."""
    return ImageDataset(
        name=name,
        root=root,
        classes=tuple(classes),
        image_size=store.image_size,
        splits={split: Split(split, store, members, labels[members]) for split, members in rows.items()},
        skipped=tuple(skipped),
        fingerprint=_fingerprint(classes, store, labels, rows),
        notices=tuple(notices),
    )


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
