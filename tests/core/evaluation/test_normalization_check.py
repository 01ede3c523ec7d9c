"""Wrong normalizations are healed, right ones left alone, and what cannot be chosen is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pgn_studio.core.classifiers import Access, Classifier, ClassifierInfo, Normalization, load_classifier
from pgn_studio.core.errors import Canceled, ClassifierError, DataError, QueryBudgetError
from pgn_studio.core.evaluation.classifier_accuracy import classify_split
from pgn_studio.core.evaluation.normalization_check import Diagnosis, largest_cost, try_normalizations
from pgn_studio.core.pretrained import IMAGENET_MEAN, IMAGENET_STD, Triple
from tests.studies import CLASSES, SIZE, ArraySplit

CPU = torch.device("cpu")
COUNT = 400


class Bands(nn.Module):
    """Three classes by red less half of blue, with edges that lie between them under ImageNet's numbers."""

    def forward(self, values: Tensor) -> Tensor:
        height = values[:, 0].mean((1, 2)) - 0.5 * values[:, 2].mean((1, 2))
        return -(height[:, None] - torch.tensor([-1.2, 0.0, 1.2])).abs()


def split_of(count: int = COUNT) -> ArraySplit:
    """Images whose class `Bands` tells when they come normalized as on ImageNet."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, count)
    blue = rng.uniform(0.1, 0.6, count)
    height = np.array([-1.2, 0.0, 1.2])[labels] + rng.uniform(-0.35, 0.35, count)
    (mr, _, mb), (sr, _, sb) = IMAGENET_MEAN, IMAGENET_STD
    red = mr + sr * (height + 0.5 * (blue - mb) / sb)
    pixels = np.stack([red, rng.uniform(0, 1, count), blue], axis=1).clip(0, 1)
    images = np.broadcast_to((255 * pixels).round()[:, None, None], (count, SIZE, SIZE, 3))
    return ArraySplit(np.ascontiguousarray(images, dtype=np.uint8), labels.astype(np.int64))


def bands(mean: Triple, std: Triple, channels: str = "rgb") -> Classifier:
    info = ClassifierInfo("bands", CLASSES, mean, std, SIZE, channels=channels)  # type: ignore[arg-type]
    return Classifier(Bands(), info)


def diagnosed(classifier: Classifier, **options: object) -> Diagnosis:
    return try_normalizations(classifier, split_of(), split_name="val", device=CPU, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mean", "std", "channels"),
    [
        ((0.0,) * 3, (1.0,) * 3, "rgb"),  # nobody said how
        ((0.0,) * 3, (1 / 255,) * 3, "rgb"),
        ((0.5,) * 3, (0.5,) * 3, "rgb"),
        (IMAGENET_MEAN, IMAGENET_STD, "bgr"),
    ],
)
def test_a_wrong_one_is_healed(mean: Triple, std: Triple, channels: str) -> None:
    found = diagnosed(bands(mean, std, channels))
    better = found.better
    assert better is not None
    assert better.title == "ImageNet"
    assert better.normalization.alike(Normalization(IMAGENET_MEAN, IMAGENET_STD))
    assert found.trials[0] is better
    assert (better.accuracy.value or 0) > 0.95 > 0.7 > (found.own.accuracy.value or 0)
    assert "ImageNet is better" in found.verdict
    how = better.normalization
    healed = classify_split(bands(how.mean, how.std, how.channels), split_of(), split_name="val", device=CPU)
    assert (healed.accuracy.value or 0) > 0.95


def test_a_good_one_is_left_alone_and_named() -> None:
    found = diagnosed(bands(IMAGENET_MEAN, IMAGENET_STD))
    assert found.better is None
    assert found.trials[0].own
    assert found.own.title == "As it is now: ImageNet"
    assert "own normalization is the right one" in found.verdict
    titles = [trial.title for trial in found.trials]
    assert len(titles) == len(set(titles)) == 16  # eight in two orders, its own among them
    assert len(found.trials) * 100 <= largest_cost(100)


def test_one_that_does_badly_under_all_is_not_called_right_without_a_doubt() -> None:
    classifier = bands(IMAGENET_MEAN, IMAGENET_STD)
    classifier.net.register_forward_hook(lambda _net, _given, logits: logits[:, [1, 2, 0]])
    found = diagnosed(classifier)
    assert "check that the classes are in the order" in found.verdict


def test_chance_alone_does_not_make_another_one_better() -> None:
    """On a few images the best of many is best by luck."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        noise = rng.integers(0, 256, (20, SIZE, SIZE, 3), dtype=np.uint8)
        split = ArraySplit(noise, rng.integers(0, 3, 20))
        own = bands((0.0,) * 3, (1.0,) * 3)
        assert try_normalizations(own, split, split_name="val", device=CPU).better is None


def test_gray_images_know_no_order() -> None:
    split = split_of(40)
    gray = ArraySplit(np.repeat(split.pixels[..., :1], 3, axis=3), split.labels)
    found = try_normalizations(bands(IMAGENET_MEAN, IMAGENET_STD), gray, split_name="val", device=CPU)
    assert {trial.normalization.channels for trial in found.trials} == {"rgb"}


def test_the_sample_is_drawn_by_seed_and_the_classifier_left_as_it_is() -> None:
    classifier = bands((0.0,) * 3, (1.0,) * 3)
    told: list[tuple[int, int]] = []
    first = diagnosed(classifier, count=50, progress=lambda *done: told.append(done))
    again, other = diagnosed(classifier, count=50), diagnosed(classifier, count=50, seed=1)
    assert first.to_json() == again.to_json() != other.to_json()
    assert told[-1] == (len(first.trials) * 50,) * 2
    assert classifier.info.mean == (0.0, 0.0, 0.0)

    def cancel(_done: int, _total: int) -> None:
        raise Canceled

    with pytest.raises(Canceled):
        diagnosed(classifier, progress=cancel)


def label_all_the_same(images: np.ndarray) -> np.ndarray:
    return np.zeros(len(images), dtype=np.int64)


def test_what_cannot_be_chosen_is_refused() -> None:
    box = load_classifier(
        f"python:{__name__}:{label_all_the_same.__name__}",
        classes=CLASSES,
        image_size=SIZE,
        access=Access(trust_code=True),
    )
    with pytest.raises(ClassifierError, match="normalizes them itself"):
        diagnosed(box)
    empty = ArraySplit(np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, np.int64))
    with pytest.raises(DataError, match="no images"):
        try_normalizations(bands((0.0,) * 3, (1.0,) * 3), empty, split_name="val", device=CPU)


def test_an_onnx_file_is_healed_within_its_budget(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from tests.core.classifiers.blackbox.test_onnx import channel_model

    path = channel_model(tmp_path / "channels.onnx")  # the largest channel, by mean: BGR it is wrong
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    images = rng.integers(90, 110, (60, SIZE, SIZE, 3))
    images[np.arange(60), :, :, labels] += 60
    split = ArraySplit(images.astype(np.uint8), labels.astype(np.int64))
    options = {"classes": CLASSES, "image_size": SIZE, "channels": "bgr"}
    box = load_classifier(path, access=Access(budget=2000), **options)
    found = try_normalizations(box, split, split_name="val", device=CPU)
    assert found.better is not None
    assert found.better.normalization.channels == "rgb"
    assert found.better.accuracy.value == 1.0
    assert box.queries is not None
    assert 60 * 16 <= box.queries.used <= 60 * 17 + 3
    small = load_classifier(path, access=Access(budget=100), **options)
    with pytest.raises(QueryBudgetError, match="normalizations"):
        try_normalizations(small, split, split_name="val", device=CPU)
