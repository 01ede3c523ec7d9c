"""The table of classes and the confusion: figures, sorting, and the way into the gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QComboBox, QTableView

from pgn_studio.gui.pages.inspect.browser import FIELDS, HEADS, ClassesPanel, ConfusionView, Side
from pgn_studio.gui.pages.inspect.page import InspectPage
from pgn_studio.gui.theme import current_theme
from tests.studies import CLASSES, Study

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


@pytest.fixture
def panel(page: InspectPage) -> ClassesPanel:
    page.browser.setCurrentWidget(page.browser.classes)
    return page.browser.classes


def cell_text(table: QTableView, row: int, head: str) -> str:
    return str(table.model().index(row, HEADS.index(head)).data())


def click_cell(qtbot: QtBot, view: ConfusionView, true: int, predicted: int) -> None:
    middle = view.cell_rect((true, predicted)).center().toPoint()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=middle)


def test_the_table_has_the_evaluation_s_figures_and_sorts(panel: ClassesPanel, study: Study) -> None:
    rows = study.evaluation.per_class()
    table = panel.table
    assert [cell_text(table, row, "Class") for row in range(3)] == list(CLASSES)
    for number, row in enumerate(rows):
        assert cell_text(table, number, "Before") == f"{100 * row['clean_accuracy']:.1f} %"
        change = 100 * (row["perturbed_accuracy"] - row["clean_accuracy"])
        assert cell_text(table, number, "Change") == f"{change:+.1f}".replace("-", "−")
        assert cell_text(table, number, "Broken") == str(row["broken"])
    table.sortByColumn(FIELDS.index("change"), Qt.SortOrder.DescendingOrder)
    assert cell_text(table, 0, "Class") == "green"
    changes = [float(cell_text(table, row, "Change").replace("−", "-")) for row in range(3)]
    assert changes == sorted(changes, reverse=True)


def test_a_click_on_broken_shows_those_images(
    qtbot: QtBot, page: InspectPage, panel: ClassesPanel, study: Study
) -> None:
    table = panel.table
    table.sortByColumn(FIELDS.index("change"), Qt.SortOrder.AscendingOrder)  # rows are not classes now
    name = cell_text(table, 0, "Class")
    rect = table.visualRect(table.model().index(0, FIELDS.index("broken")))
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    assert page.browser.currentWidget() is page.gallery
    image = study.per_image
    expected = np.flatnonzero((image.labels == CLASSES.index(name)) & (image.outcome == "broken"))
    assert page.gallery.model.shown.tolist() == expected.tolist() != []


@pytest.mark.parametrize("side", ["Before", "After"])
def test_a_click_on_a_cell_shows_its_images(
    qtbot: QtBot, page: InspectPage, panel: ClassesPanel, study: Study, side: str
) -> None:
    page.gallery.view.setFocus()
    page.findChild(QComboBox, "sort-key").setCurrentText("L2 of perturbation")
    panel.findChild(QComboBox, "confusion-side").setCurrentText(side)
    click_cell(qtbot, panel.confusion, 0, 1)
    image = study.per_image
    said = image.clean_prediction if side == "Before" else image.perturbed_prediction
    expected = np.flatnonzero((image.labels == 0) & (said == 1)).tolist()
    assert sorted(page.gallery.model.shown.tolist()) == expected
    assert page.findChild(QComboBox, "sort-key").currentText() == "L2 of perturbation"
    assert panel.confusion.accessibleDescription() == f"true red, predicted green: {len(expected)}"


def test_change_is_after_less_before(panel: ClassesPanel, study: Study) -> None:
    counts = {}
    for side in Side:
        panel.findChild(QComboBox, "confusion-side").setCurrentText(side.value)
        counts[side] = panel.confusion._counts.copy()
    assert (counts[Side.CHANGE] == counts[Side.AFTER] - counts[Side.BEFORE]).all()
    right = study.evaluation.metrics.clean_accuracy * len(study.per_image)
    assert counts[Side.BEFORE].trace() == round(right)
    assert counts[Side.CHANGE].sum() == 0
    assert "predicted green: +" in panel.confusion.describe((0, 1))


def test_the_keyboard_reaches_every_cell(qtbot: QtBot, page: InspectPage, panel: ClassesPanel) -> None:
    view = panel.confusion
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right):
        qtbot.keyClick(view, key)
    with qtbot.waitSignal(view.chosen) as chosen:
        qtbot.keyClick(view, Qt.Key.Key_Return)
    assert chosen.args == [1, 2]


def test_a_thousand_classes_and_none(qtbot: QtBot) -> None:
    view = ConfusionView()
    qtbot.addWidget(view)
    view.resize(400, 400)
    view.show()
    classes = tuple(f"a rather long class name {k}" for k in range(1000))
    counts = np.diag(np.full(1000, 5))
    counts[3, 990] = 2
    view.show_counts(counts, classes, Side.AFTER)
    assert not view.grab().isNull()
    cell = view.cell_at(view.cell_rect((3, 990)).center().toPoint())
    assert cell is not None
    assert abs(cell[0] - 3) <= 2  # a pixel holds more than two classes
    view.clear()
    assert not view.grab().isNull()
    assert view.cell_at(QPoint(200, 200)) is None


def test_empty_cells_have_the_ground_of_the_theme(
    panel: ClassesPanel, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: current_theme().apply("light"))
    panel.confusion.show_counts(np.diag([9, 9]).astype(np.int64), ("a", "b"), Side.BEFORE)
    for name in ("dark", "light"):
        current_theme().apply(name)
        empty = panel.confusion.cell_rect((0, 1)).center().toPoint()
        seen = panel.confusion.grab().toImage().pixelColor(empty)
        assert seen.name() == current_theme().colors.background
