"""Augmentation: deterministic, in range, and each change really happens."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pgn_studio.core.augment import augment
from pgn_studio.core.config import AugmentName
from pgn_studio.core.errors import ConfigError

CHANGING: list[AugmentName] = ["flip", "standard", "strong"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(24, 3, 16, 24, generator=generator(1))


@pytest.mark.parametrize("name", CHANGING)
def test_keeps_shape_dtype_and_range(images: Tensor, name: AugmentName) -> None:
    for given in (images, images.to(torch.bfloat16)):
        before = given.clone()
        changed = augment(given, name, generator())
        assert changed.shape == given.shape
        assert changed.dtype == given.dtype
        assert changed.min() >= 0
        assert changed.max() <= 1
        assert torch.equal(given, before), "the input was changed in place"


@pytest.mark.parametrize("name", CHANGING)
def test_is_decided_by_the_generator(images: Tensor, name: AugmentName) -> None:
    assert torch.equal(augment(images, name, generator(3)), augment(images, name, generator(3)))
    assert not torch.equal(augment(images, name, generator(3)), augment(images, name, generator(4)))


def test_none_changes_nothing_and_draws_nothing(images: Tensor) -> None:
    source = generator()
    state = source.get_state()
    assert augment(images, "none", source) is images
    assert torch.equal(source.get_state(), state)


def test_flip_mirrors_about_half_of_the_images_left_to_right(images: Tensor) -> None:
    changed = augment(images, "flip", generator())
    same = [torch.equal(new, old) for new, old in zip(changed, images, strict=True)]
    mirrored = [torch.equal(new, old.flip(-1)) for new, old in zip(changed, images, strict=True)]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))
    assert 4 <= sum(mirrored) <= 20


def test_standard_shifts_by_an_eighth_at_most_and_mirrors_at_the_border() -> None:
    ramp = torch.arange(16.0).div(15).expand(64, 3, 16, 16)  # brightness is the column
    columns = augment(ramp, "standard", generator()).mul(15).round().long()[:, 0, 0]  # (N, W)

    positions = torch.arange(16)
    reflected = {}
    for offset in range(-2, 3):
        source = (positions + offset).abs()
        reflected[offset] = torch.where(source > 15, 30 - source, source)
    expected = [*reflected.values(), *(15 - row for row in reflected.values())]
    assert all(any(torch.equal(row, wanted) for wanted in expected) for row in columns)
    assert len({tuple(row.tolist()) for row in columns}) > 5


def test_shift_moves_rows_too(images: Tensor) -> None:
    rows = torch.arange(16.0).div(15)[:, None].expand(32, 3, 16, 16)
    changed = augment(rows, "standard", generator())
    assert len({tuple(image[0, :, 0].tolist()) for image in changed}) > 3


def test_smallest_images_pass(images: Tensor) -> None:
    assert augment(images[:, :, :1, :1], "strong", generator()).shape == (24, 3, 1, 1)


def test_strong_changes_brightness_contrast_and_saturation() -> None:
    gray = torch.full((64, 3, 8, 8), 0.5)
    changed = augment(gray, "strong", generator())
    levels = changed.mean(dim=(1, 2, 3))
    assert levels.std() > 0.03  # brightness
    assert torch.allclose(changed.std(dim=(1, 2, 3)), torch.zeros(64), atol=1e-5)  # gray stays gray

    halves = torch.cat([torch.full((64, 3, 8, 4), 0.3), torch.full((64, 3, 8, 4), 0.6)], dim=3)
    changed = augment(halves, "strong", generator())
    spread = changed.amax(dim=(1, 2, 3)) - changed.amin(dim=(1, 2, 3))
    assert (spread / changed.mean(dim=(1, 2, 3))).std() > 0.02  # contrast: not brightness alone

    red = torch.tensor([0.6, 0.3, 0.3])[None, :, None, None].expand(64, 3, 8, 8)
    changed = augment(red, "strong", generator())
    colorfulness = (changed[:, 0] - changed[:, 1]).mean(dim=(1, 2)) / changed.mean(dim=(1, 2, 3))
    assert colorfulness.std() > 0.03


def test_another_name_is_refused(images: Tensor) -> None:
    with pytest.raises(ConfigError, match="flop"):
        augment(images, "flop", generator())  # type: ignore[arg-type]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_sees_the_same_changes(images: Tensor) -> None:
    there = augment(images.cuda(), "strong", generator()).cpu()
    assert torch.allclose(there, augment(images, "strong", generator()), atol=1e-5)
