"""The γ dial of Inspect: image, figures, gallery and frontier follow it; f's clean answers never change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QSlider

from pgn_studio.core.evaluation.evaluate import evaluate
from pgn_studio.core.export.comparison_figure import ComparisonExport
from pgn_studio.core.export.table import TableExport
from pgn_studio.core.gamma import GammaRange
from pgn_studio.gui.pages.inspect.command import ExportChoice, export_command
from pgn_studio.gui.pages.inspect.page import InspectPage
from tests.studies import Study, make_study

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

GAMMAS = GammaRange(1.0, 100.0)
PATIENCE_MS = 20_000


@pytest.fixture
def study() -> Study:
    """A PGN that adds less the larger γ is: 0.3 at γ 1, 0.03 at γ 100."""
    return make_study(0.3, GAMMAS)


def dial(page: InspectPage) -> QSlider:
    found = page.findChild(QSlider, "inspection_gamma")
    assert found is not None
    return found


def title(page: InspectPage) -> str:
    return page.findChild(QLabel, "inspection-title").text()


def until_measured(qtbot: QtBot, page: InspectPage) -> None:
    """The γ that is shown, and the frontier."""
    qtbot.waitUntil(
        lambda: page.measuring.wanted_is_known and len(page.gamma.frontier.points.data) >= 5,
        timeout=PATIENCE_MS,
    )


def added(page: InspectPage) -> float:
    """How much green the image that is shown has got, in shares of the whole range."""
    views = page.detail.views.views
    before, after = (views[name].image.pixelColor(3, 5).greenF() for name in ("original", "perturbed"))
    return after - before


def test_turning_changes_image_figures_gallery_and_frontier(
    qtbot: QtBot, page: InspectPage, study: Study
) -> None:
    assert page.gamma.isVisible()
    assert dial(page).value() == dial(page).maximum() // 2
    assert "γ 10" in title(page)
    until_measured(qtbot, page)
    image = page.chosen
    weak, place = added(page), page.gamma.frontier.position_of(10.0)
    fixed = page.gallery.filters.selection
    before = page.gallery.model._content.per_image.perturbed_prediction.copy()

    with qtbot.waitSignals([page.sample_shown, page.measuring.measured], timeout=PATIENCE_MS):
        dial(page).setFocus()
        qtbot.keyClick(dial(page), Qt.Key.Key_Home)
    qtbot.waitUntil(lambda: added(page) > 2 * weak, timeout=PATIENCE_MS)
    expected = evaluate(
        study.pgn.at(1.0), study.classifier, study.dataset.test, split_name="test", dataset_name="colors"
    )
    shown = page.gallery.model._content.per_image
    assert np.array_equal(shown.perturbed_prediction, expected.per_image.perturbed_prediction)
    assert np.array_equal(shown.clean_prediction, study.per_image.clean_prediction)
    assert not np.array_equal(shown.perturbed_prediction, before)
    assert page.gallery.filters.selection == fixed
    assert (page.chosen, page.shown_gamma) == (image, 1.0)
    assert "γ 1 " in title(page)
    assert f"{100 * expected.metrics.perturbed_accuracy:.1f}" in title(page)
    size = float(page.findChild(QLabel, "size-rms").text())
    assert size == pytest.approx(expected.per_image.rms[image], rel=0.01)
    point = page.gamma.frontier.point.getData()
    assert point[0][0] == pytest.approx(expected.metrics.rms_mean)
    assert point[1][0] == pytest.approx(100 * expected.metrics.perturbed_accuracy_8bit)
    assert page.gamma.frontier.position_of(1.0) != place


def test_the_encoder_and_the_classifier_see_clean_images_once(
    qtbot: QtBot, page: InspectPage, study: Study
) -> None:
    until_measured(qtbot, page)
    encoded = study.pgn.generator.encoded
    for position in (90, 80, 70, 30):
        with qtbot.waitSignals([page.sample_shown, page.measuring.measured], timeout=PATIENCE_MS):
            dial(page).setValue(position)
    again = study.pgn.generator.encoded - encoded  # the chosen image may still have been on its way
    assert again < len(study.per_image) / 4


def test_what_was_measured_is_there_at_once(qtbot: QtBot, page: InspectPage) -> None:
    until_measured(qtbot, page)
    at_first = title(page)
    with qtbot.waitSignal(page.measuring.measured, timeout=PATIENCE_MS):
        dial(page).setValue(20)
    assert title(page) != at_first
    dial(page).setValue(dial(page).maximum() // 2)
    assert title(page) == at_first  # without a turn of the event loop


def test_the_point_is_dragged_along_the_frontier(qtbot: QtBot, page: InspectPage) -> None:
    until_measured(qtbot, page)
    frontier = page.gamma.frontier
    start, goal = (frontier.position_of(gamma).toPoint() for gamma in (10.0, 100.0))
    view = frontier.viewport()
    turned: list[float] = []
    page.gamma.turned.connect(turned.append)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    for share in (0.25, 0.5, 0.75, 1.0):
        step = start + (goal - start) * share
        qtbot.mouseMove(view, step)
    qtbot.mouseMove(view, goal + QPoint(-200, 0))  # beyond the end
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=goal)
    qtbot.waitUntil(lambda: page.shown_gamma == 100.0, timeout=PATIENCE_MS)
    assert turned == sorted(turned)
    assert dial(page).value() == dial(page).maximum()
    assert page.findChild(QLineEdit, "inspection_gamma_number").text() == "100"
    assert "γ 100" in title(page)


def test_the_chosen_image_stays_where_a_filter_hides_it_now(qtbot: QtBot, page: InspectPage) -> None:
    until_measured(qtbot, page)
    with qtbot.waitSignals([page.sample_shown, page.measuring.measured], timeout=PATIENCE_MS):
        dial(page).setValue(0)
    filters = page.gallery.filters
    from pgn_studio.core.evaluation.selection import Outcome

    filters.set_outcome(Outcome.BROKEN)
    qtbot.waitUntil(lambda: page.gallery.view.currentIndex().isValid())
    image, rows = page.chosen, page.gallery.model.rowCount()
    with qtbot.waitSignals([page.sample_shown, page.measuring.measured], timeout=PATIENCE_MS):
        dial(page).setValue(dial(page).maximum())
    assert page.gallery.model.rowCount() < rows
    assert page.chosen == image
    assert page.detail.views.views["perturbed"].image is not None
    with qtbot.waitSignals([page.sample_shown, page.measuring.measured], timeout=PATIENCE_MS):
        dial(page).setValue(0)
    assert page.gallery.model.rowCount() == rows
    assert page.gallery.view.selected_images() == [image]


def test_a_gamma_that_is_not_served_is_put_back(qtbot: QtBot, page: InspectPage) -> None:
    number = page.findChild(QLineEdit, "inspection_gamma_number")
    said: list[str] = []
    page.status.connect(said.append)
    for text in ("1000", "0", "three"):
        number.setText(text)
        number.editingFinished.emit()
        assert number.text() == "10"
        assert "from 1 to 100" in said[-1]
    assert page.shown_gamma == 10.0


def test_what_is_exported_is_of_the_gamma_that_is_shown(
    qtbot: QtBot, page: InspectPage, study: Study, tmp_path: Path
) -> None:
    problems: list[str] = []
    page.failed.connect(lambda _title, error: problems.append(str(error)))
    page.turn(2.0)
    page.gallery.list_requested.emit()  # figures of another γ are not written under this one
    page.toolbar.export_figure.emit()
    assert page.export_flow.dialog is None
    assert all("γ 2" in problem for problem in problems)
    assert len(problems) == 2
    with qtbot.waitSignal(page.measuring.measured, timeout=PATIENCE_MS):
        pass
    subject = page._subject
    assert subject is not None
    assert subject.evaluation.facts["gamma"] == subject.pgn.gamma == 2.0
    assert subject.stem == "brighten-gamma-2-test"
    assert "--gamma 2" in export_command(subject, ExportChoice(TableExport()), "table.csv")
    comparison = ExportChoice(ComparisonExport(baselines=()), indices=(0,))
    assert "--gamma 2" in export_command(subject, comparison, "comparison.png")
    with qtbot.waitSignal(page._exporter.ended, timeout=PATIENCE_MS):
        page.export_figure_to(tmp_path / "figure.svg")
    assert "γ 2" in (tmp_path / "figure.svg").read_text(encoding="utf-8")


def test_a_black_box_is_asked_about_the_split_by_a_button_alone(
    qtbot: QtBot, page: InspectPage, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgn_studio.core.classifiers.blackbox.meter import QueryMeter

    monkeypatch.setattr(study.classifier, "queries", QueryMeter(None), raising=False)
    study.show_on(page)
    button = page.findChild(QPushButton, "measure_gamma_button")
    assert not button.isVisible()
    with qtbot.waitSignal(page.sample_shown, timeout=PATIENCE_MS):  # of its one image
        dial(page).setValue(0)
    assert not page.measuring.wanted_is_known
    assert button.isVisible()
    with qtbot.waitSignal(page.measuring.measured, timeout=PATIENCE_MS):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert not button.isVisible()
    assert len(page.measuring.places) == 2  # and not the rest of the frontier


def test_a_split_that_cannot_be_measured_is_said_once(
    qtbot: QtBot, page: InspectPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgn_studio.core.errors import PgnFileError
    from pgn_studio.core.evaluation.along import AlongGamma

    def fail(*_: object) -> None:
        raise PgnFileError("Not finite.")

    until_measured(qtbot, page)
    monkeypatch.setattr(AlongGamma, "measure", fail)
    with qtbot.waitSignal(page.failed, timeout=PATIENCE_MS) as failed:
        dial(page).setValue(7)
    assert "Not finite" in str(failed.args[1])
    assert "not measured" in title(page)
    monkeypatch.undo()
    with qtbot.waitSignal(page.measuring.measured, timeout=PATIENCE_MS):
        dial(page).setValue(8)


def test_a_pgn_of_one_gamma_has_no_dial(qtbot: QtBot, page: InspectPage) -> None:
    from tests.studies import make_study as plain

    until_measured(qtbot, page)
    with qtbot.waitSignal(page.sample_shown, timeout=PATIENCE_MS):
        plain().show_on(page)
    assert not page.gamma.isVisible()
    assert page.shown_gamma is None
    assert "γ" not in title(page)
    subject = page._subject
    assert subject is not None
    assert subject.stem == "brighten-test"
    assert "--gamma" not in export_command(subject, ExportChoice(TableExport()), "table.csv")


def test_another_pgn_begins_in_its_middle(qtbot: QtBot, page: InspectPage) -> None:
    until_measured(qtbot, page)
    dial(page).setValue(0)
    other = make_study(0.2, GammaRange(0.5, 2.0))
    with qtbot.waitSignal(page.sample_shown, timeout=PATIENCE_MS):
        other.show_on(page)
    assert page.shown_gamma == 1.0
    assert page.findChild(QLineEdit, "inspection_gamma_number").text() == "1"
    until_measured(qtbot, page)
    assert sorted(page.measuring.places)[0] == 0.5
    page.clear()
    assert page.measuring.places == {}
