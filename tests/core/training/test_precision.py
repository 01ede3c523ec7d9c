"""Training may compute in bf16; what is told of a PGN does not depend on it, nor on the processor."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pgn_studio.core import device
from pgn_studio.core.classifiers import Classifier, measure_accuracy
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.evaluation.evaluate import Evaluation, evaluate
from pgn_studio.core.perturbation.pgn import Pgn, load_pgn
from pgn_studio.core.training.events import EpochCompleted, RunFinished, RunStarted
from pgn_studio.core.training.validation import BATCH
from tests.core.training.conftest import Train

FIGURES = ("perturbed_accuracy", "perturbed_accuracy_8bit", "fixed", "broken", "l2_mean", "rms_mean")


def measured(pgn: Pgn, classifier: Classifier, digits: ImageDataset) -> Evaluation:
    return evaluate(pgn, classifier, digits.split("val"), split_name="val", dataset_name="", batch_size=BATCH)


def assert_equal(one: Evaluation, other: Evaluation) -> None:
    assert one.metrics == other.metrics
    for name in ("perturbed_prediction_8bit", "perturbed_true_probability", "l2", "linf"):
        assert np.array_equal(getattr(one.per_image, name), getattr(other.per_image, name)), name


@pytest.mark.parametrize(
    ("precision", "native", "trained_in"),
    [("auto", True, "bf16"), ("auto", False, "fp32"), ("bf16", False, "bf16"), ("fp32", True, "fp32")],
)
def test_a_run_tells_what_evaluating_its_pgn_gives(
    train: Train, settings: TrainingSettings, classifier: Classifier, digits: ImageDataset,
    monkeypatch: pytest.MonkeyPatch, precision: str, native: bool, trained_in: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(device, "cpu_has_bf16", lambda: native)
    folder, events = train(settings.updated(precision=precision, select="last"))
    (started,) = (event for event in events if isinstance(event, RunStarted))
    assert started.precision == trained_in
    pgn = load_pgn(folder.pgn_path)
    found = measured(pgn, classifier, digits)
    last = [event for event in events if isinstance(event, EpochCompleted)][-1]
    assert started.clean_accuracy == found.metrics.clean_accuracy
    assert {name: getattr(last, name) for name in FIGURES} == {
        name: pytest.approx(getattr(found.metrics, name), rel=1e-6) for name in FIGURES
    }
    assert isinstance(events[-1], RunFinished)
    assert events[-1].perturbed_accuracy_8bit == found.metrics.perturbed_accuracy_8bit

    for other in (True, False):
        monkeypatch.setattr(device, "cpu_has_bf16", lambda other=other: other)
        assert_equal(measured(pgn, classifier, digits), found)


def test_a_classifier_s_accuracy_and_a_pgn_s_figures_ignore_autocast_around_them(
    train: Train, settings: TrainingSettings, classifier: Classifier, digits: ImageDataset
) -> None:
    folder, _ = train(settings.updated(epochs=1))
    pgn = load_pgn(folder.pgn_path)
    found, clean = measured(pgn, classifier, digits), measure_accuracy(classifier, digits.split("val"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_equal(measured(pgn, classifier, digits), found)
        assert measure_accuracy(classifier, digits.split("val")) == clean
