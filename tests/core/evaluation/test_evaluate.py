from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import average_precision_score
from torch import nn

from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import Canceled, ClassifierError, DataError, PgnFileError
from pgn_studio.core.evaluation.batch import to_8bit, to_uint8
from pgn_studio.core.evaluation.evaluate import OUTCOMES, Evaluation, PerImage, clean_scores, evaluate
from pgn_studio.core.perturbation.pgn import Pgn
from tests.core.evaluation.samples import (
    ArraySplit,
    ImageGenerator,
    Shift,
    make_classifier,
    make_pgn,
    make_split,
)

REQUIRED = [
    "n",
    "clean_accuracy",
    "perturbed_accuracy",
    "perturbed_accuracy_8bit",
    "map_clean",
    "map_perturbed",
    "fixed",
    "broken",
    "mcnemar_p",
    "fooling_rate",
    "attack_success",
    "l2_mean",
    "rms_mean",
    "linf_max",
    "split",
    "dataset",
    "classifier",
    "pgn",
]


def measure(pgn: Pgn, split: ArraySplit, **options: object) -> Evaluation:
    options = {"split_name": "test", "dataset_name": "noise", **options}
    return evaluate(pgn, make_classifier(), split, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("input_space", ["pixel", "normalized"])
def test_figures_agree_with_a_plain_computation(input_space: str) -> None:
    split, generator = make_split(40), Shift(red=0.02, blue=-0.01, noise=0.03)
    pgn, classifier = make_pgn(generator, input_space=input_space), make_classifier()
    m = measure(pgn, split, batch_size=7).metrics

    labels = split.labels
    x = torch.from_numpy(split.images(np.arange(40))).permute(0, 3, 1, 2) / 255
    p = generator(x)
    pixels = x + p if input_space == "pixel" else classifier.denormalize(classifier.normalize(x) + p)
    files = torch.from_numpy(np.clip(np.rint(pixels.numpy() * 255), 0, 255) / 255).float()
    clean, after, after_8bit = (classifier(images).detach() for images in (x, pixels, files))
    before_right, after_right = (scores.argmax(1).numpy() == labels for scores in (clean, after))
    assert m.n == 40
    assert m.clean_accuracy == pytest.approx(before_right.mean())
    assert 0 < m.clean_accuracy < 1, "the sample must have both right and wrong images"
    assert m.perturbed_accuracy == pytest.approx(after_right.mean())
    assert m.perturbed_accuracy_8bit == pytest.approx((after_8bit.argmax(1).numpy() == labels).mean())
    assert m.fixed == (after_right & ~before_right).sum()
    assert m.broken == (before_right & ~after_right).sum()
    assert m.fixed + m.broken > 0
    assert m.fooling_rate == pytest.approx((clean.argmax(1) != after.argmax(1)).float().mean().item())
    assert m.attack_success == pytest.approx(m.broken / before_right.sum())
    one_hot = np.eye(3)[labels]
    assert m.map_clean == pytest.approx(average_precision_score(one_hot, clean.softmax(1)), abs=1e-6)
    assert m.map_perturbed == pytest.approx(average_precision_score(one_hot, after.softmax(1)), abs=1e-6)
    assert m.l2_mean == pytest.approx(np.mean([float((q**2).sum()) ** 0.5 for q in p]), rel=1e-5)
    assert m.rms_mean == pytest.approx(np.mean([float((q**2).mean()) ** 0.5 for q in p]), rel=1e-5)
    assert m.linf_max == pytest.approx(p.abs().max().item())


def test_values_beyond_the_pixel_range_count_only_before_8_bits() -> None:
    """Blue pushed far above 1 wins unclamped; as a file it saturates together with red."""
    images = np.full((4, 8, 8, 3), 250, dtype=np.uint8)
    images[..., 0] = 255
    split = ArraySplit(images, [2, 2, 2, 2])
    m = measure(make_pgn(Shift(blue=0.5)), split).metrics
    assert (m.perturbed_accuracy, m.perturbed_accuracy_8bit) == (1.0, 0.0)
    assert (m.fixed, m.fixed_8bit, m.broken_8bit) == (4, 0, 0)


def test_8_bits_are_what_a_png_gives_back(tmp_path: Path) -> None:
    pixels = torch.linspace(-0.3, 1.3, 3 * 64).view(1, 3, 8, 8)
    Image.fromarray(to_uint8(to_8bit(pixels))[0]).save(tmp_path / "a.png")
    again = np.asarray(Image.open(tmp_path / "a.png"))[None].copy()
    torch.testing.assert_close(to_pixels(again, torch.device("cpu")), to_8bit(pixels), rtol=0, atol=0)


@pytest.mark.parametrize("input_space", ["pixel", "normalized"])
def test_no_perturbation_changes_nothing(input_space: str) -> None:
    m = measure(make_pgn(Shift(), input_space=input_space), make_split()).metrics
    assert m.clean_accuracy == m.perturbed_accuracy == m.perturbed_accuracy_8bit
    assert (m.fixed, m.broken, m.fooling_rate, m.l2_mean, m.mcnemar_p) == (0, 0, 0.0, 0.0, 1.0)


def test_known_clean_scores_give_the_same_figures_without_asking_again() -> None:
    split, asked = make_split(20), []
    pgn, classifier = make_pgn(Shift(red=0.02, noise=0.03)), make_classifier()
    options = {"split_name": "test", "dataset_name": "noise", "batch_size": 7}
    whole = evaluate(pgn, classifier, split, **options)  # type: ignore[arg-type]
    known = clean_scores(classifier, split, batch_size=7)
    classifier.register_forward_hook(lambda *_: asked.append(1))
    again = evaluate(pgn, classifier, split, clean=known, **options)  # type: ignore[arg-type]
    assert again.metrics == whole.metrics
    assert np.array_equal(again.per_image.clean_true_probability, whole.per_image.clean_true_probability)
    assert len(asked) == 3  # after 8 bits, once a batch: never clean


def test_per_image_values_are_in_the_order_of_the_split() -> None:
    split = make_split(20)
    whole = measure(make_pgn(Shift(red=0.02, noise=0.03)), split, batch_size=64).per_image
    parts = measure(make_pgn(Shift(red=0.02, noise=0.03)), split, batch_size=3).per_image
    assert np.array_equal(whole.labels, split.labels)
    assert np.array_equal(whole.perturbed_prediction, parts.perturbed_prediction)
    np.testing.assert_allclose(whole.clean_true_probability, parts.clean_true_probability, rtol=1e-5)
    np.testing.assert_allclose(whole.l2, parts.l2, rtol=1e-5)


def test_outcomes_name_all_four_cases() -> None:
    image = measure(make_pgn(Shift(red=0.03)), make_split(60)).per_image
    for outcome, clean, after, label in zip(
        image.outcome, image.clean_prediction, image.perturbed_prediction, image.labels, strict=True
    ):
        before_right, after_right = clean == label, after == label
        expected = {(0, 1): "fixed", (1, 0): "broken", (1, 1): "both right", (0, 0): "both wrong"}
        assert outcome == expected[int(before_right), int(after_right)]
    assert set(image.outcome) == set(OUTCOMES)


def test_json_has_the_agreed_fields(tmp_path: Path) -> None:
    path = tmp_path / "pgn.safetensors"
    path.write_bytes(b"x")
    record = measure(make_pgn(Shift(red=0.02), path=path), make_split()).to_json()
    assert list(record)[: len(REQUIRED) - 4] == REQUIRED[:-4]
    assert set(REQUIRED) <= set(record)
    assert (record["split"], record["dataset"]) == ("test", "noise")
    assert (record["classifier"], record["classifier_sha256"]) == ("clf.safetensors", "c0ffee")
    assert record["pgn"] == str(path)
    assert record["pgn_sha256"] == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert record["seed"] == 7
    assert "torch" in record["versions"]
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_attack_success_is_null_where_no_clean_image_is_right() -> None:
    images = np.zeros((6, 8, 8, 3), dtype=np.uint8)
    images[..., 0] = 200  # all "cat"
    evaluation = measure(make_pgn(Shift(green=1.0)), ArraySplit(images, [1] * 6))
    record = evaluation.to_json()
    assert record["attack_success"] is None
    assert record["fixed"] == 6
    assert record["per_class"] == [
        {"class": "dog", "n": 6, "clean_accuracy": 0.0, "perturbed_accuracy": 1.0, "fixed": 6, "broken": 0}
    ]


def test_each_batch_is_read_once_and_reported_once() -> None:
    split, seen = make_split(10), []
    measure(make_pgn(Shift()), split, batch_size=4, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(4, 10), (8, 10), (10, 10)]
    assert split.calls == 3


def test_canceled_passes_through_at_the_first_batch() -> None:
    def cancel(done: int, total: int) -> None:
        raise Canceled

    split = make_split(100)
    with pytest.raises(Canceled):
        measure(make_pgn(Shift()), split, batch_size=4, progress=cancel)
    assert 1 <= split.calls <= 5  # of 25: those that were being made ready


def test_empty_split_is_a_data_error() -> None:
    with pytest.raises(DataError, match="no images"):
        measure(make_pgn(Shift()), ArraySplit(np.zeros((0, 8, 8, 3), np.uint8), []))


def test_labels_beyond_the_classifier_are_refused() -> None:
    with pytest.raises(ClassifierError, match=r"labels 0…3.*3 classes"):
        measure(make_pgn(Shift()), ArraySplit(np.zeros((2, 8, 8, 3), np.uint8), [0, 3], ["a", "b"]))


def test_a_diverged_pgn_is_reported() -> None:
    with pytest.raises(PgnFileError, match="not finite"):
        measure(make_pgn(Shift(red=float("nan"))), make_split(4))


def test_a_broken_classifier_is_reported() -> None:
    classifier = make_classifier()
    assert isinstance(classifier.net.sharpness, nn.Parameter)
    classifier.net.sharpness.fill_(float("inf"))
    with pytest.raises(ClassifierError, match="not finite"):
        evaluate(make_pgn(Shift()), classifier, make_split(4), split_name="test", dataset_name="noise")


class Small(ImageGenerator):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        perturbation: torch.Tensor = self.layers(pixels)
        return perturbation


def test_modes_weights_and_gradients_are_left_alone() -> None:
    generator = Small()
    pgn = make_pgn(generator)
    before = {name: value.clone() for name, value in pgn.state_dict().items()}
    measure(pgn, make_split(8))
    assert not pgn.training
    assert all(torch.equal(value, before[name]) for name, value in pgn.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in generator.parameters())
    assert torch.is_grad_enabled()


def test_an_image_costs_32_bytes_at_most() -> None:
    image = measure(make_pgn(Shift(red=0.03)), make_split(60)).per_image
    kept = [value for name, value in vars(image).items() if name not in ("labels", "values")]
    assert sum(array.nbytes for array in kept) <= 32 * len(image)
    # a thousand classes need two bytes a prediction
    many = PerImage.empty(image.labels, classes=1000, values=192)
    assert many.perturbed_prediction.dtype == np.int16
    kept = [value for name, value in vars(many).items() if name not in ("labels", "values")]
    assert sum(array.nbytes for array in kept) <= 32 * len(image)


def test_confidence_and_rms_follow_from_what_is_kept() -> None:
    split, pgn, classifier = make_split(60), make_pgn(Shift(red=0.03, noise=0.01)), make_classifier()
    image = measure(pgn, split).per_image
    pixels = to_pixels(split.images(np.arange(60)), torch.device("cpu"))
    p = pgn.perturb(pixels).perturbation
    for found, pictures in ((image.clean_confidence, pixels), (image.perturbed_confidence, pixels + p)):
        expected = classifier(pictures).softmax(1).amax(1).detach().numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert (image.clean_prediction != image.labels).any()
    np.testing.assert_allclose(image.rms, p.square().mean((1, 2, 3)).sqrt().numpy(), rtol=1e-5)
