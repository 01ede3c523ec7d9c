from __future__ import annotations

import pytest
import torch

from pgn_studio.core.perturbation.input_space import InputSpace

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.1)


def pixels() -> torch.Tensor:
    return torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["pixel", "normalized"])
def test_there_and_back(name: str) -> None:
    space = InputSpace(name, mean=MEAN, std=STD)  # type: ignore[arg-type]
    x = pixels()
    torch.testing.assert_close(space.to_pixels(space.from_pixels(x)), x)
    expected = (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    torch.testing.assert_close(space.normalized(space.from_pixels(x)), expected)


def test_a_perturbation_means_pixels_in_one_and_deviations_in_the_other() -> None:
    x, p = pixels(), torch.full((2, 3, 4, 4), 0.1)
    in_pixels = InputSpace("pixel", mean=MEAN, std=STD)
    in_deviations = InputSpace("normalized", mean=MEAN, std=STD)
    torch.testing.assert_close(in_pixels.to_pixels(in_pixels.from_pixels(x) + p) - x, p)
    moved = in_deviations.to_pixels(in_deviations.from_pixels(x) + p) - x
    torch.testing.assert_close(moved, p * torch.tensor(STD).view(1, 3, 1, 1))


@pytest.mark.parametrize("name", ["pixel", "normalized"])
def test_what_a_picture_keeps_of_a_perturbation(name: str) -> None:
    space = InputSpace(name, mean=MEAN, std=STD)  # type: ignore[arg-type]
    x = pixels()
    p = torch.linspace(-6, 6, x.numel()).view_as(x).requires_grad_()
    held = space.clip(x, p)
    seen, wanted = space.to_pixels(space.from_pixels(x) + held), space.to_pixels(space.from_pixels(x) + p)
    torch.testing.assert_close(seen, wanted.clamp(0, 1))
    inside = (wanted > 1e-3) & (wanted < 1 - 1e-3)
    outside = (wanted < -1e-3) | (wanted > 1 + 1e-3)
    assert inside.any()
    assert outside.any()
    assert torch.equal(held[inside], p[inside])
    held.sum().backward()
    assert p.grad is not None
    assert torch.equal(p.grad[inside], torch.ones(int(inside.sum())))
    assert not p.grad[outside].any()
