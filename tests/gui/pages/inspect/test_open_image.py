"""A single image file, of no data set, on the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QLabel, QPushButton

from pgn_studio.gui.gallery.delegate import RIGHT_COLOR, WRONG_COLOR
from pgn_studio.gui.pages.inspect.page import InspectPage
from pgn_studio.gui.pages.inspect.strength import UNKNOWN_COLOR
from tests.studies import CLASSES, Study

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Reddish, and so near to green that the PGN turns it; larger and wider than the classifier's 8 px."""
    pixels = np.zeros((16, 24, 3), dtype=np.uint8)
    pixels[..., 0], pixels[..., 1] = 120, 100
    path = tmp_path / "mine.png"
    Image.fromarray(pixels).save(path)
    return path


def test_an_image_file_is_perturbed_and_shown(qtbot: QtBot, page: InspectPage, picture: Path) -> None:
    with qtbot.waitSignal(page.sample_shown):
        page.open_image(picture)
    title = page.findChild(QLabel, "image-title").text()
    assert "From a file" in title
    assert "mine.png" in title
    views = page.detail.views
    assert views.views["original"].image.pixelColor(4, 4).getRgb()[:3] == (120, 100, 0)
    assert views.views["perturbed"].image.pixelColor(4, 4).getRgb()[:3] == (120, 138, 0)
    assert views._captions["original"].text().startswith("Original: red")
    assert views._captions["perturbed"].text().startswith("Perturbed: green")
    assert {row.name for row in page.detail.bars.rows} == set(CLASSES)
    assert not any(row.is_truth for row in page.detail.bars.rows)
    assert float(page.findChild(QLabel, "size-linf").text()) == pytest.approx(0.15)
    qtbot.waitUntil(lambda: "red → green" in page.findChild(QLabel, "strength-flips").text())
    assert not page.findChild(QPushButton, "copy-figure").isEnabled()  # it is none of the split


def test_an_image_whose_class_nobody_knows_is_neither_right_nor_wrong(
    qtbot: QtBot, page: InspectPage, picture: Path
) -> None:
    with qtbot.waitSignal(page.sample_shown):
        page.open_image(picture)
    strip = page.detail.strength.strip
    qtbot.waitUntil(lambda: bool(strip.spans()))
    assert all(strip.look_of(label) == ("", UNKNOWN_COLOR) for _, _, label in strip.spans())
    assert "not known" in page.findChild(QLabel, "image-title").text()
    shown = strip.grab().toImage()
    seen = {shown.pixelColor(x, 2).name() for x in range(shown.width())}
    assert not seen & {RIGHT_COLOR.name(), WRONG_COLOR.name()}
    assert UNKNOWN_COLOR.name() in seen
    assert not {"✓", "✗"} & set("".join(caption.text() for caption in page.detail.views._captions.values()))


def test_the_gallery_takes_over_again(qtbot: QtBot, page: InspectPage, picture: Path, study: Study) -> None:
    with qtbot.waitSignal(page.sample_shown):
        page.open_image(picture)
    with qtbot.waitSignal(page.sample_shown) as shown:
        page.gallery.view.choose(0)
    assert shown.args == [0]
    assert study.dataset.test.names[0] in page.findChild(QLabel, "image-title").text()


def test_a_file_that_is_no_image_says_so(qtbot: QtBot, page: InspectPage, tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(b"no picture")
    with qtbot.waitSignal(page.status):
        page.open_image(path)
    assert "broken.png is no readable image" in page.findChild(QLabel, "image-title").text()


def test_without_a_pgn_it_is_said_what_to_do(qtbot: QtBot, picture: Path) -> None:
    page = InspectPage()
    qtbot.addWidget(page)
    with qtbot.waitSignal(page.failed) as failed:
        page.open_image(picture)
    assert "Open or train one" in failed.args[1].hint
