"""Original against perturbed in one place: wipe and blink; and the key of the perturbation's colors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QComboBox, QLabel, QSlider

from pgn_studio.gui.pages.inspect.image_view import ImageView
from pgn_studio.gui.pages.inspect.page import InspectPage
from pgn_studio.gui.pages.inspect.perturbation_view import ColorBar
from tests.studies import Study

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


def arrange(page: InspectPage, name: str) -> ImageView:
    page.findChild(QComboBox, "arrangement").setCurrentText(name)
    return page.detail.views.views["original"]


def color(view: ImageView, column: int, row: int) -> tuple[int, ...]:
    """On the screen, in the middle of an image pixel."""
    rect = view.image_rect()
    x, y = (column + 0.5) * rect.width() / 8, (row + 0.5) * rect.height() / 8
    picture = view.grab().toImage()
    return QColor(picture.pixelColor(int(rect.x() + x), int(rect.y() + y))).getRgb()[:3]


def test_wipe_shows_the_original_left_and_the_perturbed_right(
    qtbot: QtBot, page: InspectPage, study: Study
) -> None:
    view = arrange(page, "Wipe")
    page.detail.views.viewport.point_at(None)
    assert not page.detail.views.views["perturbed"].isVisible()
    original = study.dataset.test.pixels[0]
    perturbed = page.detail._content.sample.perturbed
    assert tuple(original[3, 6]) != tuple(perturbed[3, 6])
    assert color(view, 1, 3) == tuple(original[3, 1])
    assert color(view, 6, 3) == tuple(perturbed[3, 6])
    rect = view.image_rect()
    start, end = rect.center().toPoint(), QPoint(int(rect.x() + 0.2), int(rect.center().y()))
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(view, end)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
    assert view.line == pytest.approx(0.0, abs=0.02)
    assert page.detail.views.viewport.zoom == 1.0
    page.detail.views.viewport.point_at(None)
    assert color(view, 1, 3) == tuple(perturbed[3, 1])
    for _ in range(30):
        qtbot.keyClick(view, Qt.Key.Key_BracketRight)
    assert view.line == 1.0
    assert color(view, 6, 3) == tuple(original[3, 6])


def test_blink_shows_them_in_turns_and_stops_when_hidden(qtbot: QtBot, page: InspectPage) -> None:
    view = arrange(page, "Blink")
    original, perturbed = page.detail.views._pictures
    assert view.image == original
    qtbot.waitUntil(lambda: view.image == perturbed)
    caption = page.detail.views._captions["original"]
    assert caption.text().startswith("Perturbed")
    qtbot.waitUntil(lambda: view.image == original)
    assert caption.text().startswith("Original")
    page.hide()
    assert not page.detail.views._blinking.isActive()
    page.show()
    assert page.detail.views._blinking.isActive()
    arrange(page, "Side by side")
    assert not page.detail.views._blinking.isActive()
    assert view.image == original
    assert page.detail.views.views["perturbed"].isVisible()


def test_the_bar_names_the_levels_of_the_colors(qtbot: QtBot, page: InspectPage) -> None:
    bar = page.findChild(ColorBar)
    assert bar.labels == ("−38.3", "0", "+38.3")  # 0.15 of 255, by the automatic gain
    page.findChild(QComboBox, "gain-mode").setCurrentText("Magnitude")
    assert bar.labels == ("0", "19.1", "38.3")
    page.findChild(QComboBox, "gain-mode").setCurrentText("Diverging")
    page.findChild(QSlider, "gain").setValue(0)
    assert bar.labels == ("−128", "0", "+128")
    shown = page.detail.views.views["perturbation"].image.pixelColor(0, 0).getRgb()[:3]
    expected = [245 + 2 * 0.05 * (end - 245) for end in (213, 94, 0)]  # the mean of 0, 0.15, 0
    assert shown == pytest.approx(expected, abs=1)
    end = bar.grab().toImage().pixelColor(bar.width() - 3, 4).getRgb()[:3]
    assert end == pytest.approx((213, 94, 0), abs=6)


def test_the_help_text_follows_the_arrangement(qtbot: QtBot, page: InspectPage) -> None:
    page.detail.views.viewport.point_at(None)
    text = page.findChild(QLabel, "pixel-readout")
    assert "hold space" in text.text()
    arrange(page, "Wipe")
    assert "Drag the line" in text.text()
