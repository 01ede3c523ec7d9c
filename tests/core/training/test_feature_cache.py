"""What frozen networks say of an image: computed once, the same as ever."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.training import feature_cache
from pgn_studio.core.training.feature_cache import FeatureCache
from pgn_studio.core.training.loader import Loader, feature_cache_for

CPU = torch.device("cpu")


class Counting:
    """Doubles the pixels, and counts how many images it was asked about."""

    def __init__(self) -> None:
        self.looked = 0

    def __call__(self, pixels: Tensor) -> Tensor:
        self.looked += len(pixels)
        return 2 * pixels


def loader(dataset: ImageDataset, compute: Callable[[Tensor], Tensor], **changes: Any) -> Loader:
    input_mixup = changes.pop("input_mixup", 0.0)
    settings = TrainingSettings.make(**{"classifier": "c", "batch_size": 16, "augment": "flip", **changes})
    split = dataset.split("train")
    encoded = feature_cache_for(split, compute, settings)
    return Loader(
        split, settings, encoded=encoded, outputs=compute, seed=3, input_mixup=input_mixup, device=CPU
    )


def test_what_is_kept_is_what_the_pixels_give(digits: ImageDataset) -> None:
    generator = Generator(encoder="small", image_size=digits.image_size, encoder_trained=False).eval()
    made = loader(digits, generator.encode)
    for epoch in range(3):
        for batch in made.epoch(epoch):
            assert batch.encoded is not None
            assert batch.outputs is not None
            torch.testing.assert_close(batch.encoded, generator.encode(batch.pixels), rtol=1e-5, atol=1e-6)


def test_mixed_images_are_always_others(digits: ImageDataset) -> None:
    batch = next(loader(digits, Counting(), input_mixup=0.3).epoch(0))
    assert batch.outputs is None
    assert batch.encoded is not None


@pytest.mark.parametrize("changes", ["standard", "strong"])
def test_nothing_is_kept_of_images_that_always_differ(digits: ImageDataset, changes: str) -> None:
    counting = Counting()
    batch = next(loader(digits, counting, augment=changes).epoch(0))
    assert batch.encoded is None
    assert batch.outputs is None
    assert counting.looked == 0


def test_each_image_and_its_mirror_image_is_asked_about_once() -> None:
    counting = Counting()
    memory = FeatureCache(counting, images=40, most_bytes=10**8)
    pixels, rows = torch.rand(40, 3, 16, 16), np.arange(40)
    straight, mirrored = torch.zeros(40, dtype=torch.bool), torch.ones(40, dtype=torch.bool)
    first = memory(pixels, rows, straight)
    assert counting.looked == 40
    again = memory(pixels, rows, straight)
    assert counting.looked == 40
    assert first is not None
    assert again is not None
    assert torch.equal(first, 2 * pixels)
    assert torch.equal(again, 2 * pixels)
    flipped = memory(pixels.flip(-1), rows, mirrored)
    assert counting.looked == 80
    assert flipped is not None
    assert torch.equal(flipped, 2 * pixels.flip(-1))
    memory(pixels[[7, 3]], rows[[7, 3]], straight[:2])
    assert counting.looked == 80


def test_the_company_an_image_came_in_changes_no_bit_of_it() -> None:
    torch.manual_seed(0)
    generator = Generator(encoder="small", image_size=16, encoder_trained=False).eval()
    pixels, rows = torch.rand(40, 3, 16, 16), np.arange(40)

    def of_image_5(*groups: slice) -> Tensor:
        memory = FeatureCache(generator.encode, images=40, most_bytes=10**8)
        for group in groups:
            memory(pixels[group], rows[group], None)
        found = memory(pixels[5:6], rows[5:6], None)
        assert found is not None
        return found

    alone = of_image_5()
    assert torch.equal(alone, of_image_5(slice(0, 40)))
    assert torch.equal(alone, of_image_5(slice(0, 5), slice(3, 9)))


def test_nothing_is_kept_where_it_would_not_fit() -> None:
    memory = FeatureCache(Counting(), images=10**6, most_bytes=10**8)
    assert memory(torch.rand(4, 3, 16, 16), np.arange(4), None) is None


def test_of_a_gpu_s_memory_no_more_than_a_quarter_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (4000, 10**9))
    assert feature_cache._spare(torch.device("cuda")) == 1000
    assert feature_cache._spare(torch.device("cpu")) == math.inf
    monkeypatch.setattr(feature_cache, "_spare", lambda device: 1000)
    memory = FeatureCache(Counting(), images=100, most_bytes=10**8)
    assert memory(torch.rand(4, 3, 16, 16), np.arange(4), None) is None
