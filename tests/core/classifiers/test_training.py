from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pgn_studio.core.classifiers import (
    Classifier,
    ClassifierProgress,
    balanced_subset,
    load_classifier,
    measure_accuracy,
    train_classifier,
)
from pgn_studio.core.classifiers.training import one_cycle_rate
from pgn_studio.core.config import ClassifierSettings
from pgn_studio.core.errors import Canceled, ClassifierError

CLASSES = ("red", "green", "blue")


def settings(**changes: Any) -> ClassifierSettings:
    values: dict[str, Any] = {"epochs": 2, "batch_size": 16, "device": "cpu", "precision": "fp32"}
    return ClassifierSettings.make(**{**values, **changes})


def train(
    make_squares: Any, out: Path, *, count: int = 60, stop: Any = None, size: int = 8, **changes: Any
) -> tuple[Classifier, list[ClassifierProgress]]:
    seen: list[ClassifierProgress] = []
    classifier = train_classifier(
        make_squares(count, size=size),
        make_squares(12, size=size, seed=1),
        CLASSES,
        settings(**changes),
        out=out,
        fingerprint="abc",
        mirrorable=None,
        on_progress=seen.append,
        stop=stop,
    )
    return classifier, seen


def test_it_learns_and_saves_what_it_knows(make_squares: Any, tmp_path: Path) -> None:
    out = tmp_path / "clf.safetensors"
    classifier, seen = train(make_squares, out, epochs=4)
    assert [progress.step for progress in seen] == list(range(1, 17))
    assert {progress.total_steps for progress in seen} == {16}
    assert [progress.epoch for progress in seen][::4] == [1, 2, 3, 4]
    assert [progress.val_accuracy is not None for progress in seen] == [False, False, False, True] * 4
    assert seen[-1].loss < seen[0].loss

    info = load_classifier(out).info
    assert info == classifier.info
    assert info.image_size == 8
    assert info.training["dataset_fingerprint"] == "abc"
    assert info.training["settings"]["epochs"] == 4
    assert info.training["train_images"] == 60
    assert info.training["stopped"] is False
    accuracy = measure_accuracy(classifier, make_squares(12, seed=1), batch_size=5)
    assert accuracy == info.training["val_accuracy"] == seen[-1].val_accuracy
    assert accuracy >= 0.9
    values = make_squares(60).images(range(60)) / 255
    assert info.mean == pytest.approx(values.mean(axis=(0, 1, 2)), abs=1e-4)
    assert info.std == pytest.approx(values.std(axis=(0, 1, 2)), abs=1e-4)


def test_a_seed_gives_the_same_weights(make_squares: Any, tmp_path: Path) -> None:
    out = [tmp_path / f"{index}.safetensors" for index in range(3)]
    first, second, other = (
        train(make_squares, path, seed=seed, augment="strong")[0].net.state_dict()
        for path, seed in zip(out, (3, 3, 4), strict=True)
    )
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())
    assert out[0].read_bytes() == out[1].read_bytes()


def test_stop_keeps_what_there_is(make_squares: Any, tmp_path: Path) -> None:
    stops = iter([False, False, True])
    classifier, seen = train(make_squares, tmp_path / "clf.safetensors", stop=lambda: next(stops))
    assert len(seen) == 3
    assert classifier.info.training["stopped"] is True
    assert classifier.info.training["steps"] == 3
    assert classifier.net.fc.weight.abs().sum() > 0


def test_a_listener_can_cancel(make_squares: Any, tmp_path: Path) -> None:
    def cancel(_progress: ClassifierProgress) -> None:
        raise Canceled

    with pytest.raises(Canceled):
        train_classifier(
            make_squares(20),
            make_squares(3),
            CLASSES,
            settings(),
            out=tmp_path / "clf.safetensors",
            fingerprint="",
            mirrorable=None,
            on_progress=cancel,
        )
    assert not (tmp_path / "clf.safetensors").exists()


def test_divergence_says_what_to_lower(make_squares: Any, tmp_path: Path, monkeypatch: Any) -> None:
    def explode(pixels: torch.Tensor, *_args: object) -> torch.Tensor:
        return pixels * float("nan")

    monkeypatch.setattr("pgn_studio.core.classifiers.training.augment", explode)
    with pytest.raises(ClassifierError, match="diverged at step 1") as caught:
        train(make_squares, tmp_path / "clf.safetensors")
    assert "learning_rate" in caught.value.hint
    assert not (tmp_path / "clf.safetensors").exists()


