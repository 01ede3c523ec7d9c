from __future__ import annotations

from typing import Any

import pytest
import torch

from pgn_studio.core.baselines.universal import Universal, universal_perturbation
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.errors import Canceled
from pgn_studio.core.protocols import Progress
from tests.core.baselines.conftest import MakeContext
from tests.core.evaluation.samples import ArraySplit


def fit(make_context: MakeContext, progress: Progress | None = None, **changes: Any) -> torch.Tensor:
    context = make_context(problem="adversarial")
    images = changes.pop("images", context.train)
    options: dict[str, Any] = {"rms": 0.08, "seed": 0, "device": context.device, "passes": 1, **changes}
    return universal_perturbation(context.classifier, context.space, images, progress=progress, **options)


def test_one_perturbation_fools_images_that_it_was_not_made_from(
    make_context: MakeContext, classifier: Classifier, splits: dict[str, ArraySplit]
) -> None:
    v = fit(make_context, passes=2)
    assert v.shape == (1, 3, 16, 16)
    assert float(v.square().mean().sqrt()) <= 0.08 * (1 + 1e-5)
    x = torch.from_numpy(splits["test"].images(range(60))).permute(0, 3, 1, 2).float() / 255
    rolled = torch.roll(v.flatten(), 100).view_as(v)  # as large, but out of place

    def fooled(p: torch.Tensor) -> float:
        return float((classifier(x + p).argmax(1) != classifier(x).argmax(1)).float().mean())

    assert fooled(v) > 0.5 > 2 * fooled(rolled)


def test_all_images_get_the_same(make_context: MakeContext, splits: dict[str, ArraySplit]) -> None:
    few = ArraySplit(splits["train"].images(range(8)), [0] * 8, names=["-"] * 8)
    context = make_context(problem="adversarial", train=few)
    uap = Universal()
    uap.prepare(context)
    first, *others = uap.perturb(torch.rand(3, 3, 16, 16), None, context)
    assert first.any()
    assert all(torch.equal(first, other) for other in others)


def test_the_seed_decides(make_context: MakeContext) -> None:
    few = make_context().train.images(range(32))

    def v(seed: int) -> torch.Tensor:
        return fit(make_context, seed=seed, images=ArraySplit(few, [0] * 32, names=["-"] * 32))

    assert torch.equal(v(0), v(0))
    assert not torch.equal(v(0), v(1))


def test_progress_and_canceling(make_context: MakeContext) -> None:
    seen: list[tuple[int, int]] = []
    fit(make_context, lambda done, total: seen.append((done, total)))
    assert seen[0] == (4, 160)
    assert seen[-1] == (160, 160)

    def cancel(done: int, total: int) -> None:
        raise Canceled

    with pytest.raises(Canceled):
        fit(make_context, cancel)


def test_no_room_is_no_perturbation(make_context: MakeContext) -> None:
    assert not fit(make_context, rms=0.0).any()
