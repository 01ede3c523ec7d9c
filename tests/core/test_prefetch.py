"""Batches made ready ahead of time."""

from __future__ import annotations

import numpy as np
import pytest

from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.prefetch import prefetched
from pgn_studio.core.training.schedule import epoch_batches


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load_dataset(DataSettings(dataset="digits", image_size=8))


def test_prefetched_batches_come_in_order(digits: ImageDataset) -> None:
    split = digits.split("val")
    batches = epoch_batches(len(split), 50, seed=0, epoch=0)
    for indices, (images, labels) in zip(batches, prefetched(split, batches), strict=True):
        assert np.array_equal(images.numpy(), split.images(indices))
        assert np.array_equal(labels.numpy(), split.labels[indices])


def test_abandoned_prefetching_leaves_no_thread(digits: ImageDataset) -> None:
    split = digits.split("val")
    stream = prefetched(split, epoch_batches(len(split), 50, seed=0, epoch=0))
    next(stream)
    stream.close()  # type: ignore[attr-defined] # conftest fails the test if a thread stays


def test_no_batches_are_no_error(digits: ImageDataset) -> None:
    assert list(prefetched(digits.split("val"), [])) == []
