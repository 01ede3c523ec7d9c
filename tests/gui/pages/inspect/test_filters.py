"""The folded filters, the saved list, and the gallery's place when its size changes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtWidgets import QComboBox, QFileDialog, QLineEdit, QPushButton, QToolButton

from pgn_studio.gui.gallery.panel import GalleryPanel
from pgn_studio.gui.pages.inspect.page import InspectPage
from tests.gui.gallery.test_model import MANY, many_images
from tests.studies import COUNT, Study

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


def shown(page: InspectPage) -> list[int]:
    return page.gallery.model.shown.tolist()


def enter(qtbot: QtBot, page: InspectPage, name: str, text: str) -> None:
    edit = page.findChild(QLineEdit, name)
    edit.clear()
    qtbot.keyClicks(edit, text)
    qtbot.keyClick(edit, Qt.Key.Key_Return)


def unfold(page: InspectPage) -> QToolButton:
    button = page.findChild(QToolButton, "more-filters")
    button.click()
    return button


def test_filters_are_folded_away_and_tell_how_many_are_set(
    qtbot: QtBot, page: InspectPage, study: Study
) -> None:
    assert not page.findChild(QLineEdit, "l2-from").isVisible()
    button = unfold(page)
    assert page.findChild(QLineEdit, "l2-from").isVisible()
    image = study.per_image
    page.findChild(QComboBox, "before-filter").setCurrentText("red")
    assert shown(page) == np.flatnonzero(image.clean_prediction == 0).tolist()
    page.findChild(QComboBox, "after-filter").setCurrentText("green")
    both = (image.clean_prediction == 0) & (image.perturbed_prediction == 1)
    assert shown(page) == np.flatnonzero(both).tolist()
    assert button.text() == "Filters · 2"
    all_images = page.findChild(QToolButton, "outcome-all")
    assert all_images.text() == f"All  {both.sum()}"
    page.findChild(QPushButton, "clear-filtering").click()
    assert len(shown(page)) == COUNT
    assert button.text() == "Filters"


def test_ranges_filter_by_margin_confidence_and_l2(qtbot: QtBot, page: InspectPage, study: Study) -> None:
    unfold(page)
    image = study.per_image
    enter(qtbot, page, "margin-after-to", "0")
    assert shown(page) == np.flatnonzero(image.perturbed_margin <= 0).tolist()
    enter(qtbot, page, "confidence-before-from", "0.5")
    mask = (image.perturbed_margin <= 0) & (image.clean_confidence >= 0.5)
    assert shown(page) == np.flatnonzero(mask).tolist()
    enter(qtbot, page, "margin-after-to", "")
    enter(qtbot, page, "confidence-before-from", "")
    assert len(shown(page)) == COUNT
    largest = float(image.l2.max())
    enter(qtbot, page, "l2-from", f"{largest + 1:.3f}")
    assert shown(page) == []


def test_text_that_is_no_number_is_no_filter(qtbot: QtBot, page: InspectPage) -> None:
    unfold(page)
    edit = page.findChild(QLineEdit, "l2-from")
    qtbot.keyClicks(edit, "abc")
    assert edit.text() == ""
    assert len(shown(page)) == COUNT


@pytest.mark.parametrize(
    ("title", "column"), [("Margin before", "clean_margin"), ("Class after", "perturbed_prediction")]
)
def test_sort_by_any(qtbot: QtBot, page: InspectPage, study: Study, title: str, column: str) -> None:
    page.findChild(QComboBox, "sort-key").setCurrentText(title)
    values = getattr(study.per_image, column)[shown(page)]
    assert (np.diff(values) >= 0).all()


def test_the_filtered_list_is_saved_in_its_order(
    qtbot: QtBot, page: InspectPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfold(page)
    page.findChild(QComboBox, "after-filter").setCurrentText("green")
    page.findChild(QComboBox, "sort-key").setCurrentText("Margin after")
    path = tmp_path / "list"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(path), "CSV (*.csv)"))
    with qtbot.waitSignal(page._exporter.ended, timeout=20_000):
        page.findChild(QPushButton, "save-list").click()
    with (tmp_path / "list.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["index"]) for row in rows] == shown(page)
    assert {row["perturbed_prediction"] for row in rows} == {"green"}


def nothing(indices: Sequence[int]) -> npt.NDArray[np.uint8]:
    return np.zeros((len(indices), 8, 8, 3), dtype=np.uint8)


def first_in_view(panel: GalleryPanel) -> QModelIndex:
    return panel.view.indexAt(QPoint(panel.view.gridSize().width() // 2, 40))


def test_place_is_kept_when_the_gallery_is_resized(qtbot: QtBot) -> None:
    panel = GalleryPanel()
    qtbot.addWidget(panel)
    panel.resize(700, 600)
    panel.show()
    qtbot.waitExposed(panel)
    panel.show_content(many_images(), nothing)
    last = panel.model.index(MANY - 1)
    qtbot.waitUntil(lambda: not panel.view.visualRect(last).isEmpty(), timeout=30_000)
    panel.view.verticalScrollBar().setValue(panel.view.verticalScrollBar().maximum() * 2 // 3)
    before = first_in_view(panel).row()
    assert before > 60_000
    for width in (900, 520, 1100, 500):
        panel.resize(width, 600)
        qtbot.waitUntil(lambda: not panel.view.visualRect(last).isEmpty(), timeout=30_000)
        row = panel.model.index(before)
        qtbot.waitUntil(
            lambda row=row: panel.view.viewport().rect().intersects(panel.view.visualRect(row)), timeout=5000
        )
    panel.resize(700, 600)
    qtbot.waitUntil(lambda: not panel.view.visualRect(last).isEmpty(), timeout=30_000)
    qtbot.waitUntil(lambda: first_in_view(panel).row() == before, timeout=5000)  # no drift
