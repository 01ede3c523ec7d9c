"""The model's roles, and that 100,000 rows cost nothing before they are looked at."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from pgn_studio.core.evaluation.selection import Outcome, Selection
from pgn_studio.gui.gallery.model import GalleryContent, GalleryModel, Role
from pgn_studio.gui.gallery.panel import GalleryPanel
from pgn_studio.gui.gallery.thumbnails import ThumbnailLoader
from pgn_studio.gui.operations import wait_for_all
from tests.studies import CLASSES, Study

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

MANY = 100_000


def many_images() -> GalleryContent:
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {
        "labels": rng.integers(0, 3, MANY),
        "clean_prediction": rng.integers(0, 3, MANY),
        "perturbed_prediction": rng.integers(0, 3, MANY),
        "perturbed_confidence": rng.random(MANY),
        "l2": rng.random(MANY),
    }
    names = [f"{i:06d}.png" for i in range(MANY)]
    return GalleryContent(SimpleNamespace(**columns), names, CLASSES)  # type: ignore[arg-type]


def test_roles(qtbot: QtBot, study: Study) -> None:
    model = GalleryModel()
    model.set_content(
        GalleryContent(study.per_image, study.dataset.test.names, CLASSES), study.dataset.test.images
    )
    model.apply(Selection(outcome=Outcome.FIXED))
    index = model.index(0)
    image = index.data(Role.IMAGE_INDEX)
    assert index.data(Role.OUTCOME) is Outcome.FIXED
    assert index.data() == f"image{image:03d}.png"
    assert index.data(Role.CAPTION).endswith("→ green")
    assert "True class: green" in index.data(Qt.ItemDataRole.AccessibleTextRole)
    assert model.row_of(image) == 0
    assert index.data(Qt.ItemDataRole.DecorationRole) is None  # ordered now
    with qtbot.waitSignal(model.dataChanged):
        pass
    thumbnail = index.data(Qt.ItemDataRole.DecorationRole)
    assert isinstance(thumbnail, QImage)
    assert thumbnail.width() == 96


def test_a_hundred_thousand_rows_stay_lazy(qtbot: QtBot) -> None:
    asked: list[int] = []

    def source(indices: Sequence[int]) -> npt.NDArray[np.uint8]:
        asked.extend(indices)
        return np.zeros((len(indices), 8, 8, 3), dtype=np.uint8)

    panel = GalleryPanel()
    qtbot.addWidget(panel)
    panel.resize(600, 600)
    panel.show()
    started = time.perf_counter()
    panel.show_content(many_images(), source)
    qtbot.waitExposed(panel)
    panel.view.viewport().repaint()
    first_paint_s = time.perf_counter() - started
    qtbot.waitUntil(lambda: len(asked) >= 12)
    assert panel.model.rowCount() == MANY
    assert len(asked) < 200
    assert first_paint_s < 2  # measured 0.1; the bound is for a machine that is busy
    last = panel.model.index(MANY - 1)
    qtbot.waitUntil(lambda: not panel.view.visualRect(last).isEmpty(), timeout=30_000)  # laid out in batches
    panel.view.scrollToBottom()
    qtbot.waitUntil(lambda: (MANY - 1) in asked)
    assert len(asked) < 500


def test_cache_and_queue_are_bounded_and_the_newest_comes_first(qtbot: QtBot) -> None:
    asked: list[int] = []

    def source(indices: Sequence[int]) -> npt.NDArray[np.uint8]:
        asked.extend(indices)
        return np.zeros((len(indices), 8, 8, 3), dtype=np.uint8)

    parent = GalleryModel()
    loader = ThumbnailLoader(parent, size_px=96)
    loader.set_source(source)
    for index in range(5000):
        assert loader.get(index) is None
    qtbot.waitUntil(lambda: len(loader) == 512)
    assert asked[0] == 4999
    assert min(asked) == 5000 - 512


def test_an_unreadable_image_is_asked_for_once(qtbot: QtBot) -> None:
    calls: list[int] = []

    def source(indices: Sequence[int]) -> npt.NDArray[np.uint8]:
        calls.append(len(indices))
        raise OSError("gone")

    parent = GalleryModel()
    loader = ThumbnailLoader(parent, size_px=96)
    loader.set_source(source)
    loader.get(7)
    with qtbot.waitSignal(loader.ready):
        pass
    thumbnail = loader.get(7)
    assert thumbnail is not None
    assert thumbnail.isNull()
    assert wait_for_all(1000)
    assert calls == [1]
