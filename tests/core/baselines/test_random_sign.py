from __future__ import annotations

import torch

from pgn_studio.core.baselines.random_sign import RandomSigns
from tests.core.baselines.linear import pixels, space_of

NO_LABELS = torch.zeros(8, dtype=torch.int64)


def test_noise_is_plus_or_minus_one_evenly() -> None:
    p = RandomSigns(space_of("pixel"), seed=0).perturb(pixels(64), NO_LABELS).perturbation
    assert set(p.unique().tolist()) == {-1.0, 1.0}
    assert abs(float(p.mean())) < 0.1
    assert len({tuple(image.flatten().tolist()) for image in p}) == 64


def test_noise_depends_on_seed_and_image_alone() -> None:
    x, space = pixels(8), space_of("normalized")
    noise = RandomSigns(space, seed=4)
    whole = noise.perturb(x, NO_LABELS)
    parts = torch.cat([noise.perturb(x[[i]], NO_LABELS).perturbation for i in range(8)])
    assert torch.equal(whole.perturbation, parts)
    backwards = noise.perturb(x.flip(0).contiguous(memory_format=torch.channels_last), NO_LABELS).perturbation
    assert torch.equal(backwards.flip(0), parts)
    assert not torch.equal(RandomSigns(space, seed=5).perturb(x, NO_LABELS).perturbation, parts)
    torch.testing.assert_close(whole.perturbed, space.from_pixels(x) + parts)
