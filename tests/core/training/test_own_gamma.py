"""The γ that a PGN of a range takes as its own, and one that leaves all images alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.evaluation.evaluate import Evaluation, evaluate
from pgn_studio.core.perturbation.pgn import ABSTAINS_ALWAYS, Pgn, load_pgn
from pgn_studio.core.training import run_state as module
from pgn_studio.core.training.events import EpochCompleted, Notice, RunFinished, RunStarted
from pgn_studio.core.training.input_mixup import MixedImages
from pgn_studio.core.training.own_gamma import abstention_notice, choose_gamma
from tests.core.training.conftest import Train

IMAGES = 100


@pytest.fixture
def dial(train: Train, settings: TrainingSettings) -> Pgn:
    folder, _ = train(settings.updated(gamma=(0.3, 30.0), epochs=1), name="dial")
    return load_pgn(folder.pgn_path)


def outcome(right: int, *, clean: int, like: Evaluation) -> Evaluation:
    """Of 100 images of class 0: the first `right` are right when perturbed, the first `clean` as they are."""
    labels = np.zeros(IMAGES, dtype=np.int64)
    per_image: Any = SimpleNamespace(
        labels=labels, perturbed_prediction_8bit=(np.arange(IMAGES) >= right).astype(np.int64)
    )
    metrics = replace(
        like.metrics, perturbed_accuracy_8bit=right / IMAGES, clean_accuracy=clean / IMAGES, n=IMAGES
    )
    return replace(like, metrics=metrics, per_image=per_image)


@pytest.fixture
def measured(dial: Pgn, classifier: Classifier, digits: ImageDataset) -> Evaluation:
    return evaluate(
        dial.asking(classifier), classifier, digits.split("val"), split_name="val", dataset_name="digits"
    )


@pytest.mark.parametrize(
    ("right", "own"),
    [
        ({0.3: 90, 3.0: 90, 30.0: 90}, 3.0),  # alike: the middle
        ({0.3: 91, 3.0: 90, 30.0: 80}, 3.0),  # better by one image, which is a standard error
        ({0.3: 95, 3.0: 90, 30.0: 80}, 0.3),
        ({0.3: 60, 3.0: 80, 30.0: 88}, 30.0),
        ({0.3: 60, 3.0: 74, 30.0: 75}, 30.0),  # the middle is below clean: the best of all
    ],
)
def test_validation_chooses_the_gamma(
    dial: Pgn, measured: Evaluation, right: dict[float, int], own: float
) -> None:
    def measure(pgn: Pgn) -> Evaluation:
        nearest = min(right, key=lambda gamma: abs(np.log(gamma / pgn.gamma)))
        return outcome(right[nearest], clean=75, like=measured)

    chosen = choose_gamma(dial, measure)
    assert chosen.pgn.info.gamma == chosen.pgn.gamma == pytest.approx(own, rel=0.7)
    assert (chosen.pgn.gamma == 3.0) == (own == 3.0)
    assert not chosen.abstains
    assert abstention_notice(chosen, step=1) is None


def test_a_pgn_that_helps_at_no_gamma_leaves_every_image_alone(
    dial: Pgn, measured: Evaluation, classifier: Classifier, digits: ImageDataset
) -> None:
    chosen = choose_gamma(dial, lambda pgn: outcome(70, clean=75, like=measured))
    assert chosen.abstains
    found = evaluate(
        chosen.pgn.asking(classifier),
        classifier,
        digits.split("val"),
        split_name="val",
        dataset_name="digits",
    )
    assert found.metrics.perturbed_accuracy_8bit == found.metrics.clean_accuracy
    assert found.metrics.rms_mean == 0
    notice = abstention_notice(chosen, step=7)
    assert notice is not None
    assert notice.code == "abstains-always"


def test_a_run_keeps_what_was_chosen(
    train: Train, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a generator that only does harm: the file, the last event and run.json say the same."""
    chosen = module.choose_gamma

    def never(pgn: Pgn, measure: Any) -> Any:
        own = chosen(pgn, measure)
        info = replace(own.pgn.info, abstain_below_rms=ABSTAINS_ALWAYS)
        return replace(own, pgn=Pgn(own.pgn.generator, info))

    monkeypatch.setattr(module, "choose_gamma", never)
    folder, events = train(settings.updated(gamma=(0.3, 30.0), epochs=1))
    ending = cast(RunFinished, events[-1])
    assert ending.perturbed_accuracy_8bit == ending.clean_accuracy
    assert ending.kept is not None
    assert ending.kept.rms_mean == 0
    assert load_pgn(folder.pgn_path).info.abstain_below_rms == ABSTAINS_ALWAYS
    assert load_pgn(folder.best_pgn_path).info.abstain_below_rms == 0  # the epoch's own is kept as it was
    assert "abstains-always" in [event.code for event in events if isinstance(event, Notice)]
    folder, events = train(settings.updated(gamma=(0.3, 30.0), epochs=2), resume=True)
    assert isinstance(events[-1], RunFinished)


@pytest.mark.parametrize("changes", [{"gamma": 3.0}, {"problem": "adversarial", "gamma": (1.0, 100.0)}])
def test_only_a_dial_that_is_to_enhance_chooses(
    train: Train, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    monkeypatch.setattr(module, "choose_gamma", None)
    _, events = train(settings.updated(epochs=1, **changes))
    assert isinstance(events[-1], RunFinished)


def test_a_classifier_that_knows_the_validation_images_is_shown_them_mixed(
    train: Train, settings: TrainingSettings, digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "unseen_accuracy", lambda *_: None)
    folder, events = train(settings.updated(gamma=(0.3, 30.0), epochs=1))
    started = next(event for event in events if isinstance(event, RunStarted))
    epoch = next(event for event in events if isinstance(event, EpochCompleted))
    assert epoch.clean_accuracy < started.clean_accuracy  # mixed, it fails more often
    notice = next(event for event in events if isinstance(event, Notice))
    assert notice.code == "validation-known"
    monkeypatch.undo()


def test_mixed_images_are_the_same_each_time(digits: ImageDataset) -> None:
    split = digits.split("val")
    mixed = MixedImages(split, share=0.5, seed=0)
    rows = np.arange(10)
    first = mixed.images(rows)
    assert first.dtype == np.uint8
    assert np.array_equal(first[3:4], mixed.images([3]))
    assert not np.array_equal(first, split.images(rows))
    assert np.array_equal(MixedImages(split, share=0.0, seed=0).images(rows), split.images(rows))
    assert mixed.labels is split.labels
    assert len(mixed.names) == len(mixed.pixel_hashes) == len(mixed) == len(split)
