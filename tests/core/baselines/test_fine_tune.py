from __future__ import annotations

import copy

import pytest
import torch

from pgn_studio.core.baselines import fine_tune as fine_tuning
from pgn_studio.core.baselines.fine_tune import fine_tune
from pgn_studio.core.baselines.preparing import make_baseline
from pgn_studio.core.classifiers import Classifier, measure_accuracy
from pgn_studio.core.errors import Canceled, ClassifierError
from pgn_studio.core.evaluation.evaluate import evaluate_perturber
from tests.core.baselines.conftest import MakeContext
from tests.core.baselines.linear import answering_classifier
from tests.core.evaluation.samples import ArraySplit


def test_f_stays_as_it_was_and_its_copy_learns(
    make_context: MakeContext, classifier: Classifier, splits: dict[str, ArraySplit]
) -> None:
    before = copy.deepcopy(classifier.state_dict())
    context = make_context(settings={"epochs": 4})
    made = make_baseline("fine-tune", context)
    tuned = made.classifier
    assert made.rms is None
    assert tuned is not classifier
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert not any(weight.requires_grad for weight in (*classifier.parameters(), *tuned.parameters()))
    assert not any(module.training for module in (*classifier.modules(), *tuned.modules()))
    assert (tuned.info.path, tuned.info.sha256) == ("", "")
    tuned_accuracy = measure_accuracy(tuned, splits["train"])
    assert tuned_accuracy > measure_accuracy(classifier, splits["train"])

    evaluation = evaluate_perturber(
        made.perturber,
        tuned,
        splits["test"],
        split_name="test",
        dataset_name="digits",
        space=context.space,
        clean_classifier=classifier,
    )
    metrics = evaluation.metrics
    assert metrics.clean_accuracy == measure_accuracy(classifier, splits["test"])
    assert metrics.perturbed_accuracy == measure_accuracy(tuned, splits["test"])
    assert metrics.perturbed_accuracy_8bit == metrics.perturbed_accuracy
    assert metrics.rms_mean == 0.0
    assert metrics.fixed > 0
    assert evaluation.to_json()["classifier_sha256"] == classifier.info.sha256


def test_the_best_epoch_on_validation_is_kept(
    make_context: MakeContext, splits: dict[str, ArraySplit]
) -> None:
    """On validation labels that only f itself meets, no epoch is better than none."""
    f = make_context().classifier
    images = splits["val"].images(range(40))
    answers = f(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255).argmax(1).tolist()
    tuned = fine_tune(make_context(val=ArraySplit(images, answers, names=["-"] * 40)))
    for name, value in tuned.net.state_dict().items():
        assert torch.equal(value, f.net.state_dict()[name]), name


def test_of_epochs_that_validation_cannot_tell_apart_the_latest_is_kept(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_after: dict[int, dict[str, torch.Tensor]] = {}
    accuracies = iter((0.5, 0.9, 0.88, 0.6))  # of f and three epochs; of 40 images 0.9 is sure to 0.05

    def accuracy(run: fine_tuning._Run) -> float:
        kept_after[len(kept_after)] = copy.deepcopy(run.tuned.net.state_dict())
        return next(accuracies)

    monkeypatch.setattr(fine_tuning._Run, "accuracy", accuracy)
    tuned = fine_tune(make_context(settings={"epochs": 3}))
    for name, value in tuned.net.state_dict().items():
        assert torch.equal(value, kept_after[2][name]), name
    assert not torch.equal(next(iter(kept_after[1].values())), next(iter(kept_after[2].values())))


def test_the_seed_decides(make_context: MakeContext) -> None:
    first, again, other = (
        fine_tune(make_context(seed=seed, settings={"epochs": 2})).net.state_dict() for seed in (0, 0, 1)
    )
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())


def test_canceling_leaves_f_alone(make_context: MakeContext, classifier: Classifier) -> None:
    before = copy.deepcopy(classifier.state_dict())

    def cancel(done: int, total: int) -> None:
        assert total == 6
        if done == 3:
            raise Canceled

    with pytest.raises(Canceled):
        fine_tune(make_context(), cancel)
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())


def test_what_has_no_weights_is_refused(make_context: MakeContext) -> None:
    with pytest.raises(ClassifierError, match="cannot be trained further"):
        fine_tune(make_context(classifier=answering_classifier()))