def test_every_image_is_used_once_an_epoch(make_squares: Any, tmp_path: Path) -> None:
    images = make_squares(33)
    train_classifier(
        images,
        make_squares(0),
        CLASSES,
        settings(epochs=1),
        out=tmp_path / "clf.safetensors",
        fingerprint="",
        mirrorable=None,
        on_progress=lambda _: None,
    )
    batches = [batch for batch in images.asked if len(batch) == 11]  # 33 in 3 even batches
    assert len(batches) == 3
    assert sorted(sum(batches, [])) == list(range(33))


def test_max_train_images_are_balanced_and_seeded(make_squares: Any, tmp_path: Path) -> None:
    classifier, _ = train(make_squares, tmp_path / "clf.safetensors", max_train_images=7)
    assert classifier.info.training["train_images"] == 7
    with pytest.raises(ClassifierError, match="each of 3 classes, got 2"):
        train(make_squares, tmp_path / "clf.safetensors", max_train_images=2)


def test_balanced_subset_shares_the_limit_between_classes() -> None:
    labels = np.array([0] * 50 + [1] * 30 + [2] * 3)
    chosen = balanced_subset(labels, 20, seed=0)
    assert sorted(np.bincount(labels[chosen])) == [3, 8, 9]  # the small class gives all it has
    assert len(set(chosen)) == 20
    assert np.array_equal(chosen, balanced_subset(labels, 20, seed=0))
    assert not np.array_equal(chosen, balanced_subset(labels, 20, seed=1))


@pytest.mark.parametrize("total", [1, 2, 30, 1000])
def test_the_rate_rises_to_its_peak_and_falls(total: int) -> None:
    rates = [one_cycle_rate(step, total, peak=0.1) for step in range(total)]
    top = rates.index(max(rates))
    assert all(0 < rate <= 0.1 for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_labels_beyond_the_classes_are_refused(make_squares: Any, tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="2 classes, got 9 images with labels up to 2"):
        train_classifier(
            make_squares(9),
            make_squares(3),
            CLASSES[:2],
            settings(),
            out=tmp_path / "clf.safetensors",
            fingerprint="",
            mirrorable=None,
            on_progress=lambda _: None,
        )


def test_images_too_small_for_an_architecture_are_explained(make_squares: Any, tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="densenet121 cannot take images of 8 px") as caught:
        train(make_squares, tmp_path / "clf.safetensors", count=8, arch="densenet121")
    assert "image_size" in caught.value.hint


def test_it_goes_on_from_a_file_with_another_head(make_squares: Any, tmp_path: Path) -> None:
    first, _ = train(make_squares, tmp_path / "a.safetensors", epochs=1)
    second = train_classifier(
        make_squares(20),
        make_squares(3),
        ("red", "green", "blue", "gray"),
        settings(weights=first.info.path, epochs=1, learning_rate=1e-12, weight_decay=0),
        out=tmp_path / "b.safetensors",
        fingerprint="",
        mirrorable=None,
        on_progress=lambda _: None,
    )
    torch.testing.assert_close(second.net.stage1[0][0].weight, first.net.stage1[0][0].weight)
    assert second.net.fc.out_features == 4
    assert second.info.training["start_weights"] == first.info.path


def test_the_small_network_has_no_pretrained_weights(make_squares: Any, tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="no pretrained weights"):
        train(make_squares, tmp_path / "clf.safetensors", weights="pretrained")


def test_fine_tuning_imagenet_weights(make_squares: Any, tmp_path: Path) -> None:
    classifier, _ = train(
        make_squares,
        tmp_path / "clf.safetensors",
        count=8,
        size=32,
        epochs=1,
        batch_size=8,
        arch="efficientnet-lite0",
        weights="pretrained",
    )
    assert classifier.info.mean == pytest.approx((127 / 255,) * 3)
    assert "efficientnet-lite0" in classifier.info.training["start_weights"]


def test_measuring_reports_and_can_be_canceled(make_squares: Any) -> None:
    classifier = load_classifier("arch:small", classes=CLASSES)
    told: list[tuple[int, int]] = []
    measure_accuracy(classifier, make_squares(7), batch_size=3, progress=lambda *done: told.append(done))
    assert told == [(3, 7), (6, 7), (7, 7)]

    def cancel(_done: int, _total: int) -> None:
        raise Canceled

    with pytest.raises(Canceled):
        measure_accuracy(classifier, make_squares(7), batch_size=3, progress=cancel)
