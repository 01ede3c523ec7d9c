"""Real small runs that go wrong: what is told, what stops, and what is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import L2Kind, TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.evaluation.evaluate import clean_scores
from pgn_studio.core.perturbation.pgn import load_pgn
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training import model_selection, validation
from pgn_studio.core.training import step as step_module
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.events import (
    EpochCompleted,
    Event,
    Notice,
    RunFailed,
    RunFinished,
    StepCompleted,
)
from pgn_studio.core.training.model_selection import as_good
from tests.core.training.conftest import Train

SMALL_BATCHES = {"batch_size": 32, "epochs": 3}  # 34 steps an epoch


def notices(events: list[Event]) -> list[Notice]:
    return [event for event in events if isinstance(event, Notice)]


def started(events: list[Event]) -> set[str]:
    return {notice.code for notice in notices(events) if notice.level in ("warning", "severe")}


def contents(folder: RunFolder) -> dict[str, bytes]:
    kept = (folder.pgn_path, folder.best_pgn_path, folder.last_pgn_path, folder.checkpoint_path)
    return {path.name: path.read_bytes() for path in kept}


class TestRealRuns:
    def test_a_healthy_run_is_quiet(self, train: Train, settings: TrainingSettings) -> None:
        _, events = train(settings.updated(batch_size=32, epochs=4))
        assert not [notice for notice in notices(events) if notice.level != "info"]

    def test_a_d_that_hardly_learns(self, train: Train, settings: TrainingSettings) -> None:
        # Told labels, even a D that does not learn answers one label otherwise than another.
        untold = {"label_conditioning": False, "soft_targets": False}
        slow = settings.updated(learning_rate_d=1e-8, **untold, **SMALL_BATCHES)
        folder, events = train(slow)
        assert "d-constant" in started(events)
        logged = [record for record in folder.read_metrics() if record["event"] == "Notice"]
        assert [record["code"] for record in logged] == [notice.code for notice in notices(events)]
        assert all(record["level"] for record in logged)

    def test_a_g_without_a_bound_and_far_too_fast(self, train: Train, settings: TrainingSettings) -> None:
        _, events = train(settings.updated(gamma=0.0, learning_rate_g=0.1, batch_size=32, epochs=2))
        told = started(events)
        assert "perturbation-exploding" in told
        assert told & {"g-outran-d", "below-clean"}  # which of them hangs on the processor's last bits

    def test_a_gamma_far_too_large(self, train: Train, settings: TrainingSettings) -> None:
        _, events = train(settings.updated(gamma=1e5, batch_size=32, epochs=4))
        assert "perturbation-vanishing" in started(events)

    def test_a_classifier_that_is_right_on_all_its_training_images(
        self, train: Train, settings: TrainingSettings, digits: ImageDataset, classifier: Classifier
    ) -> None:
        split = digits.split("train")
        right = clean_scores(classifier, split).argmax(1) == split.labels
        only = {**digits.splits, "train": split.subset(np.flatnonzero(right))}
        _, events = train(
            settings.updated(input_mixup=0.0, batch_size=32, epochs=4, gamma=100.0),
            dataset=replace(digits, splits=only),
        )
        told = [notice for notice in notices(events) if notice.code == "targets-constant"]
        assert [(notice.step, notice.level) for notice in told] == [(0, "warning")]  # once, not each epoch
        assert "input_mixup" in told[0].hint

    def test_a_resumed_run_tells_what_it_would_have_told(
        self, train: Train, settings: TrainingSettings
    ) -> None:
        settings = settings.updated(learning_rate_d=1e-8, **SMALL_BATCHES)
        whole, _ = train(settings, name="whole")
        stop = {70: lambda control: control.stop()}
        train(settings, name="stopped", at=stop)
        resumed, _ = train(settings, name="stopped", resume=True)

        def told(folder: RunFolder) -> list[tuple[int, str, str]]:
            rows = [record for record in folder.read_metrics() if record["event"] == "Notice"]
            return [(row["step"], row["code"], row["level"]) for row in rows]

        ends = {"below-clean"}  # judged wherever a run ends
        assert [row for row in told(resumed) if row[1] not in ends] == [
            row for row in told(whole) if row[1] not in ends
        ]


class TestNotFinite:
    def poison_losses(self, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
        original, calls = step_module.l2_terms, iter(range(1, 1000))

        def poisoned(perturbation: torch.Tensor, kind: L2Kind) -> torch.Tensor:
            value = original(perturbation, kind)
            return value * float("nan") if next(calls) == step else value

        monkeypatch.setattr(step_module, "l2_terms", poisoned)

    def poison_gradients(self, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
        """Finite losses, and an infinite gradient behind them: a square root's at zero."""
        original, calls = step_module.l2_terms, iter(range(1, 1000))

        def poisoned(perturbation: torch.Tensor, kind: L2Kind) -> torch.Tensor:
            value = original(perturbation, kind)
            return value + (0 * perturbation).sum().sqrt() if next(calls) == step else value

        monkeypatch.setattr(step_module, "l2_terms", poisoned)

    @pytest.mark.parametrize(("what", "step"), [("losses", 12), ("gradients", 12), ("gradients", 18)])
    @pytest.mark.parametrize("variant", [{}, {"encoder_training": "frozen"}], ids=["own", "frozen"])
    def test_it_stops_and_nothing_that_was_kept_changes(
        self,
        train: Train,
        settings: TrainingSettings,
        monkeypatch: pytest.MonkeyPatch,
        what: str,
        step: int,
        variant: dict[str, Any],
    ) -> None:
        """9 steps an epoch: within the second one, and in its very last step."""
        settings = settings.updated(**variant)
        healthy, _ = train(settings.updated(epochs=1), name="healthy")
        getattr(self, f"poison_{what}")(monkeypatch, step)
        folder, events = train(settings)
        assert isinstance(events[-1], RunFailed)
        assert "no longer finite at step" in events[-1].message
        assert "kept as it was at step 9" in events[-1].message
        assert "gamma" in events[-1].hint
        told = notices(events)[-1]
        assert (told.code, told.level) == ("non-finite", "severe")
        assert events[-1].message == told.message
        assert folder.run_json["status"] == "failed"
        assert len([event for event in events if isinstance(event, EpochCompleted)]) == 1
        for ours, theirs in zip(checked(folder), checked(healthy), strict=True):
            assert ours.keys() == theirs.keys()
            assert all(torch.equal(value, theirs[name]) for name, value in ours.items())

    def test_the_run_can_be_opened_and_gone_on_with(
        self, train: Train, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.poison_losses(monkeypatch, 12)
        folder, _ = train(settings)
        assert load_pgn(folder.pgn_path).info.metrics["perturbed_accuracy_8bit"] > 0
        _, events = train(settings, resume=True)  # the poison is used up
        assert isinstance(events[-1], RunFinished)
        assert "non-finite" not in {record.get("code") for record in folder.read_metrics()}

    def test_in_the_first_epoch_nothing_is_kept_and_that_is_said(
        self, train: Train, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.poison_losses(monkeypatch, 3)
        folder, events = train(settings)
        assert isinstance(events[-1], RunFailed)
        assert "Nothing is kept" in events[-1].message
        assert not folder.pgn_path.exists()
        assert not folder.checkpoint_path.exists()
        assert RunFolder.open(folder.path).run_json["status"] == "failed"

    def test_a_stop_after_the_poison_keeps_nothing_of_it(
        self, train: Train, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.poison_gradients(monkeypatch, 12)
        folder, events = train(settings, at={12: stop_now})
        assert isinstance(events[-1], RunFailed)
        checked(folder)


def checked(folder: RunFolder) -> list[dict[str, torch.Tensor]]:
    """All tensors of a run's files, found to be finite."""
    files = (folder.pgn_path, folder.best_pgn_path, folder.last_pgn_path, folder.checkpoint_path)
    found = [load_file(path) for path in files]
    for path, tensors in zip(files, found, strict=True):
        for name, value in tensors.items():
            assert torch.isfinite(value.float()).all(), f"{path.name}: {name}"
    return found


class TestBestAndLast:
    @pytest.mark.parametrize("keep", ["best", "last"])
    def test_both_are_kept_and_the_result_is_the_one_that_keep_names(
        self, train: Train, settings: TrainingSettings, digits: ImageDataset, keep: str
    ) -> None:
        folder, events = train(settings.updated(select=keep, epochs=4))
        epochs = [event for event in events if isinstance(event, EpochCompleted)]
        best = [event for event in epochs if event.best][-1]
        top = max(event.perturbed_accuracy_8bit for event in epochs)
        assert as_good("enhance", best.perturbed_accuracy_8bit, top, images=len(digits.split("val")))
        files = contents(folder)
        assert files["pgn.safetensors"] == files[f"{keep}.safetensors"]
        expected = {"best": best, "last": epochs[-1]}
        for name, epoch in expected.items():
            metrics = load_pgn(folder.path / f"{name}.safetensors").info.metrics
            assert metrics["perturbed_accuracy_8bit"] == epoch.perturbed_accuracy_8bit
        finished = events[-1]
        assert isinstance(finished, RunFinished)
        assert finished.perturbed_accuracy_8bit == expected[keep].perturbed_accuracy_8bit

    def test_a_stop_inside_an_epoch_leaves_the_best_epoch_to_the_run_that_goes_on(
        self, train: Train, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Even where the stopped PGN was taken for the result because it was better."""
        whole, _ = train(settings, name="whole")
        one, _ = train(settings.updated(epochs=1), name="one")
        stop = {12: lambda control: control.stop()}
        with monkeypatch.context() as patch:
            patch.setattr(model_selection, "is_best", lambda metrics, state, settings: True)
            stopped, _ = train(settings, name="stopped", at=stop)
        files = contents(stopped)
        assert files["pgn.safetensors"] == files["last.safetensors"] != files["best.safetensors"]
        assert same(stopped.best_pgn_path, one.best_pgn_path)
        resumed, events = train(settings, name="stopped", resume=True)
        for path in ("pgn_path", "best_pgn_path", "last_pgn_path"):
            assert same(getattr(resumed, path), getattr(whole, path)), path
        metrics = load_pgn(resumed.pgn_path).info.metrics
        assert metrics["perturbed_accuracy_8bit"] == events[-1].perturbed_accuracy_8bit  # type: ignore[union-attr]

    def test_a_run_of_an_older_version_goes_on(
        self, train: Train, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its checkpoint knows no last accuracy, its folder no best.safetensors, its steps no spread."""
        from pgn_studio.core.training import checkpoint

        folder, _ = train(settings.updated(epochs=1))
        folder.best_pgn_path.unlink()
        original = checkpoint.json.loads

        def older(text: str) -> dict[str, Any]:
            values = original(text)
            return {name: value for name, value in values.items() if not name.startswith("last_")}

        monkeypatch.setattr(checkpoint.json, "loads", older)
        _, events = train(settings, resume=True)
        assert isinstance(events[-1], RunFinished)


def same(first: Path, second: Path) -> bool:
    ours, theirs = load_file(first), load_file(second)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_f_is_asked_about_the_clean_validation_images_once_a_run(
    train: Train, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(*args: Any, **options: Any) -> Any:
        calls.append(args)
        return clean_scores(*args, **options)

    monkeypatch.setattr(validation, "clean_scores", counted)
    train(settings, at={12: stop_now})
    assert len(calls) == 1
    train(settings, resume=True)
    assert len(calls) == 2


def stop_now(control: TrainingControl) -> None:
    control.stop()


def test_every_step_says_how_d_judges(train: Train, settings: TrainingSettings) -> None:
    _, events = train(settings.updated(epochs=2))
    steps = [event for event in events if isinstance(event, StepCompleted)]
    assert all(0 < event.d_spread < 0.5 for event in steps)
    assert all(0 < event.d_target_mean < 1 for event in steps)
    assert steps[-1].d_spread > steps[0].d_spread


def test_what_d_believes_is_told_without_the_temperature(train: Train, settings: TrainingSettings) -> None:
    """At 4 an x̃ that D is sure of looks half believed: "G outran D" must not go by that."""
    settings = settings.updated(epochs=1)
    _, plain = train(settings.updated(logit_temperature=1.0), name="plain")
    _, tempered = train(settings, name="tempered")
    first, same = (
        next(event for event in events if isinstance(event, StepCompleted)) for events in (tempered, plain)
    )
    assert same.d_doubt == pytest.approx(same.loss_g, rel=1e-6)
    assert first.d_doubt == pytest.approx(same.d_doubt, rel=1e-6)  # both begin alike
    assert abs(first.loss_g - 0.25) < abs(first.d_doubt - 0.25)
