"""Beginning a run and going on with it: what is recorded, and who holds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pgn_studio.core.classifiers import Classifier, ClassifierInfo, load_classifier, save_classifier
from pgn_studio.core.classifiers.networks import build_network
from pgn_studio.core.config import DataSettings, TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.errors import ClassifierError, PgnStudioError, RunError
from pgn_studio.core.project.opening import Opener
from pgn_studio.core.project.training_run import (
    TrainingRun,
    check_new_run,
    recordable,
    resume_run,
    start_run,
)
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.events import Event, RunFinished, StepCompleted


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Classifier, ImageDataset]:
    """Two digits of 8 px and a classifier's file, which has learned nothing."""
    dataset = load_dataset(DataSettings(dataset="digits", num_classes=2, image_size=8))
    path = tmp_path_factory.mktemp("classifier") / "c.safetensors"
    info = ClassifierInfo("small", dataset.classes, (0.0,) * 3, (1.0,) * 3, 8)
    save_classifier(path, build_network("small", 2, image_size=8), info)
    return load_classifier(path), dataset


def settings(**given: Any) -> TrainingSettings:
    quick = {
        "dataset": "digits", "num_classes": 2, "encoder": "small", "decoder_widths": (8,), "epochs": 1,
        "device": "cpu", "precision": "fp32", "gamma": 3.0, "input_mixup": 0.0,
    }  # fmt: skip
    return TrainingSettings.make(**{**quick, **given})


def begun(folder: Path, both: tuple[Classifier, ImageDataset], **given: Any) -> TrainingRun:
    classifier = both[0].info.path
    return start_run(recordable(settings(classifier=classifier, **given), both[1]), *both, folder)


def test_run_json_says_what_it_takes_to_go_on(tmp_path: Path, both: tuple[Classifier, ImageDataset]) -> None:
    recorded = begun(tmp_path / "run", both).run
    classifier, dataset = both
    assert recorded.run_json["dataset"]["fingerprint"] == recorded.fingerprint == dataset.fingerprint
    assert recorded.run_json["classifier"] == {
        "path": classifier.info.path,
        "sha256": classifier.info.sha256,
    }
    assert "external_classifier" not in recorded.run_json
    assert recorded.settings.image_size == dataset.image_size


def test_what_was_said_of_the_classifier_is_recorded(
    tmp_path: Path, both: tuple[Classifier, ImageDataset]
) -> None:
    said = load_classifier(both[0].info.path, channels="bgr")
    recorded = begun(tmp_path / "run", (said, both[1])).run
    assert recorded.run_json["external_classifier"]["channels"] == "bgr"
    assert Opener().open_run(recorded).classifier.info.channels == "bgr"


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, both: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    given = settings(classifier="c.pth", dataset="data")
    kept = recordable(given, both[1])
    assert (kept.classifier, kept.dataset) == (str(tmp_path / "c.pth"), str(tmp_path / "data"))
    assert recordable(settings(classifier="arch:small"), both[1]).classifier == "arch:small"


def test_trained_stopped_and_gone_on_with(tmp_path: Path, both: tuple[Classifier, ImageDataset]) -> None:
    training_run = begun(tmp_path / "run", both)
    control = TrainingControl(gamma=3.0)

    def stop(event: Event) -> None:
        assert training_run.run.holder is not None
        if isinstance(event, StepCompleted):
            control.stop()

    ending = training_run.train(control, stop)
    assert isinstance(ending, RunFinished)
    assert ending.reason == "stopped"
    assert training_run.run.holder is None
    again = resume_run(training_run.run, training_run.settings, *both)
    assert again.resume
    control = TrainingControl(gamma=3.0)
    done = again.train(control, lambda event: None)
    assert isinstance(done, RunFinished)
    assert done.reason == "completed"
    assert done.step > ending.step


def test_an_interruption_leaves_it_stopped(tmp_path: Path, both: tuple[Classifier, ImageDataset]) -> None:
    training_run = begun(tmp_path / "run", both)

    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training_run.train(TrainingControl(gamma=3.0), interrupt)
    assert training_run.run.status == "stopped"
    assert training_run.run.holder is None


def test_another_classifier_is_refused_and_the_run_let_go(
    tmp_path: Path, both: tuple[Classifier, ImageDataset]
) -> None:
    run = begun(tmp_path / "run", both).run
    run.update(classifier={"path": "c.safetensors", "sha256": "0" * 64})
    with pytest.raises(ClassifierError, match="hash"):
        resume_run(run, run.settings, *both)
    assert run.holder is None


def test_a_new_run_is_checked_before_images_are_read(tmp_path: Path) -> None:
    assert check_new_run(settings(), tmp_path / "run") == tmp_path / "run"
    assert check_new_run(settings(), None) is None
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").touch()
    with pytest.raises(RunError, match="not empty"):
        check_new_run(settings(), tmp_path / "full")
    with pytest.raises(PgnStudioError, match="inside the data set"):
        check_new_run(settings(dataset=str(tmp_path)), tmp_path / "run")
    with pytest.raises(PgnStudioError, match="fp16"):
        check_new_run(settings(precision="fp16"), None)
