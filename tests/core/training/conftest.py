"""A small real run: digits at 8 px, a weak classifier, a narrow generator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pgn_studio.core.classifiers import Classifier, load_classifier, train_classifier
from pgn_studio.core.config import ClassifierSettings, DataSettings, TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.events import Event, StepCompleted
from pgn_studio.core.training.trainer import Trainer

Train = Callable[..., tuple[RunFolder, list[Event]]]

FAST = {
    "encoder": "small",
    "decoder_widths": (8, 8),
    "epochs": 2,
    "batch_size": 128,
    "gamma": 1.0,
    "augment": "none",
    "device": "cpu",
    "precision": "fp32",
}


@pytest.fixture(scope="session")
def digits() -> ImageDataset:
    return load_dataset(DataSettings(dataset="digits", image_size=8))


@pytest.fixture(scope="session")
def classifier_path(digits: ImageDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("classifier") / "clf.safetensors"
    settings = ClassifierSettings(
        dataset="digits", image_size=8, epochs=8, max_train_images=100, batch_size=32, augment="none",
        device="cpu",
    )  # fmt: skip
    train_classifier(
        digits.split("train"),
        digits.split("val"),
        digits.classes,
        settings,
        out=path,
        fingerprint=digits.fingerprint,
        mirrorable=None,
        on_progress=lambda progress: None,
    )
    return path


@pytest.fixture
def classifier(classifier_path: Path) -> Classifier:
    return load_classifier(classifier_path)


@pytest.fixture
def settings(classifier_path: Path) -> TrainingSettings:
    return TrainingSettings.make(dataset="digits", classifier=str(classifier_path), **FAST)


@pytest.fixture
def train(tmp_path: Path, digits: ImageDataset, classifier_path: Path) -> Train:
    """train(settings, name="run", at={step: action}) runs to the end and gives folder and events."""

    def run(
        settings: TrainingSettings,
        *,
        name: str = "run",
        at: dict[int, Callable[[TrainingControl], None]] | None = None,
        resume: bool = False,
        classifier: Classifier | None = None,
        dataset: ImageDataset | None = None,
    ) -> tuple[RunFolder, list[Event]]:
        folder = RunFolder.open(tmp_path / name) if resume else RunFolder.create(tmp_path / name, settings)
        control = TrainingControl(gamma=settings.first_gamma, gammas=settings.gammas)
        events: list[Event] = []

        def sink(event: Event) -> None:
            events.append(event)
            if isinstance(event, StepCompleted) and at and event.step in at:
                at[event.step](control)

        ending = Trainer(
            settings,
            dataset=dataset or digits,
            classifier=classifier or load_classifier(classifier_path),
            run=folder,
            control=control,
            sink=sink,
            resume=resume,
        ).run()
        assert ending is events[-1]
        return folder, events

    return run
