"""Seeded choices: which classes, and which images go to train, val and test."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from typing_extensions import Self

from pgn_studio.core.config import LEGACY_SPLIT, DataSettings, SplitMethod
from pgn_studio.core.data.store import Rows
from pgn_studio.core.errors import DataError
from pgn_studio.core.protocols import Labels


def choose_classes(names: Sequence[str], settings: DataSettings) -> list[str]:
    """All of `names`, or `num_classes` of them drawn by the class seed, in the order given.

    Raises DataError when there are fewer, or fewer than two.
    """
    if len(names) < 2:
        found = f"only {names[0]!r}" if names else "none"
        raise DataError(
            f"Expected at least two classes, found {found}.",
            hint="Put each class into a folder of its own: class/… or train/class/….",
        )
    wanted = settings.num_classes
    if wanted is None:
        return list(names)
    if wanted > len(names):
        raise DataError(
            f"Expected at least {wanted} classes to choose from, found {len(names)}.",
            hint=f"Ask for {len(names)} classes at most.",
        )
    chosen = np.random.default_rng(settings.class_seed).choice(len(names), wanted, replace=False)
    return [names[index] for index in sorted(chosen.tolist())]


@dataclass(frozen=True)
class Division:
    """How images are divided where the data set says nothing; the fields are settings."""

    split_method: SplitMethod = "hash"
    split_seed: int = 0
    val_fraction: float = 0.15
    test_fraction: float = 0.2

    @classmethod
    def of(cls, settings: DataSettings) -> Self:
        return cls(settings.split_method, settings.split_seed, settings.val_fraction, settings.test_fraction)

    @classmethod
    def recorded(cls, settings: Mapping[str, Any]) -> Self:
        """As a classifier's file or a run tells its settings."""
        data = {name: settings[name] for name in DataSettings.model_fields if name in settings}
        return cls.of(DataSettings.make(**{"split_method": LEGACY_SPLIT, **data}))


@dataclass(frozen=True)
class Divisible:
    """What a division needs to know: the splits that were found, and each image's label and name."""

    found: Mapping[str, Rows]
    labels: Labels  # (number of images,)
    names: Sequence[str]  # relative to the data set; empty where only the order tells images apart
    classes: Sequence[str]

    def divided(self, division: Division) -> dict[str, Rows]:
        """Make train, val and test of what there is; what exists is kept as it is where possible.

        Without test but with val, val is halved: a classifier trained elsewhere on these training
        images has seen neither half. Otherwise test and then val are taken out of train. Raises
        DataError when a class has too few images.
        """
        splits = dict(self.found)
        if "test" not in splits and "val" in splits:
            splits["val"], splits["test"] = self._held_out(splits["val"], 0.5, division, purpose="test")
        if "test" not in splits:
            share = division.test_fraction
            splits["train"], splits["test"] = self._held_out(
                splits["train"], share, division, purpose="test", left=2
            )
        if "val" not in splits:
            share = division.val_fraction
            splits["train"], splits["val"] = self._held_out(splits["train"], share, division, purpose="val")
        return {name: splits[name] for name in ("train", "val", "test")}

    def _held_out(
        self, rows: Rows, share: float, division: Division, *, purpose: str, left: int = 1
    ) -> tuple[Rows, Rows]:
        """(kept, held out) of `rows`: of each class about `share`, one at least and `left` less at most."""
        _check_divisible(rows, self.labels, self.classes, purpose)
        seed = division.split_seed + (purpose == "val")
        if division.split_method == "permutation" or not self.names:
            return permuted_split(rows, self.labels, share, seed, classes=len(self.classes))
        salt = f"{division.split_seed} {purpose}"
        return hashed_split(rows, self.labels, self.names, share, salt, left=left)


def hashed_split(
    rows: Rows, labels: Labels, names: Sequence[str], fraction: float, salt: str, *, left: int = 1
) -> tuple[Rows, Rows]:
    """Divide `rows` into (kept, held out) by a hash of each image's name: nothing else decides.

    So files that come or go move no other file to another side. About `fraction` of each class is
    held out; where chance leaves a small class with none of it held out, or fewer than `left` kept,
    the nearest images change sides.
    """
    chance = np.array([_chance(names[row], salt) for row in rows.tolist()])
    held = chance < fraction
    own_labels = labels[rows]
    for label in np.unique(own_labels):
        members = np.flatnonzero(own_labels == label)
        nearest = members[np.argsort(chance[members])]
        most = max(1, len(members) - left)
        count = min(max(1, int(held[members].sum())), most)
        held[nearest[:count]], held[nearest[count:]] = True, False
    return rows[~held], rows[held]


def _chance(name: str, salt: str) -> float:
    """0…1, the same for a name in whatever Unicode form a disk keeps it."""
    text = f"{salt}\n{unicodedata.normalize('NFC', name)}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest(), "big") / 2**56


def permuted_split(
    rows: Rows, labels: Labels, fraction: float, seed: int, *, classes: int
) -> tuple[Rows, Rows]:
    """Divide `rows` into (kept, held out) by a permutation of each class's count.

    For data sets whose count never changes, and for runs and classifiers that were divided so. A
    class's draw depends on the seed and on its own place only.
    """
    held = np.zeros(len(rows), dtype=bool)
    own_labels = labels[rows]
    for label in range(classes):
        members = np.flatnonzero(own_labels == label)
        count = min(max(1, round(len(members) * fraction)), len(members) - 1)
        drawn = np.random.default_rng((seed, label)).permutation(len(members))[:count]
        held[members[drawn]] = True
    return rows[~held], rows[held]


def _check_divisible(rows: Rows, labels: Labels, classes: Sequence[str], purpose: str) -> None:
    counts = np.bincount(labels[rows], minlength=len(classes))
    for name, count in zip(classes, counts.tolist(), strict=True):
        if count < 2:
            raise DataError(
                f"Class {name!r} has too few images to set some aside for {purpose}: "
                f"expected at least 2 here, found {count}.",
                hint=f"Add images, or a folder {purpose} with the same classes.",
            )
