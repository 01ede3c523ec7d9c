"""A PGN that holds back: what it leaves alone, what that does, and that its file says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pgn_studio.core.classifiers.loading import load_classifier
from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import ConfigError, DataError, PgnFileError
from pgn_studio.core.evaluation.abstention import abstain, without_abstention
from pgn_studio.core.evaluation.evaluate import Evaluation, evaluate
from pgn_studio.core.export.deployable import Restraint, export_deployable
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.perturbation.pgn import Pgn, load_pgn, read_pgn_info, save_pgn
from tests.core.evaluation.samples import Shift, make_classifier, make_dial, make_pgn, make_split

BEFORE = Path(__file__).parents[2] / "files" / "digits-enhance-of-before.safetensors"


@pytest.fixture(scope="module")
def pgn() -> Pgn:
    """Of one γ, and told nothing of f: a file of an earlier version."""
    return load_pgn(BEFORE)


def measure(pgn: Pgn) -> Evaluation:
    digits = load_dataset(DataSettings.make(dataset="digits"))
    classifier = load_classifier(trained_folder() / "digits-classifier.safetensors")
    return evaluate(pgn, classifier, digits.split("val"), split_name="val", dataset_name="digits")


@pytest.fixture(scope="module")
def evaluation(pgn: Pgn) -> Evaluation:
    return measure(pgn)


@pytest.mark.parametrize("share", [0.15, 0.6])
def test_what_it_says_is_what_the_new_pgn_does(
    pgn: Pgn, evaluation: Evaluation, tmp_path: Path, share: float
) -> None:
    held = abstain(evaluation, share=share)
    assert held.abstained == round(share * len(evaluation.per_image)) > 0
    cautious = held.applied(pgn, name="cautious")
    save_pgn(tmp_path / "c.safetensors", cautious.generator, cautious.info)
    again = load_pgn(tmp_path / "c.safetensors")
    assert again.info == cautious.info
    found = measure(again)
    assert found.per_image.abstained == held.abstained
    assert found.facts["abstain_below_rms"] == held.abstain_below_rms > 0
    for name in (
        "clean_accuracy", "perturbed_accuracy", "perturbed_accuracy_8bit", "fixed", "broken", "fixed_8bit",
        "broken_8bit",
    ):  # fmt: skip
        assert getattr(found.metrics, name) == getattr(held, name)
    assert found.metrics.rms_mean == pytest.approx(held.rms_mean, rel=1e-5)
    smallest = np.argsort(evaluation.per_image.rms)[: held.abstained]
    assert set(np.flatnonzero(found.per_image.linf == 0)) == set(smallest)
    used = found.per_image.linf > 0
    assert np.allclose(found.per_image.l2[used], evaluation.per_image.l2[used])
    if share == 0.6:
        assert held.fixed_8bit < evaluation.metrics.fixed_8bit  # it is no free lunch


def test_a_share_of_nothing_is_the_pgn_as_it_was(pgn: Pgn, evaluation: Evaluation) -> None:
    held = abstain(evaluation, share=0)
    assert (held.abstain_below_rms, held.abstained) == (0, 0)
    assert held.perturbed_accuracy == evaluation.metrics.perturbed_accuracy
    cautious = abstain(evaluation, share=0.5).applied(pgn, name="c")
    assert without_abstention(cautious).info.abstain_below_rms == 0


def test_the_deployed_model_holds_back_too(pgn: Pgn, evaluation: Evaluation, tmp_path: Path) -> None:
    cautious = abstain(evaluation, share=0.5).applied(pgn, name="c")
    images = load_dataset(DataSettings.make(dataset="digits")).split("val").images(range(8))
    for name, restraint in (("a.pt2", Restraint()), ("b.pt2", Restraint(2.0, 0.001))):
        export_deployable(tmp_path / name, cautious, images, restraint=restraint)
        pixels = to_pixels(images, torch.device("cpu")).contiguous()
        found = torch.export.load(tmp_path / name).module()(pixels)
        unchanged = (found == pixels).flatten(1).all(1)
        alone = (cautious.perturb(pixels).perturbation == 0).flatten(1).all(1)
        assert unchanged.tolist() == alone.tolist()
        assert 0 < alone.sum() < 8


def test_where_gamma_is_a_range_it_is_read_off_at_one_and_holds_at_all(tmp_path: Path) -> None:
    dial = without_abstention(make_dial().at(10.0))
    assert dial.gamma == 10.0
    named = {"split_name": "val", "dataset_name": "noise"}
    evaluation = evaluate(dial, make_classifier(), make_split(20), **named)
    cautious = abstain(evaluation, share=0.5).applied(dial, name="cautious")
    save_pgn(tmp_path / "c.safetensors", cautious.generator, cautious.info)
    read = load_pgn(tmp_path / "c.safetensors")
    assert (read.gamma, str(read.generator.gammas)) == (10.0, "0.3..30")
    for gamma in (0.3, 10.0, 30.0):
        sizes = evaluate(read.at(gamma), make_classifier(), make_split(20), **named).per_image.rms
        assert not ((sizes > 0) & (sizes < read.info.abstain_below_rms * 0.99)).any()
    assert evaluate(read, make_classifier(), make_split(20), **named).per_image.abstained == 10


def test_alike_perturbations_and_attacks_are_refused(pgn: Pgn) -> None:
    evaluation = evaluate(
        make_pgn(Shift(red=0.1)), make_classifier(), make_split(20), split_name="val", dataset_name="noise"
    )
    with pytest.raises(DataError, match="one size"):
        abstain(evaluation, share=0.5)
    attack = Pgn(pgn.generator, replace(pgn.info, problem="adversarial"))
    with pytest.raises(ConfigError, match="attacks"):
        without_abstention(attack)


@pytest.mark.parametrize("value", [-1.0, "much", None, [0.1]])
def test_a_file_with_a_wrong_threshold_is_refused(pgn: Pgn, tmp_path: Path, value: object) -> None:
    path = tmp_path / "pgn.safetensors"
    save_pgn(path, pgn.generator, replace(pgn.info, abstain_below_rms=value))  # type: ignore[arg-type]
    with pytest.raises(PgnFileError, match="damaged"):
        read_pgn_info(path)


def test_a_file_of_before_says_nothing_of_it(pgn: Pgn) -> None:
    raw = json.loads(_metadata(BEFORE)["info"])
    assert "abstain_below_rms" not in raw
    assert pgn.info.abstain_below_rms == 0


def _metadata(path: Path) -> dict[str, str]:
    import safetensors

    with safetensors.safe_open(path, framework="pt") as stream:
        return dict(stream.metadata())
