"""Features of a frozen encoder: computed once, the same as ever, and never for one that moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.device import Machine
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.training.encoded import encoded_images
from pgn_studio.core.training.feed import Feed

CPU = Machine(torch.device("cpu"), "fp32")


class Counting:
    """Counts how many images the encoder looked at."""

    def __init__(self, generator: Generator) -> None:
        self.looked = 0
        self._feature_map = generator.encoder.feature_map
        generator.encoder.feature_map = self  # type: ignore[assignment,method-assign]

    def __call__(self, normalized: Tensor) -> Tensor:
        self.looked += len(normalized)
        return self._feature_map(normalized)


@pytest.fixture
def frozen() -> Generator:
    torch.manual_seed(0)
    return Generator(encoder="small", image_size=16, encoder_trained=False).eval()


def feed(dataset: ImageDataset, generator: Generator, **changes: Any) -> Feed:
    settings = TrainingSettings.make(**{"classifier": "c", "batch_size": 16, "augment": "flip", **changes})
    return Feed(dataset.split("train"), settings, generator, seed=3, blend=0.3, machine=CPU)


def test_features_are_those_of_the_pixels(digits: ImageDataset) -> None:
    generator = Generator(encoder="small", image_size=digits.image_size, encoder_trained=False).eval()
    made = feed(digits, generator)
    for epoch in range(3):
        for batch in made.epoch(epoch):
            assert batch.encoded is not None
            torch.testing.assert_close(batch.encoded, generator.encode(batch.pixels), rtol=1e-5, atol=1e-6)


def test_each_image_and_its_mirror_image_is_encoded_once(frozen: Generator) -> None:
    counting = Counting(frozen)
    encoded = encoded_images(frozen, images=40, changes="flip", machine=CPU, most_mb=100)
    assert encoded is not None
    pixels, rows = torch.rand(40, 3, 16, 16), np.arange(40)
    straight, mirrored = torch.zeros(40, dtype=torch.bool), torch.ones(40, dtype=torch.bool)
    encoded(pixels, rows, straight)
    assert counting.looked == 40
    encoded(pixels, rows, straight)
    assert counting.looked == 40
    encoded(pixels.flip(-1), rows, mirrored)
    assert counting.looked == 80
    encoded(pixels[[7, 3]], rows[[7, 3]], straight[:2])
    assert counting.looked == 80


def test_the_company_an_image_came_in_changes_no_bit_of_it(frozen: Generator) -> None:
    pixels, rows = torch.rand(40, 3, 16, 16), np.arange(40)

    def of_image_5(*groups: slice) -> Tensor:
        encoded = encoded_images(frozen, images=40, changes="none", machine=CPU, most_mb=100)
        assert encoded is not None
        for group in groups:
            encoded(pixels[group], rows[group], None)
        found = encoded(pixels[5:6], rows[5:6], None)
        assert found is not None
        return found

    alone = of_image_5()
    assert torch.equal(alone, of_image_5(slice(0, 40)))
    assert torch.equal(alone, of_image_5(slice(0, 5), slice(3, 9)))


def test_nothing_is_kept_where_it_would_not_fit(frozen: Generator) -> None:
    encoded = encoded_images(frozen, images=10**6, changes="flip", machine=CPU, most_mb=100)
    assert encoded is not None
    assert encoded(torch.rand(4, 3, 16, 16), np.arange(4), None) is None


@pytest.mark.parametrize("changes", ["standard", "strong"])
def test_nothing_is_kept_of_images_that_always_differ(frozen: Generator, changes: str) -> None:
    assert encoded_images(frozen, images=4, changes=changes, machine=CPU, most_mb=100) is None


def test_nothing_is_kept_of_an_encoder_that_learns() -> None:
    moving = Generator(encoder="small", image_size=16)
    assert encoded_images(moving, images=4, changes="none", machine=CPU, most_mb=100) is None
