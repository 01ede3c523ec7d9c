"""A window on small things: real digits, a small untrained classifier, a trainer that only tells."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PySide6.QtCore import QSettings
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import DataSettings
from pgn_studio.core.training.events import (
    EpochCompleted,
    EventSink,
    GammaChanged,
    Kept,
    Notice,
    PreviewReady,
    RunFailed,
    RunFinished,
    RunStarted,
    StepCompleted,
)
from pgn_studio.gui.lazy_imports import FIRST, LATER, without_source_scan
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.training.worker import TrainingJob, make_trainer
from tests.gui.driving import PATIENCE_MS, SMALL, TINY, controller_of
from tests.studies import Study, make_study

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset

STEPS_PER_EPOCH = 10

# Before the first test, whose time limit a cold disk would use up otherwise.
with without_source_scan():
    for name in (*FIRST, *LATER):
        importlib.import_module(name)


class FakeTrainer:
    """Emits what a Trainer emits, in its order, without learning anything."""

    steps = 40
    step_seconds = 0.002
    fails_at = 0
    raises = False
    silent_end = False
    notices: tuple[Notice, ...] = ()  # each told after its step

    def __init__(self, job: TrainingJob, sink: EventSink) -> None:
        self.job, self.sink = job, sink

    def run(self) -> None:
        if self.raises:
            raise RuntimeError("a fault")
        epochs = self.steps // STEPS_PER_EPOCH
        self.sink(
            RunStarted("run", 0, self.steps, STEPS_PER_EPOCH, epochs, "cpu", "fp32", 640, 100, 0.9, 0.95)
        )
        self.sink(Notice(0, "targets-constant", "Nearly every target is 1.", "Use more images."))
        step, gamma = 0, self.job.control.live.gamma
        while step < self.steps and not self.job.control.stopping:
            self.job.control.wait_while_paused()
            step += 1
            if step == self.fails_at:
                self.sink(RunFailed(step, "run", "The losses are no longer finite.", "Raise gamma.", "trace"))
                return
            if self.job.control.live.gamma != gamma:
                gamma = self.job.control.live.gamma
                self.sink(GammaChanged(step, gamma))
            self.sink(step_event(step, gamma))
            for notice in self.notices:
                if notice.step == step:
                    self.sink(notice)
            if step % STEPS_PER_EPOCH == 0:
                self.sink(epoch_event(step // STEPS_PER_EPOCH, step, gamma))
                self.sink(preview_event(step))
            time.sleep(self.step_seconds)
        reason = "completed" if step == self.steps else "stopped"
        if not self.silent_end:
            epoch = step // STEPS_PER_EPOCH
            kept = Kept(epoch, gamma, 0.95, 0.94, 0.0321)
            self.sink(RunFinished(reason, step, epoch, "run", "pgn", 0.9, 0.95, 0.94, 1.0, kept=kept))


def step_event(step: int, gamma: float) -> StepCompleted:
    return StepCompleted(
        step, 1 + (step - 1) // STEPS_PER_EPOCH, gamma, 1 / step, 0.5, 1e-3, 0.9, 3, 1, 0.9, 0.93, 500.0
    )


def epoch_event(epoch: int, step: int, gamma: float) -> EpochCompleted:
    return EpochCompleted(epoch, step, gamma, 0.9, 0.94, 0.93, 6, 2, 0.5, 0.03, 0.2, 0.1, 1.0, True)


def preview_event(step: int) -> PreviewReady:
    images = np.random.default_rng(step).integers(0, 256, (4, 9, 9, 3), dtype=np.uint8)  # rows of 27 bytes
    return PreviewReady(step, images, images, 0.1, images, (0, 1, 2, 3), (1, 1, 2, 0), (0, 0, 2, 1))


@pytest.fixture
def trainer() -> type[FakeTrainer]:
    """A fresh subclass: a test sets its attributes."""

    class Trainer(FakeTrainer):
        pass

    return Trainer


@pytest.fixture(scope="session")
def study() -> Study:
    return make_study()


@pytest.fixture(scope="session")
def digits() -> ImageDataset:
    from pgn_studio.core.data.sources import load_dataset

    return load_dataset(DataSettings())


@pytest.fixture(scope="session")
def classifier(digits: ImageDataset, tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """Untrained, saved, loaded."""
    from pgn_studio.core.classifiers import load_classifier, save_classifier

    made = load_classifier("arch:small", classes=digits.classes, image_size=digits.image_size)
    path = tmp_path_factory.mktemp("classifier") / "untrained.safetensors"
    save_classifier(path, made.net, made.info)
    return load_classifier(path)


@pytest.fixture
def preferences(tmp_path: Path) -> Preferences:
    return Preferences(QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))


@pytest.fixture
def make_window(
    qtbot: QtBot, preferences: Preferences, trainer: type[FakeTrainer]
) -> Iterator[Callable[..., MainWindow]]:
    """Windows with their working pages; closed, with all they run, at the test's end."""
    windows: list[MainWindow] = []

    def make(**options: Any) -> MainWindow:
        current_theme().apply("light")
        window = MainWindow(preferences, **{"make_runner": trainer, **options})
        window.build()
        window.show()
        windows.append(window)
        return window

    yield make
    for window in windows:
        controller = window.controller
        if controller is not None and controller.training.active:
            controller.closing = True
            controller.training.stop()
            qtbot.waitUntil(lambda controller=controller: not controller.training.active, timeout=20_000)
        window.close()
        window.deleteLater()


@pytest.fixture
def shown(make_window: Callable[..., MainWindow], qtbot: QtBot) -> MainWindow:
    """A window that has the keyboard."""
    window = make_window()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    return window


@pytest.fixture
def window(
    make_window: Callable[..., MainWindow], digits: ImageDataset, classifier: Classifier, qtbot: QtBot
) -> MainWindow:
    """With data set and classifier loaded, so that Start works."""
    made = make_window()
    controller = made.controller
    assert controller is not None
    controller.project._set_dataset(DataSettings(), digits)
    controller.project.use_classifier(controller.project.source, classifier)
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=20_000)
    return made


@pytest.fixture(scope="module")
def tiny() -> Any:
    from pgn_studio.core.data.sources import load_dataset

    return load_dataset(TINY)


@pytest.fixture(scope="module")
def guesser(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An untrained classifier of it, from its file."""
    from pgn_studio.core.classifiers import load_classifier, save_classifier

    made = load_classifier("arch:small", classes=tiny.classes, image_size=tiny.image_size)
    path = tmp_path_factory.mktemp("classifier") / "guesser.safetensors"
    save_classifier(path, made.net, made.info)
    return load_classifier(path)


@pytest.fixture
def real(
    make_window: Callable[..., MainWindow],
    tiny: Any,
    guesser: Any,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> MainWindow:
    """A window whose trainer is the real one, on two digits at 8 px, in a home of its own."""
    monkeypatch.setenv("PGN_STUDIO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("pgn_studio.gui.project.Project.measure_run", lambda *_: None)
    made = make_window(make_runner=make_trainer)
    controller = controller_of(made)
    controller.project._set_dataset(TINY, tiny)
    controller.project.use_classifier(replace(controller.project.source, path=guesser.info.path), guesser)
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=PATIENCE_MS)
    controller.setup.fill(SMALL)
    return made
