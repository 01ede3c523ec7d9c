"""Whole runs on digits: events, files, control, and what makes a run repeatable."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pgn_studio.core import encoders
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.evaluation.evaluate import evaluate
from pgn_studio.core.perturbation.pgn import build_generator, load_pgn
from pgn_studio.core.run_records import list_records
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.callbacks import LiveCallbacks
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.events import (
    CheckpointSaved,
    EpochCompleted,
    Event,
    GammaChanged,
    Notice,
    Preparing,
    PreviewReady,
    RunFailed,
    RunFinished,
    RunStarted,
    StepCompleted,
)
from tests.core.training.conftest import Train


def of(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    return load_file(folder.last_pgn_path)


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_a_run_tells_its_story_in_order(
    train: Train, settings: TrainingSettings, digits: ImageDataset
) -> None:
    folder, events = train(settings)
    steps_per_epoch = -(-len(digits.split("train")) // settings.batch_size)
    images = len(digits.split("train"))
    start = events.index(of(events, RunStarted)[0])
    assert events[start - 1] == Preparing(images, images)
    assert all(isinstance(event, Preparing) for event in events[:start])
    assert events[start].total_steps == 2 * steps_per_epoch
    assert [event.step for event in of(events, StepCompleted)] == list(range(1, 2 * steps_per_epoch + 1))
    assert [event.epoch for event in of(events, EpochCompleted)] == [1, 2]
    assert len(of(events, CheckpointSaved)) == 2
    assert len(of(events, RunFinished)) == 1
    assert not of(events, RunFailed)
    assert events[-1].reason == "completed"
    assert folder.run_json["status"] == "completed"
    machine = folder.run_json["machine"]
    assert (machine["device"], machine["precision"]) == (events[start].device, events[start].precision)
    assert machine["threads"] == torch.get_num_threads()  # the last bits depend on it
    for path in (folder.pgn_path, folder.last_pgn_path, folder.checkpoint_path, folder.metrics_path):
        assert path.is_file()
    kinds = {record["event"] for record in folder.read_metrics()}
    assert {"RunStarted", "StepCompleted", "EpochCompleted", "RunFinished"} <= kinds
    assert not kinds & {"Preparing", "PreviewReady"}


def test_previews_follow_the_same_images(train: Train, settings: TrainingSettings) -> None:
    _, events = train(settings)
    previews: list[PreviewReady] = of(events, PreviewReady)
    first, last = previews[0], previews[-1]
    assert (first.original == last.original).all()
    assert first.labels == last.labels
    assert first.original.shape == first.perturbation.shape == first.perturbed.shape
    assert first.original.dtype == first.perturbed.dtype == "uint8"
    assert last.perturbation_scale > first.perturbation_scale  # it started near zero
    wrong = [clean != label for clean, label in zip(first.clean_predictions, first.labels, strict=True)]
    assert any(wrong), "the strip should show images that can be fixed"


def test_gamma_is_used_logged_and_remembered(train: Train, settings: TrainingSettings) -> None:
    folder, events = train(settings, at={3: lambda control: control.set(gamma=7.5)})
    used = [event.gamma for event in of(events, StepCompleted)]
    assert used == [1.0] * 3 + [7.5] * (len(used) - 3)
    assert of(events, GammaChanged) == [GammaChanged(4, 7.5)]
    logged = [record for record in folder.read_metrics() if record["event"] == "GammaChanged"]
    assert [(record["step"], record["gamma"]) for record in logged] == [(4, 7.5)]
    assert load_pgn(folder.last_pgn_path).info.gamma == 7.5


MILDER = 1000.0


@pytest.mark.parametrize("at", [8, 9, 12])  # epochs have nine steps
def test_the_pgn_of_a_gamma_that_was_moved_is_kept(train: Train, settings: TrainingSettings, at: int) -> None:
    """It is less accurate than what came before: that is what γ is moved for."""
    folder, events = train(settings.updated(epochs=3, gamma=0.01), at={at: lambda c: c.set(gamma=MILDER)})
    epochs: list[EpochCompleted] = of(events, EpochCompleted)
    first = next(event for event in epochs if event.gamma == MILDER)
    assert first.best
    kept = events[-1].kept
    assert kept.gamma == MILDER
    assert kept.epoch >= first.epoch
    of_kept = epochs[kept.epoch - 1]
    assert (kept.rms_mean, kept.fixed_8bit) == (of_kept.rms_mean, of_kept.fixed_8bit)
    assert load_pgn(folder.pgn_path).info.gamma == MILDER
    assert folder.run_json["results"]["kept"]["gamma"] == MILDER
    assert list_records(folder.path.parent)[0].figures["rms_mean"] == kept.rms_mean


def test_a_run_that_is_stopped_while_gamma_is_another_keeps_what_it_has(
    train: Train, settings: TrainingSettings
) -> None:
    """It has no whole epoch with this γ, and still the table of runs says its epoch, γ and size."""
    moves = {10: lambda c: c.set(gamma=MILDER), 12: lambda c: c.stop()}  # inside the second epoch
    folder, events = train(settings.updated(epochs=3), at=moves)
    kept = events[-1].kept
    assert kept.gamma == MILDER
    assert kept.epoch == events[-1].epoch + 1
    assert load_pgn(folder.pgn_path).info.gamma == MILDER
    record = list_records(folder.path.parent)[0]
    assert (record.gamma, record.figures["epoch"]) == (MILDER, kept.epoch)
    assert record.figures["rms_mean"] == kept.rms_mean


def test_a_large_gamma_makes_smaller_perturbations(train: Train, settings: TrainingSettings) -> None:
    sizes = []
    for gamma in (0.1, 1000.0):
        _, events = train(settings.updated(gamma=gamma), name=f"gamma-{gamma}")
        sizes.append(of(events, EpochCompleted)[-1].rms_mean)
    assert sizes[1] < sizes[0] / 2


def test_one_seed_reproduces_a_run_bit_for_bit(train: Train, settings: TrainingSettings) -> None:
    first, _ = train(settings, name="first")
    second, _ = train(settings, name="second")
    other, _ = train(settings.updated(seed=1), name="other")
    assert_same(weights(first), weights(second))
    assert not torch.equal(weights(first)["decoder.output.bias"], weights(other)["decoder.output.bias"])


FROZEN_ENCODER = {"encoder_training": "frozen"}  # conditions on principal components, rehearses


@pytest.mark.parametrize("stop_at", [4, 9, 12])  # within the first epoch, at its end, in the second
@pytest.mark.parametrize("variant", [{}, FROZEN_ENCODER, {"discriminator": "blackbox"}], ids=str)
def test_stopped_and_resumed_equals_never_stopped(
    train: Train, settings: TrainingSettings, variant: dict[str, Any], stop_at: int
) -> None:
    settings = settings.updated(augment="flip", **variant)
    change = {2: lambda control: control.set(gamma=3.0)}
    whole, whole_events = train(settings, name="whole", at=change)
    stop = {stop_at: lambda control: control.stop()}
    stopped, events = train(settings, name="stopped", at={**change, **stop})
    assert events[-1].reason == "stopped"
    assert stopped.run_json["status"] == "stopped"
    resumed, more = train(settings, name="stopped", resume=True)
    assert more[0].first_step == stop_at
    assert_same(weights(whole), weights(resumed))
    assert_same(load_file(whole.pgn_path), load_file(resumed.pgn_path))

    def series(folder: RunFolder) -> list[tuple[int, float, float, float]]:
        rows = [record for record in folder.read_metrics() if record["event"] == "StepCompleted"]
        return [(row["step"], row["gamma"], row["loss_g"], row["loss_d"]) for row in rows]

    assert series(resumed) == series(whole)
    finished = [record for record in resumed.read_metrics() if record["event"] == "EpochCompleted"]
    expected = of(whole_events, EpochCompleted)
    assert [row["train_loss_g"] for row in finished] == [event.train_loss_g for event in expected]


def test_more_epochs_for_a_finished_run(train: Train, settings: TrainingSettings) -> None:
    train(settings.updated(epochs=1), name="grown")
    grown, events = train(settings, name="grown", resume=True)
    whole, _ = train(settings, name="whole")
    assert events[-1].epoch == 2
    assert_same(weights(grown), weights(whole))


def test_resuming_a_finished_run_says_what_to_do(train: Train, settings: TrainingSettings) -> None:
    train(settings, name="done")
    _, events = train(settings, name="done", resume=True)
    assert isinstance(events[-1], RunFailed)
    assert "epochs above" in events[-1].hint


def test_a_run_killed_after_its_last_checkpoint_is_completed(
    train: Train, settings: TrainingSettings
) -> None:
    folder, events = train(settings, name="done")
    folder.update(status="running", results={})
    finished, more = train(settings, name="done", resume=True)
    assert not of(more, StepCompleted)
    assert isinstance(more[-1], RunFinished)
    assert finished.run_json["status"] == "completed"
    assert more[-1].perturbed_accuracy_8bit == events[-1].perturbed_accuracy_8bit


@pytest.fixture
def few(digits: ImageDataset) -> ImageDataset:
    splits = {name: digits.split(name).subset(range(count)) for name, count in (("train", 32), ("val", 8))}
    return replace(digits, splits=splits)


def test_a_run_says_at_what_size_its_encoder_looks(
    train: Train, settings: TrainingSettings, few: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "LEAST_SIZE", 160)  # another version's default
    folder, _ = train(settings.updated(encoder="efficientnet-lite0", epochs=1), dataset=few)
    monkeypatch.undo()
    assert folder.settings.encoder_input_size == 160
    assert load_pgn(folder.pgn_path).generator.encoder_size == 160


def test_a_run_of_before_goes_on_with_what_its_encoder_saw(
    train: Train, settings: TrainingSettings, few: ImageDataset
) -> None:
    """Earlier versions left the encoder's size open and meant 128 by it."""
    lite0 = settings.updated(encoder="efficientnet-lite0", encoder_input_size=128)
    whole, _ = train(lite0, name="whole", dataset=few)
    train(lite0.updated(epochs=1), name="before", dataset=few)
    resumed, _ = train(lite0.updated(encoder_input_size=None), name="before", resume=True, dataset=few)
    assert_same(weights(whole), weights(resumed))


