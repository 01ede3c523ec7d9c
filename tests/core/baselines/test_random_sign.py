from __future__ import annotations

import torch
from torch import Tensor

from pgn_studio.core.baselines.random_sign import RandomSign
from tests.core.baselines.linear import context_of, linear_classifier, pixels, space_of


def signs(x: Tensor, seed: int) -> Tensor:
    context = context_of(linear_classifier(), space_of("pixel"), "enhance", seed=seed)
    return RandomSign().perturb(x, None, context)


def test_it_is_plus_or_minus_one_evenly() -> None:
    p = signs(pixels(64), 0)
    assert set(p.unique().tolist()) == {-1.0, 1.0}
    assert abs(float(p.mean())) < 0.1
    assert len({tuple(image.flatten().tolist()) for image in p}) == 64


def test_it_depends_on_seed_and_image_alone() -> None:
    x = pixels(8)
    whole = signs(x, 4)
    parts = torch.cat([signs(x[[i]], 4) for i in range(8)])
    assert torch.equal(whole, parts)
    assert torch.equal(signs(x.flip(0).contiguous(memory_format=torch.channels_last), 4).flip(0), parts)
    assert not torch.equal(signs(x, 5), parts)
