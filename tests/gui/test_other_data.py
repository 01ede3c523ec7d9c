"""The window says what a classifier has learned from where the images are not those of its training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import DataSettings
from pgn_studio.core.learned_images import packed
from tests.gui.driving import PATIENCE_MS, child, controller_of

if TYPE_CHECKING:
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.gui.main_window import MainWindow


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PGN_STUDIO_HOME", str(tmp_path / "home"))
    for title in ("cat", "dog"):
        (tmp_path / "photos" / title).mkdir(parents=True)
        for number in range(20):
            noise = np.random.default_rng([len(title), ord(title[0]), number]).integers(0, 256, (8, 8, 3))
            Image.fromarray(noise.astype(np.uint8)).save(tmp_path / "photos" / title / f"{number:02d}.png")
    return tmp_path / "photos"


def open_both(
    qtbot: QtBot,
    window: MainWindow,
    photos: Path,
    learned_from: Callable[[ImageDataset], Any],
    fingerprint: str = "",
    **settings: Any,
) -> ImageDataset:
    """Load the photos, then a classifier that says that it learned from such images of them."""
    from pgn_studio.core.classifiers import load_classifier
    from pgn_studio.core.data.sources import load_dataset

    data = DataSettings.make(dataset=str(photos), image_size=8)
    trained = load_dataset(data.updated(**settings))
    classifier = load_classifier("arch:small", classes=trained.classes, image_size=8)
    training = {
        "dataset_fingerprint": fingerprint or trained.fingerprint,
        "learned_from": packed(learned_from(trained)),
        "settings": data.updated(**settings).model_dump(mode="json"),
    }
    classifier.info = replace(classifier.info, training=training)
    controller = controller_of(window)
    controller.setup.data.fill(data)
    controller.load_dataset()
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=PATIENCE_MS)
    with qtbot.waitSignal(controller.project.accuracy_measured, timeout=PATIENCE_MS):
        controller.project.use_classifier(controller.project.source, classifier)
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=PATIENCE_MS)
    return trained


def test_figures_on_images_that_were_learned_from_are_no_test(
    qtbot: QtBot, make_window: Callable[..., MainWindow], photos: Path
) -> None:
    window = make_window()
    open_both(qtbot, window, photos, lambda data: data.split("test").pixel_hashes, fingerprint="another")
    assert window.notice.isVisible()
    assert "no test" in child(window.notice, QLabel, "banner_text").text()
    assert "no test: the classifier learned from" in controller_of(window).setup.classifier.accuracy.text()


def test_the_images_are_divided_as_for_the_classifiers_training(
    qtbot: QtBot, make_window: Callable[..., MainWindow], photos: Path
) -> None:
    window = make_window()
    trained = open_both(qtbot, window, photos, lambda data: data.split("train").pixel_hashes, split_seed=4)
    dataset = controller_of(window).project.dataset
    assert dataset is not None
    assert dataset.fingerprint == trained.fingerprint
    assert not window.notice.isVisible()
    assert controller_of(window).setup.classifier.accuracy.text().endswith("\N{NO-BREAK SPACE}%")
