"""Arrays as data sets: names, scaling, caching, subsets."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.arrays import ArrayPart, ArraySource, load_arrays
from pgn_studio.core.data.dataset import ImageDataset

COLORS = ["red", "green", "blue"]


@pytest.fixture
def parts() -> list[ArrayPart]:
    """12 training and 6 test images, 8x8, of one value: their number in all."""
    values = np.arange(18, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2).repeat(3, 3)
    labels = np.arange(18) % 3
    return [ArrayPart("train", values[:12], labels[:12]), ArrayPart("test", values[12:], labels[12:])]


def load(parts: list[ArrayPart], image_size: int = 8, **settings: int) -> ImageDataset:
    return load_arrays("colors", parts, COLORS, DataSettings.make(**settings), root="", image_size=image_size)


@pytest.mark.parametrize("size", [8, 13])
def test_rows_of_both_parts_are_found(parts: list[ArrayPart], size: int) -> None:
    dataset = load(parts, size)
    test = dataset.split("test")
    assert test.names == tuple(f"test/{index:05d}" for index in range(6))
    for _ in range(2):
        assert (test.images([5, 0]) == np.array([17, 12])[:, None, None, None]).all()
    assert test.images([5, 0]).shape == (2, size, size, 3)
    assert test.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert test.path(0) is None
    assert len(dataset.split("train")) + len(dataset.split("val")) == 12


def test_arrays_at_their_own_size_are_not_copied_into_the_cache(parts: list[ArrayPart]) -> None:
    assert ArraySource(parts, 8, Image.Resampling.BICUBIC).resident
    assert not ArraySource(parts, 9, Image.Resampling.BICUBIC).resident
    pixels = load(parts).split("test").images([0])
    pixels[:] = 99
    assert parts[1].pixels[0].max() == 12


def test_gray_becomes_rgb() -> None:
    gray = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
    source = ArraySource([ArrayPart("train", gray, np.zeros(1, dtype=np.int64))], 8, Image.Resampling.BICUBIC)
    assert np.array_equal(source.read(0), np.stack([gray[0]] * 3, axis=2))


def test_a_subset_of_classes_gets_new_labels(parts: list[ArrayPart]) -> None:
    dataset = load(parts, num_classes=2, class_seed=0)
    first, second = (COLORS.index(title) for title in dataset.classes)
    test = dataset.split("test")
    numbers = test.images(np.arange(4))[:, 0, 0, 0]
    assert (numbers % 3).tolist() == [first if label == 0 else second for label in test.labels]


def test_the_fingerprint_knows_the_subset(parts: list[ArrayPart]) -> None:
    assert load(parts).fingerprint == load(parts, 16).fingerprint
    assert load(parts).fingerprint != load(parts, num_classes=2).fingerprint
