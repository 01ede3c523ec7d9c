"""The page as a person uses it: filter, choose, look closer, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QWheelEvent
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QSlider,
    QToolButton,
)

from pgn_studio.core.device import to_pixels
from pgn_studio.core.evaluation.batch import classify_batch
from pgn_studio.core.export.images import ImagesExport
from pgn_studio.core.report.export import ReportExport
from pgn_studio.gui.pages.inspect.image_view import ImageView
from pgn_studio.gui.pages.inspect.page import InspectPage
from tests.studies import CLASSES, COUNT, Study, make_study

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


def click(qtbot: QtBot, page: InspectPage, name: str) -> None:
    button = page.findChild(QToolButton, name) or page.findChild(QPushButton, name)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def shown_images(page: InspectPage) -> list[int]:
    model = page.gallery.model
    return [model.image_index(row) for row in range(model.rowCount())]


def wheel(view: ImageView, position: QPointF, notches: int) -> None:
    event = QWheelEvent(
        position, view.mapToGlobal(position), QPoint(), QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def test_filters_show_counts_and_images(qtbot: QtBot, page: InspectPage, study: Study) -> None:
    fixed = page.findChild(QToolButton, "outcome-fixed")
    assert fixed.text() == f"Fixed  {study.evaluation.metrics.fixed}"
    click(qtbot, page, "outcome-fixed")
    assert shown_images(page) == np.flatnonzero(study.per_image.outcome == "fixed").tolist()
    click(qtbot, page, "outcome-all")
    classes = page.findChild(QComboBox, "class-filter")
    classes.setCurrentIndex(classes.findText("blue"))
    assert shown_images(page) == np.flatnonzero(study.per_image.labels == 2).tolist()
    classes.setCurrentIndex(0)
    qtbot.keyClicks(page.findChild(QLineEdit, "name-filter"), "image017")
    qtbot.waitUntil(lambda: shown_images(page) == [17])


def test_sorting_starts_from_the_top(qtbot: QtBot, page: InspectPage, study: Study) -> None:
    sort = page.findChild(QComboBox, "sort-key")
    sort.setCurrentText("Confidence after")
    click(qtbot, page, "sort-descending")
    confidences = study.per_image.perturbed_confidence[shown_images(page)]
    assert (np.diff(confidences) <= 0).all()
    assert page.gallery.view.currentIndex().row() == 0


def test_nothing_broken_says_so(qtbot: QtBot) -> None:
    page = InspectPage()
    qtbot.addWidget(page)
    make_study(0.0).show_on(page)
    page.show()
    click(qtbot, page, "outcome-broken")
    text = page.findChild(QLabel, "gallery-empty")
    assert text.isVisible()
    assert text.text().startswith("No image was broken")
    assert not page.findChild(QPushButton, "copy-figure").isEnabled()


def test_empty_page_says_what_to_do(qtbot: QtBot) -> None:
    page = InspectPage()
    qtbot.addWidget(page)
    page.show()
    assert page.findChild(QLabel, "inspection-empty").isVisible()


def test_arrow_keys_move_through_the_gallery_from_it_and_from_the_views(
    qtbot: QtBot, page: InspectPage
) -> None:
    with qtbot.waitSignal(page.sample_shown) as shown:
        qtbot.keyClick(page.gallery.view, Qt.Key.Key_Right)
    assert shown.args == [1]
    with qtbot.waitSignal(page.sample_shown) as shown:
        qtbot.keyClick(page.detail.views.views["perturbed"], Qt.Key.Key_Right)
    assert shown.args == [2]
    columns = 1 + max(row for row in range(10) if _top(page, row) == _top(page, 0))
    qtbot.keyClick(page.detail.views.views["original"], Qt.Key.Key_Down)
    assert page.gallery.view.currentIndex().row() == 2 + columns
    qtbot.keyClick(page.detail.views.views["original"], Qt.Key.Key_End)
    with qtbot.waitSignal(page.sample_shown) as shown:
        qtbot.keyClick(page.gallery.view, Qt.Key.Key_Right)  # already at the end: stays
    assert shown.args == [COUNT - 1]


def _top(page: InspectPage, row: int) -> int:
    return page.gallery.view.visualRect(page.gallery.model.index(row)).top()


def test_keys_held_down_show_only_where_they_end(qtbot: QtBot, page: InspectPage) -> None:
    shown: list[int] = []
    page.sample_shown.connect(shown.append)
    for _ in range(20):
        qtbot.keyClick(page.gallery.view, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: bool(shown) and shown[-1] == 20)
    assert len(shown) <= 3


def test_enter_goes_to_the_views_and_escape_back(qtbot: QtBot, page: InspectPage) -> None:
    page.activateWindow()
    page.gallery.view.setFocus()
    qtbot.waitUntil(page.gallery.view.hasFocus)
    qtbot.keyClick(page.gallery.view, Qt.Key.Key_Return)
    assert page.detail.views.views["original"].hasFocus()
    qtbot.keyClick(page.detail.views.views["original"], Qt.Key.Key_Escape)
    assert page.gallery.view.hasFocus()


def test_zoom_and_pan_are_tied(qtbot: QtBot, page: InspectPage) -> None:
    views = page.detail.views.views
    first = views["original"]
    cursor = QPointF(first.width() * 0.3, first.height() * 0.5)
    under_cursor = first.to_image(cursor)
    wheel(first, cursor, 6)
    assert page.detail.views.viewport.zoom == pytest.approx(1.25**6)
    assert first.to_image(cursor).x() == pytest.approx(under_cursor.x())
    for view in views.values():
        middle = QPointF(view.width() / 2, view.height() / 2)
        assert view.to_image(middle) == page.detail.views.viewport.center
    start, end = QPoint(100, 100), QPoint(80, 90)
    dragged = views["perturbed"]
    before = dragged.to_image(start.toPointF())
    qtbot.mousePress(dragged, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(dragged, end)
    qtbot.mouseRelease(dragged, Qt.MouseButton.LeftButton, pos=end)
    after = dragged.to_image(end.toPointF())
    assert (after.x(), after.y()) == pytest.approx((before.x(), before.y()))
    qtbot.keyClick(views["perturbation"], Qt.Key.Key_0)
    assert page.detail.views.viewport.zoom == 1.0
    wheel(first, cursor, 2)
    qtbot.mouseDClick(first, Qt.MouseButton.LeftButton)
    assert page.detail.views.viewport.zoom == 1.0


def test_enlarged_pixels_have_hard_edges(qtbot: QtBot, page: InspectPage, study: Study) -> None:
    view = page.detail.views.views["original"]
    page.detail.views.viewport.point_at(None)
    picture = view.grab().toImage()
    rect = view.image_rect()
    expected = study.dataset.test.pixels[0, 3, 5]
    for offset in (0.2, 0.5, 0.8):  # anywhere within the pixel: its exact color
        x = rect.x() + (5 + offset) * rect.width() / 8
        y = rect.y() + (3 + offset) * rect.height() / 8
        assert picture.pixelColor(int(x), int(y)).getRgb()[:3] == tuple(expected)


def test_space_held_down_compares(qtbot: QtBot, page: InspectPage) -> None:
    views = page.detail.views.views
    original = views["original"].image
    qtbot.keyPress(views["original"], Qt.Key.Key_Space)
    assert views["original"].image == views["perturbed"].image != original
    qtbot.keyRelease(views["original"], Qt.Key.Key_Space)
    assert views["original"].image == original


def test_read_out_gives_the_pixel_s_values(qtbot: QtBot, page: InspectPage, study: Study) -> None:
    view = page.detail.views.views["perturbed"]
    rect = view.image_rect()
    target = QPoint(int(rect.x() + rect.width() * 2.5 / 8), int(rect.y() + rect.height() * 6.5 / 8))
    qtbot.mouseMove(view, target)
    red, green, blue = study.dataset.test.pixels[0, 6, 2]
    text = page.findChild(QLabel, "pixel-readout").text()
    assert text.startswith(f"x 2  y 6   {red} {green} {blue}   +0 +38 +0")


def test_gain_changes_only_the_perturbation(qtbot: QtBot, page: InspectPage) -> None:
    views = page.detail.views.views
    slider = page.findChild(QSlider, "gain")
    auto = page.findChild(QToolButton, "gain-auto")
    assert page.detail.gain.gain == pytest.approx(0.5 / 0.15, rel=1e-3)
    full = views["perturbation"].image.pixelColor(0, 0).getRgb()[:3]
    assert full == (128, 255, 128)
    slider.setValue(0)
    assert page.findChild(QLabel, "gain-value").text() == "× 1.0"
    assert not auto.isChecked()
    assert views["perturbation"].image.pixelColor(0, 0).green() == round(128 + 254 * 0.15)
    page.findChild(QComboBox, "gain-mode").setCurrentText("Magnitude")
    assert views["perturbation"].image.pixelColor(0, 0).red() == 0
    auto.click()
    assert page.detail.gain.gain == pytest.approx(0.5 / 0.15, rel=1e-3)


def test_probabilities_are_the_model_s(qtbot: QtBot, page: InspectPage, study: Study) -> None:
    with qtbot.waitSignal(page.sample_shown):
        page.gallery.view.choose(5)
    pixels = to_pixels(study.dataset.test.images([5]), next(study.classifier.parameters()).device)
    batch = classify_batch(study.pgn, study.classifier, pixels)
    rows = {row.name: row for row in page.detail.bars.rows}
    assert set(rows) == set(CLASSES)
    for k, name in enumerate(CLASSES):
        assert rows[name].before == pytest.approx(float(batch.clean[0, k]), abs=1e-5)
        assert rows[name].after == pytest.approx(float(batch.perturbed[0, k]), abs=1e-5)
        assert rows[name].is_truth == (k == study.per_image.labels[5])
    said = CLASSES[study.per_image.perturbed_prediction[5]]
    assert max(rows.values(), key=lambda row: row.after).name == said
    assert page.findChild(QLabel, "size-l2").text() == f"{study.per_image.l2[5]:.3g}"


def test_figure_of_the_selection_is_written(qtbot: QtBot, page: InspectPage, tmp_path: Path) -> None:
    click(qtbot, page, "outcome-fixed")
    page.gallery.view.selectAll()
    assert len(page.figure_indices()) > 1
    for suffix, start in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        path = tmp_path / f"figure{suffix}"
        page.export_figure_to(path)
        qtbot.waitUntil(path.exists, timeout=20_000)
        qtbot.waitUntil(lambda: not page._exporter.busy)
        assert path.read_bytes().startswith(start)


def test_copy_puts_a_picture_on_the_clipboard(qtbot: QtBot, page: InspectPage) -> None:
    QGuiApplication.clipboard().clear()
    with qtbot.waitSignal(page._exporter.ended, timeout=20_000):
        click(qtbot, page, "copy-figure")
    assert QGuiApplication.clipboard().image().width() > 300


def test_table_and_images_are_written(
    qtbot: QtBot, page: InspectPage, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PySide6.QtWidgets import QFileDialog

    table = tmp_path / "table"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(table), "CSV (*.csv)"))
    with qtbot.waitSignal(page._exporter.ended, timeout=20_000):
        click(qtbot, page, "export-table")
    assert "perturbed_accuracy" in (tmp_path / "table.csv").read_text()
    folder = tmp_path / "images"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_args: str(folder))
    with qtbot.waitSignal(page._exporter.ended, timeout=20_000):
        click(qtbot, page, "export-images")
    assert len(list(folder.rglob("*.png"))) == COUNT


def test_report_is_written_and_offered(
    qtbot: QtBot, page: InspectPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PySide6.QtGui import QDesktopServices
    from PySide6.QtWidgets import QFileDialog

    opened: list[str] = []
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_args: str(tmp_path))
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    with qtbot.waitSignal(page._exporter.reported, timeout=60_000) as written:
        click(qtbot, page, "write-report")
    assert written.args == [str(tmp_path / "brighten-test-report" / "report.html")]
    box = page.findChild(QMessageBox, "report-written")
    next(button for button in box.buttons() if "Open" in button.text()).click()
    assert opened == written.args
    box.close()


def test_a_canceled_report_leaves_nothing(qtbot: QtBot, page: InspectPage, tmp_path: Path) -> None:
    with qtbot.waitSignal(page._exporter.ended, timeout=60_000):
        page._exporter.write(ReportExport(), tmp_path / "report", page._subject)
        page._exporter.cancel()
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_is_shown(qtbot: QtBot, page: InspectPage, tmp_path: Path) -> None:
    with qtbot.waitSignal(page.failed, timeout=20_000) as failed:
        page.export_figure_to(tmp_path / "figure.docx")
    assert failed.args[0] == "The export failed"
    assert ".png" in str(failed.args[1])


def test_same_images_keep_the_chosen_one(qtbot: QtBot, page: InspectPage) -> None:
    with qtbot.waitSignal(page.sample_shown):
        page.gallery.view.choose(9)
    with qtbot.waitSignal(page.sample_shown) as shown:
        make_study(0.05).show_on(page)
    assert shown.args == [9]


def test_clear_lets_go(qtbot: QtBot, page: InspectPage) -> None:
    page.clear()
    assert page.figure_indices() == []
    assert page.findChild(QLabel, "inspection-empty").isVisible()
    assert page.detail.views.views["original"].image is None


def test_controls_have_names(qtbot: QtBot, page: InspectPage) -> None:
    for kind in (QToolButton, QComboBox, QSlider):
        for control in page.findChildren(kind):
            if control.objectName() and not control.objectName().startswith("qt_"):  # Qt's own parts
                assert control.accessibleName(), control.objectName()


def test_a_canceled_export_says_so(qtbot: QtBot, page: InspectPage, tmp_path: Path) -> None:
    told: list[str] = []
    page.status.connect(told.append)
    with qtbot.waitSignal(page._exporter.ended, timeout=60_000):
        page._exporter.write(ImagesExport(), tmp_path / "images", page._subject)
        page._exporter.cancel()
    assert told == ["Writing images …", "The export was canceled."]
