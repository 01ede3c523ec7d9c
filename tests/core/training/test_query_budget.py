"""Training against a black box: labels alone, no gradient, within the budget, kept when answers stop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pgn_studio.core.classifiers import BlackBoxClassifier, Classifier, ClassifierInfo
from pgn_studio.core.classifiers.blackbox.meter import QueryMeter
from pgn_studio.core.classifiers.blackbox.outputs import OutputReader
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import BlackBoxError, QueryBudgetError
from pgn_studio.core.evaluation.evaluate import Evaluation, evaluate
from pgn_studio.core.perturbation.pgn import load_pgn
from pgn_studio.core.protocols import UInt8Images
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.events import EpochCompleted, Event, Notice, RunFailed, RunFinished
from pgn_studio.core.training.trainer import Trainer


class Oracle:
    """A network behind a counter; gives labels, or scores that share nothing with its own but the order."""

    name = "the oracle"
    largest_batch = 50

    def __init__(self, network: Classifier, *, scores: bool = False, fails_after: int | None = None) -> None:
        self.network, self.scores, self.fails_after = network, scores, fails_after
        self.asked = 0

    @torch.no_grad()
    def ask(self, images: UInt8Images, meter: QueryMeter) -> Any:
        meter.send(len(images))
        self.asked += len(images)
        if self.fails_after is not None and self.asked > self.fails_after:
            raise BlackBoxError("the oracle does not answer.")
        labels = self.network(to_pixels(images, torch.device("cpu"))).argmax(1).numpy()
        if not self.scores:
            return labels
        odd = np.random.default_rng(self.asked).random((len(labels), 10), dtype=np.float32)
        odd[np.arange(len(labels)), labels] = 1.5
        return odd


def boxed(oracle: Oracle, budget: int | None = None) -> BlackBoxClassifier:
    own = oracle.network.info
    info: ClassifierInfo = replace(own, arch="oracle", mean=(0.0,) * 3, std=(1.0,) * 3, path="http://x/")
    reader = OutputReader(oracle.name, own.classes, None)
    return BlackBoxClassifier(oracle, info, reader=reader, meter=QueryMeter(budget))


def train(
    folder: Path, settings: TrainingSettings, data: ImageDataset, box: Classifier, *, resume: bool = False
) -> list[Event]:
    events: list[Event] = []
    run = RunFolder.open(folder) if resume else RunFolder.create(folder, settings)
    Trainer(
        settings,
        dataset=data,
        classifier=box,
        run=run,
        control=TrainingControl(gamma=settings.gamma),
        sink=events.append,
        resume=resume,
    ).run()
    return events


@pytest.fixture
def asking(settings: TrainingSettings) -> TrainingSettings:
    return settings.updated(discriminator="blackbox", input_mixup=0.0)


def measured(path: Path, box: Classifier, data: ImageDataset) -> Evaluation:
    return evaluate(load_pgn(path), box, data.split("test"), split_name="test", dataset_name="digits")


@pytest.mark.parametrize("problem", ["enhance", "adversarial"])
def test_nothing_but_labels_is_used(
    problem: str, asking: TrainingSettings, digits: ImageDataset, classifier: Classifier, tmp_path: Path
) -> None:
    """The same labels with other scores, or with none, give the same PGN bit for bit."""
    settings = asking.updated(problem=problem)
    pgns = []
    for name, scores in (("labels", False), ("scores", True)):
        oracle = Oracle(classifier, scores=scores)
        box = boxed(oracle)
        events = train(tmp_path / name, settings, digits, box)
        ending = events[-1]
        assert isinstance(ending, RunFinished), ending
        assert ending.queries == oracle.asked == box.queries.used
        assert RunFolder.open(tmp_path / name).run_json["queries"] == oracle.asked
        assert [e.queries for e in events if isinstance(e, EpochCompleted)][-1] == oracle.asked
        assert any(isinstance(e, Notice) and e.code == "queries" for e in events)
        pgns.append(load_pgn(Path(ending.pgn_path)).state_dict())
    assert all(torch.equal(pgns[0][key], pgns[1][key]) for key in pgns[0])


def test_no_gradient_comes_back(classifier: Classifier) -> None:
    pixels = torch.rand(2, 3, 8, 8, requires_grad=True)
    answer = boxed(Oracle(classifier))(pixels)
    assert not answer.requires_grad
    assert answer.grad_fn is None


def test_clean_images_are_asked_about_once(
    asking: TrainingSettings, digits: ImageDataset, classifier: Classifier, tmp_path: Path
) -> None:
    oracle = Oracle(classifier)
    train(tmp_path / "run", asking, digits, boxed(oracle))
    images, val = len(digits.split("train")), len(digits.split("val"))
    # each epoch: x̃ of the training and validation images; once: those images themselves
    assert oracle.asked <= (1 + asking.epochs) * (images + val)


def test_shared_and_known_are_refused(
    asking: TrainingSettings, digits: ImageDataset, classifier: Classifier, tmp_path: Path
) -> None:
    for kind in ("shared", "known"):
        oracle = Oracle(classifier)
        (ending,) = train(tmp_path / kind, asking.updated(discriminator=kind), digits, boxed(oracle))
        assert isinstance(ending, RunFailed)
        assert "only answers" in ending.message
        assert "discriminator='blackbox'" in ending.hint
        assert oracle.asked == 0


def test_soft_targets_need_scores(
    asking: TrainingSettings, digits: ImageDataset, classifier: Classifier, tmp_path: Path
) -> None:
    soft = asking.updated(soft_targets=True, epochs=1)
    for scores, ending_type in ((False, RunFailed), (True, RunFinished)):
        box = boxed(Oracle(classifier, scores=scores))
        box.check(digits.image_size)
        ending = train(tmp_path / f"scores-{scores}", soft, digits, box)[-1]
        assert isinstance(ending, ending_type)
        if isinstance(ending, RunFailed):
            assert "answers with labels" in ending.message
            assert "soft_targets" in ending.message


def test_the_budget_stops_training_and_the_best_is_kept(
    asking: TrainingSettings, digits: ImageDataset, classifier: Classifier, tmp_path: Path
) -> None:
    settings = asking.updated(epochs=50)
    oracle = Oracle(classifier)
    events = train(tmp_path / "run", settings, digits, boxed(oracle, budget=6000))
    ending = events[-1]
    assert isinstance(ending, RunFinished)
    assert ending.reason == "stopped"
    assert 4500 < oracle.asked <= 6000
    notice = next(e for e in events if isinstance(e, Notice) and e.code == "query-budget")
    assert "query budget of 6,000 used" in notice.message
    assert Path(ending.pgn_path).is_file()


def test_a_budget_that_cannot_reach_is_refused_before_anything_is_asked(
    asking: TrainingSettings, digits: ImageDataset, classifier: Classifier, tmp_path: Path
) -> None:
    oracle = Oracle(classifier)
    (ending,) = train(tmp_path / "run", asking, digits, boxed(oracle, budget=500))
    assert isinstance(ending, RunFailed)
    assert "query budget leaves 500" in ending.message
    assert oracle.asked == 0


def test_answers_that_stop_cost_no_steps(
    asking: TrainingSettings, digits: ImageDataset, classifier: Classifier, tmp_path: Path
) -> None:
    settings, folder = asking.updated(epochs=3), tmp_path / "run"
    events = train(folder, settings, digits, boxed(Oracle(classifier, fails_after=4500)))
    ending = events[-1]
    assert isinstance(ending, RunFailed)
    assert ending.message == "the oracle does not answer."
    run = RunFolder.open(folder)
    assert run.run_json["status"] == "failed"
    assert run.run_json["queries"] > 0
    assert load_pgn(run.last_pgn_path)
    again = train(folder, settings, digits, boxed(Oracle(classifier)), resume=True)
    assert again[0].first_step == ending.step  # type: ignore[union-attr]
    assert isinstance(again[-1], RunFinished)
    assert again[-1].reason == "completed"


def test_labels_have_no_confidence(
    asking: TrainingSettings, digits: ImageDataset, classifier: Classifier, tmp_path: Path
) -> None:
    events = train(tmp_path / "run", asking.updated(epochs=1), digits, boxed(Oracle(classifier)))
    path = Path(events[-1].pgn_path)  # type: ignore[union-attr]
    blind, seeing = measured(path, boxed(Oracle(classifier)), digits), measured(path, classifier, digits)
    figures = blind.to_json()
    assert figures["map_clean"] is None
    assert figures["map_perturbed"] is None
    assert np.isnan(blind.per_image.clean_confidence).all()
    assert np.isnan(blind.per_image.perturbed_true_probability).all()
    assert figures["queries"] <= 2 * len(digits.split("test"))
    assert figures["clean_accuracy"] == seeing.metrics.clean_accuracy
    # a black box sees 8 bits only
    assert figures["perturbed_accuracy"] == figures["perturbed_accuracy_8bit"]
    assert figures["perturbed_accuracy_8bit"] == seeing.metrics.perturbed_accuracy_8bit


def test_evaluation_refuses_before_it_starts(
    asking: TrainingSettings, digits: ImageDataset, classifier: Classifier, tmp_path: Path
) -> None:
    events = train(tmp_path / "run", asking.updated(epochs=1), digits, boxed(Oracle(classifier)))
    path, count = Path(events[-1].pgn_path), len(digits.split("test"))  # type: ignore[union-attr]
    oracle = Oracle(classifier)
    with pytest.raises(QueryBudgetError, match=f"Measuring {count} images would take up to {2 * count}"):
        measured(path, boxed(oracle, budget=2 * count - 1), digits)
    assert oracle.asked == 0
    box = boxed(oracle, budget=2 * count)
    measured(path, box, digits)
    box.queries.budget = box.queries.used + count
    measured(path, box, digits)  # clean images are known: enough