def test_the_last_stage_learns_and_what_comes_before_it_stands_still(
    train: Train, settings: TrainingSettings, few: ImageDataset
) -> None:
    folder, _ = train(settings.updated(encoder="efficientnet-lite0", epochs=1), dataset=few)
    learned = load_pgn(folder.pgn_path).generator
    fresh = build_generator(settings.updated(encoder="efficientnet-lite0"), image_size=few.image_size)
    pixels = torch.rand(2, 3, few.image_size, few.image_size)
    with torch.no_grad():
        assert torch.equal(learned.encode(pixels), fresh.eval().encode(pixels))
    assert learned.decoder.stage is not None
    assert fresh.decoder.stage is not None
    pairs = zip(learned.decoder.stage.parameters(), fresh.decoder.stage.parameters(), strict=True)
    assert all(not torch.equal(mine, its) for mine, its in pairs)


def test_stopping_keeps_what_was_learned(train: Train, settings: TrainingSettings) -> None:
    folder, events = train(settings, at={3: lambda control: control.stop()})
    assert of(events, StepCompleted)[-1].step == 3
    assert events[-1].reason == "stopped"
    assert load_pgn(folder.pgn_path).info.metrics["perturbed_accuracy_8bit"] > 0


def test_stopped_while_it_prepares(
    train: Train, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingControl, "stopping", True)
    folder, events = train(settings.updated(**FROZEN_ENCODER))
    told = of(events, Preparing)
    assert len(told) == 1  # the images after the first batch are not looked at
    assert told[0].done < told[0].total
    assert (events[-1].reason, events[-1].step) == ("stopped", 0)
    assert not folder.rewind()  # nothing of it to go on from: it starts anew


