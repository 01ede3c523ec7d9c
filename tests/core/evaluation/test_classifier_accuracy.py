"""Clean accuracy of a split: counts, intervals, and when it is called poor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pgn_studio.core.errors import Canceled, ClassifierError, DataError, QueryBudgetError
from pgn_studio.core.evaluation.classifier_accuracy import (
    ClassifiedSplit,
    classifier_facts,
    classify_split,
    poor_split,
    share,
)
from tests.core.evaluation.samples import make_classifier, make_split
from tests.studies import CLASSES, COUNT, ArraySplit, Study, make_study

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def study() -> Study:
    return make_study()


def measured(right: int, wrong: int, classes: int = 2) -> ClassifiedSplit:
    """`right` images that are right and `wrong` ones that are not, of as many images of each class."""
    labels = np.arange(right + wrong, dtype=np.int64) % classes
    said = labels.copy()
    said[right:] = (labels[right:] + 1) % classes
    return ClassifiedSplit("test", labels, said, tuple(f"c{k}" for k in range(classes)))


def test_it_says_what_the_evaluation_says(study: Study) -> None:
    told: list[tuple[int, int]] = []
    found = classify_split(
        study.classifier, study.dataset.test, split_name="test", batch_size=16, device=CPU,
        progress=lambda *done: told.append(done),
    )  # fmt: skip
    assert told == [(16, COUNT), (32, COUNT), (COUNT, COUNT)]
    assert np.array_equal(found.predictions, study.per_image.clean_prediction)
    assert found.accuracy.value == pytest.approx(study.evaluation.metrics.clean_accuracy)
    assert found.confusion.sum() == COUNT
    assert found.seconds > 0
    expected = {row["class"]: (row["n"], row["clean_accuracy"]) for row in study.evaluation.per_class()}
    assert {row["class"]: (row["n"], row["accuracy"]) for row in found.per_class()} == expected


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_scores_that_are_not_finite_are_refused_with_the_images_name(value: float) -> None:
    classifier, split = make_classifier(), make_split(10)

    def spoiled(_net: nn.Module, given: tuple[Tensor, ...], logits: Tensor) -> Tensor:
        return logits.index_fill(0, torch.tensor([1]), value) if len(given[0]) == 2 else logits

    classifier.net.register_forward_hook(spoiled)
    with pytest.raises(ClassifierError) as caught:
        classify_split(classifier, split, split_name="val", batch_size=8, device=CPU)
    assert repr(split.names[9]) in caught.value.message
    assert "val" in caught.value.message


def test_a_class_that_cannot_be_is_no_fault() -> None:
    classifier, split = make_classifier(), make_split(6)
    classifier.net.register_forward_hook(
        lambda _net, _given, logits: logits.index_fill(1, torch.tensor([2]), -torch.inf)
    )
    assert 2 not in classify_split(classifier, split, split_name="val", device=CPU).predictions


def test_each_class_with_what_it_is_taken_for() -> None:
    found = ClassifiedSplit(
        "val", np.array([0, 0, 0, 0, 1]), np.array([0, 1, 2, 2, 1]), ("a", "b", "c", "none such")
    )
    first, second, third, _last = found.per_class()
    assert (first["accuracy"], first["taken_for"], first["as_often"]) == (0.25, "c", 2)
    assert (second["accuracy"], second["taken_for"]) == (1.0, "")
    assert (third["n"], third["accuracy"]) == (0, None)
    assert found.to_json()["confusion"][0] == [1, 1, 2, 0]


def test_the_interval_is_wilsons_and_holds_at_the_ends() -> None:
    ten = share(10, 10)
    assert (ten.value, ten.high) == (1.0, pytest.approx(1.0))
    assert ten.low == pytest.approx(0.7225, abs=1e-4)  # 10 / (10 + 1.96²)
    assert share(0, 10).high == pytest.approx(0.2775, abs=1e-4)


@pytest.mark.parametrize(
    ("right", "wrong", "classes", "poor"),
    [
        (60, 140, 2, True),
        (110, 90, 2, True),  # half is chance; the middle is at 75 %
        (190, 10, 2, False),
        (60, 140, 10, True),  # the middle is at 55 %
        (130, 70, 10, False),
        (1, 1, 10, False),  # two images tell nothing
    ],
)
def test_poor_is_below_the_middle_between_chance_and_perfect(
    right: int, wrong: int, classes: int, poor: bool
) -> None:
    assert measured(right, wrong, classes).is_poor == poor


def test_a_file_of_ours_is_not_suspected_unless_another_normalization_was_given(study: Study) -> None:
    bad = measured(10, 190, 10)
    text = poor_split(study.classifier, [measured(200, 0), bad], told=False)
    assert text is not None
    assert "5.0 %" in text
    assert poor_split(study.classifier, [measured(200, 0)], told=False) is None
    own = make_study().classifier
    own.info = replace(own.info, training={"epochs": 3})
    assert poor_split(own, [bad], told=False) is None
    assert poor_split(own, [bad], told=True) is not None


def test_bad_input(study: Study) -> None:
    empty = ArraySplit(np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, np.int64))
    with pytest.raises(DataError, match="no images"):
        classify_split(study.classifier, empty, split_name="val", device=CPU)
    strange = ArraySplit(np.zeros((1, 8, 8, 3), np.uint8), np.array([0]))
    strange.labels = np.array([7])
    with pytest.raises(ClassifierError, match="3 classes"):
        classify_split(study.classifier, strange, split_name="val", device=CPU)

    def cancel(_done: int, _total: int) -> None:
        raise Canceled

    with pytest.raises(Canceled):
        classify_split(study.classifier, study.dataset.test, split_name="t", device=CPU, progress=cancel)


def test_facts_are_complete(study: Study) -> None:
    facts = classifier_facts(study.classifier)
    assert (facts["Mean"], facts["Std"], facts["Channel order"]) == ("0.5 0.5 0.5", "0.5 0.5 0.5", "RGB")
    assert facts["Input"].startswith("8 × 8 px")
    assert facts["Classes"] == f"3: {', '.join(CLASSES)}"
    many = make_study().classifier
    many.info = replace(many.info, classes=tuple(f"class {k}" for k in range(1000)))
    assert len(classifier_facts(many)["Classes"]) < 300


def test_a_budget_that_does_not_reach_is_refused_before_the_first_question(
    study: Study, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgn_studio.core.classifiers import Access, load_classifier

    asked: list[int] = []

    def answer(images: np.ndarray) -> np.ndarray:
        asked.append(len(images))
        return np.zeros(len(images), dtype=np.int64)

    monkeypatch.setattr("tests.core.evaluation.test_classifier_accuracy.answer", answer, raising=False)
    access = Access(budget=20, trust_code=True)
    box = load_classifier(
        "python:tests.core.evaluation.test_classifier_accuracy:answer",
        classes=CLASSES,
        image_size=8,
        access=access,
    )
    before = sum(asked)
    with pytest.raises(QueryBudgetError):
        classify_split(box, study.dataset.test, split_name="test", device=CPU)
    assert sum(asked) == before
    assert poor_split(box, [measured(10, 190, 10)], told=False) is None
    assert classifier_facts(box)["Mean"].startswith("its own")
