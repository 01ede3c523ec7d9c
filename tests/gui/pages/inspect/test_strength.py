"""The strength slider: live classes, the α at which they change, and what it costs a black box."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSlider, QToolButton

from pgn_studio.core.evaluation.strength import perturbed_at, strength_curve
from pgn_studio.gui.pages.inspect.page import InspectPage
from pgn_studio.gui.pages.inspect.strength import OWN
from tests.studies import CLASSES, Study

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


def flips(page: InspectPage) -> str:
    return page.findChild(QLabel, "strength-flips").text()


def choose(qtbot: QtBot, page: InspectPage, image: int) -> None:
    """Choose an image and wait until the slider works for it."""
    if page.gallery.view.currentIndex().row() != image:
        with qtbot.waitSignal(page.sample_shown):
            page.gallery.view.choose(image)
    qtbot.waitUntil(lambda: flips(page) not in ("", "Asking the classifier …"))


def red_turned_green(study: Study) -> int:
    """A red image that the PGN makes green."""
    image = study.per_image
    return int(np.flatnonzero((image.clean_prediction == 0) & (image.perturbed_prediction == 1))[0])


def test_slider_moves_picture_classes_and_sizes(qtbot: QtBot, page: InspectPage, study: Study) -> None:
    index = red_turned_green(study)
    choose(qtbot, page, index)
    pixels = study.dataset.test.pixels[index]
    curve = strength_curve(study.pgn, study.classifier, pixels, alphas=[0, 0.5, 1, 2])
    slider = page.findChild(QSlider, "strength")
    for position, alpha in ((OWN // 2, 0.5), (2 * OWN, 2.0), (0, 0.0)):
        slider.setValue(position)
        shown = page.detail.views.views["perturbed"].image
        p = np.zeros((8, 8, 3), dtype=np.float32)
        p[..., 1] = 0.15
        expected = perturbed_at(pixels, p, alpha)
        assert shown.pixelColor(3, 5).getRgb()[:3] == tuple(expected[5, 3])
        rows = {row.name: row.after for row in page.detail.bars.rows}
        for label, name in enumerate(CLASSES):
            assert rows[name] == pytest.approx(float(curve.row(alpha)[label]), abs=0.02)
        size = float(page.findChild(QLabel, "size-rms").text())
        assert size == pytest.approx(alpha * study.per_image.rms[index], rel=0.01)
    qtbot.mouseClick(page.findChild(QToolButton, "strength-reset"), Qt.MouseButton.LeftButton)
    assert slider.value() == OWN
    assert float(page.findChild(QLabel, "size-rms").text()) == pytest.approx(
        study.per_image.rms[index], rel=0.01
    )


def test_the_change_of_class_is_named(qtbot: QtBot, page: InspectPage, study: Study) -> None:
    index = red_turned_green(study)
    choose(qtbot, page, index)
    means = study.dataset.test.pixels[index].mean(axis=(0, 1)) / 255
    expected = (means[0] - means[1]) / 0.15
    assert flips(page).startswith("Class changes at α ")
    assert "red → green" in flips(page)
    found = float(flips(page).split("α ")[1].split(":")[0])
    assert found == pytest.approx(expected, abs=0.02)
    low, high, label = page.detail.strength.strip.spans()[0]
    assert (low, label) == (0.0, 0)
    assert high == pytest.approx(found, abs=0.01)


def test_strength_stays_when_another_image_is_chosen(qtbot: QtBot, page: InspectPage) -> None:
    choose(qtbot, page, 0)
    page.findChild(QSlider, "strength").setValue(2 * OWN)
    assert page.detail.alpha == 2.0
    with qtbot.waitSignal(page.sample_shown):
        page.gallery.view.choose(3)
    assert page.detail.alpha == 1.0  # not yet known: the picture is the PGN's own
    qtbot.waitUntil(lambda: page.detail.alpha == 2.0)
    assert page.detail.bars.rows


def test_a_black_box_is_asked_only_when_the_slider_moves(
    qtbot: QtBot, page: InspectPage, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgn_studio.core.classifiers.blackbox.meter import QueryMeter
    from pgn_studio.core.evaluation import strength

    asked: list[bool] = []
    real = strength_curve

    def search(*arguments: object, refine: bool, **others: object) -> object:
        asked.append(refine)
        return real(*arguments, refine=refine, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(strength, "strength_curve", search)
    monkeypatch.setattr(study.classifier, "queries", QueryMeter(None), raising=False)
    with qtbot.waitSignal(page.sample_shown):
        page.gallery.view.choose(4)
    qtbot.wait(400)  # longer than the search waits
    assert asked == []
    page.findChild(QSlider, "strength").setValue(0)
    qtbot.waitUntil(lambda: page.detail.alpha == 0.0)
    assert asked == [False]


def test_clear_forgets_the_search(qtbot: QtBot, page: InspectPage) -> None:
    choose(qtbot, page, 0)
    page.clear()
    assert flips(page) == ""
    assert page.detail.strength.strip.spans() == []