def test_pause_holds_the_run_until_resume(train: Train, settings: TrainingSettings) -> None:
    timers: list[threading.Timer] = []
    paused: list[bool] = []

    def pause(control: TrainingControl) -> None:
        def wake() -> None:
            paused.append(control.paused)
            control.resume()

        control.pause()
        timers.append(threading.Timer(0.3, wake))
        timers[0].start()

    _, events = train(settings, at={2: pause})
    timers[0].join()
    assert paused == [True]
    assert events[-1].reason == "completed"


def test_a_pause_counts_for_no_duration(
    train: Train, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that says it took an hour and did not: what it took is left out of what passed."""
    monkeypatch.setattr(LiveCallbacks, "pause", lambda _self, step: 3600.0 if step == 2 else 0.0)
    _, events = train(settings)
    first, second = of(events, EpochCompleted)
    assert first.seconds < 0 < second.seconds
    assert events[-1].seconds < 0
    assert all(event.images_per_second > 0 for event in of(events, StepCompleted))


def test_the_classifier_stays_frozen(
    train: Train, settings: TrainingSettings, classifier: Classifier
) -> None:
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    train(settings.updated(augment="strong"), classifier=classifier)
    for name, value in classifier.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not classifier.training


def test_the_kept_pgn_has_the_figures_that_the_run_reports(
    train: Train, settings: TrainingSettings, digits: ImageDataset, classifier: Classifier
) -> None:
    folder, events = train(settings)
    pgn = load_pgn(folder.pgn_path)
    measured = evaluate(pgn, classifier, digits.split("val"), split_name="val", dataset_name="digits").metrics
    finished: RunFinished = events[-1]
    assert measured.perturbed_accuracy_8bit == pytest.approx(finished.perturbed_accuracy_8bit, abs=0.005)
    assert measured.clean_accuracy == pytest.approx(finished.clean_accuracy, abs=0.005)
    best = [event for event in of(events, EpochCompleted) if event.best][-1]
    assert finished.perturbed_accuracy_8bit == best.perturbed_accuracy_8bit
    assert pgn.info.fingerprint == digits.fingerprint
    assert json.loads(json.dumps(dict(pgn.info.settings)))["seed"] == settings.seed


def test_a_run_that_cannot_start_fails_with_advice(train: Train, settings: TrainingSettings) -> None:
    folder, events = train(settings.updated(device="cuda:7"))
    assert len(events) == 1
    assert isinstance(events[0], RunFailed)
    assert "cuda:7" in events[0].message
    assert "Choose one of" in events[0].hint
    assert folder.run_json["status"] == "failed"
    assert not folder.path.exists()
    assert not events[0].run_folder


def test_a_perfect_classifier_is_pointed_out(
    train: Train, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgn_studio.core.training import run_state as module

    monkeypatch.setattr(module, "measure_accuracy", lambda *args, **kwargs: 1.0)
    for input_mixup, code in ((0.0, "targets-constant"), (0.3, "blending")):
        _, events = train(settings.updated(epochs=1, input_mixup=input_mixup), name=code)
        notices: list[Notice] = of(events, Notice)
        assert notices[0].code == code
        assert notices[0].hint
