"""The Data page: counts, samples and skipped files of what is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import DataSettings
from pgn_studio.gui.pages.data import SAMPLES, TILE_PX, DataPage
from pgn_studio.gui.theme import current_theme

if TYPE_CHECKING:
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.gui.main_window import MainWindow


@pytest.fixture
def page(qtbot: QtBot) -> DataPage:
    current_theme().apply("light")
    page = DataPage()
    qtbot.addWidget(page)
    page.resize(900, 700)
    page.show()
    return page


def names(page: DataPage) -> list[str]:
    model = page.samples.model()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def test_counts_and_samples_follow_the_split(qtbot: QtBot, page: DataPage, digits: ImageDataset) -> None:
    page.show_dataset(digits)
    for bars, split in zip(page.bars, ("train", "val", "test"), strict=True):
        expected = np.bincount(digits.split(split).labels, minlength=10)
        assert bars.opts["height"].tolist() == expected.tolist()
    page.split.setCurrentText("test")  # at once: only the last wish is read
    chosen = np.linspace(0, len(digits.split("test")) - 1, SAMPLES).astype(np.int64)
    wanted = [digits.classes[label] for label in digits.split("test").labels[chosen]]
    qtbot.waitUntil(lambda: names(page) == wanted)
    icon = page.samples.model().index(0, 0).data(1)
    assert icon.availableSizes()[0].width() == TILE_PX
    assert not page.skipped.isVisible()


def test_skipped_files_are_listed_with_reasons(qtbot: QtBot, page: DataPage, tmp_path: Path) -> None:
    from pgn_studio.core.data.sources import load_dataset

    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(8):
            Image.new("RGB", (20, 20), (10 * number, 0, 0)).save(tmp_path / name / f"{number}.png")
    (tmp_path / "cat" / "bad.png").write_bytes(b"no picture")
    page.show_dataset(load_dataset(DataSettings(dataset=str(tmp_path), image_size=16)))
    qtbot.waitUntil(lambda: len(names(page)) > 0)
    assert page.skipped.isVisible()
    model = page.skipped.model()
    assert model.rowCount() == 1
    assert model.index(0, 0).data() == "cat/bad.png"
    assert model.index(0, 1).data()
    assert "1 files skipped" in page.summary.text()


def test_a_thousand_classes_keep_the_layout(qtbot: QtBot, page: DataPage, digits: ImageDataset) -> None:
    width = page.minimumSizeHint().width()
    many = tuple(f"a class with a rather long name, number {number}" for number in range(1000))
    page.show_dataset(replace(digits, classes=many))
    qtbot.waitUntil(lambda: len(names(page)) > 0)
    assert page.minimumSizeHint().width() <= width + 10
    assert len(page.bars[0].opts["height"]) == 1000


def test_a_file_that_goes_bad_is_said(
    qtbot: QtBot, page: DataPage, digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("gone")

    monkeypatch.setattr("pgn_studio.core.data.dataset.Split.images", broken)
    with qtbot.waitSignal(page.failed) as failed:
        page.show_dataset(digits)
    assert "gone" in str(failed.args[1])


def test_it_follows_what_the_window_loads(window: MainWindow) -> None:
    assert "10 classes, 16 px" in window.data.summary.text()


def test_every_class_can_be_read_with_its_counts(page: DataPage, digits: ImageDataset) -> None:
    many = tuple(f"a class with a rather long name, number {number}" for number in range(1000))
    page.show_dataset(replace(digits, classes=many))
    table = page.classes.model()
    assert table.rowCount() == 1000
    row = [table.index(7, column).data() for column in range(table.columnCount())]
    counts = digits.class_counts()[7].tolist()
    assert row == [many[7], *map(str, counts), str(sum(counts))]
    assert page.classes.isVisible()
    page.classes.sortByColumn(4, Qt.SortOrder.AscendingOrder)
    assert table.index(0, 4).data() == "0"
    assert table.index(0, 0).data(Qt.ItemDataRole.ToolTipRole) in many


def test_what_was_decided_while_loading_is_shown(page: DataPage, digits: ImageDataset) -> None:
    page.show_dataset(digits)
    assert not page.notices.isVisible()
    page.show_dataset(replace(digits, notices=("Folder 'a<b>' was left out.", "Another.")))
    assert page.notices.isVisible()
    assert page.notices.text().splitlines() == ["Folder 'a<b>' was left out.", "Another."]


def test_the_setup_leads_to_what_was_decided(window: MainWindow, digits: ImageDataset) -> None:
    card = window.controller.setup.data
    assert not card.notices.isVisibleTo(card)
    window.controller.project.dataset_changed.emit(replace(digits, notices=("Left out.",)))
    assert card.notices.isVisibleTo(card)
    assert "1 notice " in card.notices.text()
    card.notices.click()
    assert window.tabs.currentWidget() is window.data
    assert window.data.notices.isVisible()
