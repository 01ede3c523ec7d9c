from __future__ import annotations

import numpy as np
import pytest
import torch

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.evaluation.evaluate import OUTCOMES, Evaluation, evaluate
from pgn_studio.core.export.triptych import perturbation_picture, pick_indices, triptych_rows
from tests.core.evaluation.samples import CLASSES, ArraySplit, Shift, make_classifier, make_pgn, make_split


@pytest.fixture(scope="module")
def split() -> ArraySplit:
    return make_split(60)


@pytest.fixture(scope="module")
def evaluation(split: ArraySplit) -> Evaluation:
    pgn = make_pgn(Shift(red=0.03))
    return evaluate(pgn, make_classifier(), split, split_name="test", dataset_name="noise")


@pytest.mark.parametrize("input_space", ["pixel", "normalized"])
def test_rows_follow_the_indices(split: ArraySplit, input_space: str) -> None:
    generator = Shift(red=0.4, noise=0.1)
    pgn, classifier = make_pgn(generator, input_space=input_space), make_classifier()
    indices = [59, 0, 7, *range(40)]
    rows = triptych_rows(pgn, classifier, split, indices)
    assert [row.name for row in rows] == [split.names[index] for index in indices]
    row, image = rows[2], split.images([7])
    x = torch.from_numpy(image).permute(0, 3, 1, 2) / 255
    p = generator(x)
    if input_space == "normalized":
        p = p * classifier.std  # what a step of 1 after the normalization is in pixel values
    np.testing.assert_array_equal(row.original, image[0])
    np.testing.assert_allclose(row.perturbation, p[0].permute(1, 2, 0).numpy(), atol=1e-6)
    expected = np.clip(np.rint((x + p)[0].permute(1, 2, 0).numpy() * 255), 0, 255)
    np.testing.assert_allclose(row.perturbed, expected, atol=1)  # 1: a rounding may fall either way
    probabilities = classifier(x + p).softmax(1)[0]
    assert row.perturbed_label == CLASSES[int(probabilities.argmax())]
    assert row.perturbed_confidence == pytest.approx(probabilities.max().item(), abs=1e-5)
    assert row.true_label == CLASSES[split.labels[7]]
    assert row.scale == pytest.approx(p.abs().max().item(), abs=1e-6)
    assert row.rms == pytest.approx(p.square().mean().sqrt().item(), abs=1e-6)


def test_rows_are_made_in_batches_and_none_for_none(split: ArraySplit) -> None:
    before = split.calls
    triptych_rows(make_pgn(Shift()), make_classifier(), split, range(40))
    assert split.calls - before == 2
    assert triptych_rows(make_pgn(Shift()), make_classifier(), split, []) == []


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_picks_come_by_change_of_the_true_class(evaluation: Evaluation, outcome: str) -> None:
    image = evaluation.per_image
    gain = image.perturbed_true_probability - image.clean_true_probability
    members = np.flatnonzero(image.outcome == outcome)
    picked = pick_indices(evaluation, outcome, count=3)
    assert len(members) > 3
    by_gain = sorted(members, key=lambda index: gain[index], reverse=outcome != "broken")
    assert gain[picked].tolist() == gain[by_gain[:3]].tolist()
    assert sorted(pick_indices(evaluation, outcome, count=1000)) == members.tolist()
    np.testing.assert_array_equal(picked, pick_indices(evaluation, outcome, count=3))


def test_unknown_outcome_lists_the_right_ones(evaluation: Evaluation) -> None:
    with pytest.raises(PgnStudioError, match="fixed, broken, both right, both wrong"):
        pick_indices(evaluation, "better")


def test_no_image_of_an_outcome_gives_no_index(split: ArraySplit) -> None:
    same = evaluate(make_pgn(Shift()), make_classifier(), split, split_name="test", dataset_name="noise")
    assert pick_indices(same, "fixed").tolist() == []


def test_perturbation_picture_is_signed_about_mid_gray() -> None:
    p = np.array([[[0.0, 0.02, -0.02], [0.01, -0.01, 0.0]]], dtype=np.float32)
    assert perturbation_picture(p).tolist() == [[[128, 255, 1], [192, 64, 128]]]
    assert perturbation_picture(p, gain=2).tolist() == [[[128, 255, 1], [255, 1, 128]]]
    assert (perturbation_picture(np.zeros((2, 2, 3), np.float32)) == 128).all()
