"""Seeded choices: which classes, and which images go to train, val and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pgn_studio.core.config import DataSettings
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


def stratified_split(
    rows: Rows, labels: Labels, fraction: float, seed: int, *, classes: Sequence[str], purpose: str
) -> tuple[Rows, Rows]:
    """Divide `rows` into (kept, held out): of each class the share `fraction` is held out.

    At least one image of a class goes to either side. A class's draw depends on the seed and on
    its own place only. Raises DataError when a class has a single image.
    """
    held = np.zeros(len(rows), dtype=bool)
    own_labels = labels[rows]
    for label, name in enumerate(classes):
        members = np.flatnonzero(own_labels == label)
        if len(members) < 2:
            raise DataError(
                f"Class {name!r} has too few images to set some aside for {purpose}: "
                f"expected at least 2 here, found {len(members)}.",
                hint=f"Add images, or a folder {purpose} with the same classes.",
            )
        count = min(max(1, round(len(members) * fraction)), len(members) - 1)
        drawn = np.random.default_rng((seed, label)).permutation(len(members))[:count]
        held[members[drawn]] = True
    return rows[~held], rows[held]


def complete_splits(
    found: Mapping[str, Rows], labels: Labels, classes: Sequence[str], settings: DataSettings
) -> dict[str, Rows]:
    """Make train, val and test of what there is; what exists is kept as it is where possible.

    Without test but with val, val is halved: a classifier trained elsewhere on these training
    images has seen neither half. Otherwise test and then val are taken out of train.
    """
    splits = dict(found)
    seed = settings.split_seed
    if "test" not in splits and "val" in splits:
        splits["val"], splits["test"] = stratified_split(
            splits["val"], labels, 0.5, seed, classes=classes, purpose="test"
        )
    if "test" not in splits:
        splits["train"], splits["test"] = stratified_split(
            splits["train"], labels, settings.test_fraction, seed, classes=classes, purpose="test"
        )
    if "val" not in splits:
        splits["train"], splits["val"] = stratified_split(
            splits["train"], labels, settings.val_fraction, seed + 1, classes=classes, purpose="val"
        )
    return {name: splits[name] for name in ("train", "val", "test")}
