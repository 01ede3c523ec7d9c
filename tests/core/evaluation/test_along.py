"""One PGN at several γ: each as if alone, and f asked about the clean images once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from pgn_studio.core.classifiers import Access, Classifier, load_classifier
from pgn_studio.core.errors import ConfigError, DataError, PgnFileError, QueryBudgetError
from pgn_studio.core.evaluation.along import evaluate_along
from pgn_studio.core.evaluation.evaluate import evaluate
from pgn_studio.core.perturbation.pgn import Pgn, Told
from tests.core.evaluation.samples import (
    CLASSES,
    ArraySplit,
    BrightestChannel,
    make_classifier,
    make_dial,
    make_split,
)

NAMED = {"split_name": "test", "dataset_name": "noise"}


class Counting(BrightestChannel):
    """Counts the images that it is asked about."""

    asked = 0

    def forward(self, normalized: Tensor) -> Tensor:
        self.asked += len(normalized)
        return super().forward(normalized)


def brightest(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """As a black box answers: labels alone."""
    return np.asarray(images.mean((1, 2)).argmax(1))


def open_black_box(budget: int | None = None) -> Classifier:
    access = Access(budget=budget, trust_code=True)
    return load_classifier(
        f"python:{__name__}:{brightest.__name__}", classes=CLASSES, image_size=8, access=access
    )


def counting() -> tuple[Classifier, Counting]:
    net = Counting()
    return Classifier(net, make_classifier().info), net


@pytest.mark.parametrize("told", ["nothing", "label", "probabilities"])
def test_each_is_as_if_measured_alone_and_clean_images_are_asked_once(told: Told) -> None:
    pgn, split = make_dial(told=told), make_split(20)
    classifier, net = counting()
    seen: list[tuple[int, int]] = []
    found = evaluate_along(
        pgn, (10.0, 0.3, 3.0), classifier, split, batch_size=8, **NAMED,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert net.asked == 20 * (1 + 3 * 2)  # clean; each γ perturbed, and at 8 bits
    assert [one.facts["gamma"] for one in found] == [10.0, 0.3, 3.0]
    assert len({one.metrics.rms_mean for one in found}) == 3
    assert seen[-1] == (60, 60)
    assert seen == sorted(seen)
    for one in found:
        alone = evaluate(pgn.at(one.facts["gamma"]), make_classifier(), split, batch_size=8, **NAMED)
        assert alone.metrics == one.metrics
        np.testing.assert_array_equal(alone.per_image.l2, one.per_image.l2)


def test_a_told_pgn_asks_nothing_more_than_one_that_is_not() -> None:
    asked = []
    for told in ("nothing", "probabilities"):
        classifier, net = counting()
        evaluate(make_dial(told=told), classifier, make_split(20), batch_size=8, **NAMED)  # type: ignore[arg-type]
        asked.append(net.asked)
    assert asked[0] == asked[1] == 60


def test_what_is_not_served_is_refused_before_anything_is_measured() -> None:
    classifier, net = counting()
    with pytest.raises(ConfigError, match=r"gamma 31 is outside of the range 0\.3\.\.30"):
        evaluate_along(make_dial(), (3.0, 31.0), classifier, make_split(4), **NAMED)
    with pytest.raises(ConfigError, match="γ 3 alone"):
        evaluate_along(make_dial(gamma=3.0), (3.0, 10.0), classifier, make_split(4), **NAMED)
    with pytest.raises(DataError, match="no images"):
        evaluate_along(
            make_dial(), (3.0,), classifier, ArraySplit(np.zeros((0, 8, 8, 3), np.uint8), []), **NAMED
        )
    assert net.asked == 0


def test_a_budget_is_checked_for_all_of_them_before_the_first_question() -> None:
    classifier = open_black_box(budget=50)
    assert classifier.queries is not None
    used = classifier.queries.used
    with pytest.raises(QueryBudgetError, match="3 times"):
        evaluate_along(make_dial(), (0.3, 3.0, 30.0), classifier, make_split(20), **NAMED)
    assert classifier.queries.used == used


def test_what_it_is_told_matters_and_two_classifiers_do_not_mix() -> None:
    pgn, pixels = make_dial(told="probabilities"), torch.rand(4, 3, 8, 8)
    with pytest.raises(PgnFileError, match="none was given"):
        pgn.perturb(pixels)
    one, other = make_classifier(), Classifier(Opposite(), make_classifier().info)
    bound = pgn.asking(one)
    before = bound.perturb(pixels).perturbation
    told_otherwise = pgn.asking(other).perturb(pixels).perturbation
    assert not torch.equal(before, told_otherwise)
    assert torch.equal(bound.perturb(pixels).perturbation, before)
    assert not any("_ask" in name for name in dict(pgn.named_modules()))
    with pytest.raises(PgnFileError, match="none was given"):
        pgn.perturb(pixels)


class Opposite(BrightestChannel):
    def forward(self, normalized: Tensor) -> Tensor:
        return -super().forward(normalized)


def test_labels_alone_are_told_as_they_are_one_hot() -> None:
    classifier = open_black_box()
    pgn: Pgn = make_dial(told="probabilities").asking(classifier)
    pixels = torch.rand(4, 3, 8, 8)
    one_hot = classifier(pixels)
    assert not classifier.gives_scores
    expected = pgn.perturb_encoded(pixels, pgn.generator.encode(pixels), one_hot.float())
    assert torch.equal(pgn.perturb(pixels).perturbation, expected.perturbation)
