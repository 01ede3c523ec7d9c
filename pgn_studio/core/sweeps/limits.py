"""Fewer images of a data set, for trials that take minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pgn_studio.core.classifiers import balanced_subset
from pgn_studio.core.data.dataset import ImageDataset


def limited(dataset: ImageDataset, images: Mapping[str, int], *, seed: int) -> ImageDataset:
    """At most so many images of each split, class-balanced, the same ones for the same seed.

    The fingerprint stays that of the whole: the choice is in the seed and the numbers.
    """
    splits = {
        name: split.subset(balanced_subset(split.labels, images[name], seed)) if name in images else split
        for name, split in dataset.splits.items()
    }
    return replace(dataset, splits=splits)
