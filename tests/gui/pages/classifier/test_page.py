"""The Classifier page: facts, clean accuracy in the background, queries asked for, and the doctor."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtWidgets import QLabel, QLineEdit
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import DataSettings
from pgn_studio.core.errors import DataError
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.core.protocols import Progress
from pgn_studio.gui.pages.classifier.page import CLASS_COLUMNS, ClassifierPage
from tests.gui.driving import controller_of

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.gui.main_window import MainWindow

LONG_MS = 60_000
FILE = trained_folder() / "digits-classifier.safetensors"
WRONG = ClassifierSource(str(FILE), mean=(0.7,) * 3, std=(0.01,) * 3)


def opened(window: MainWindow) -> ClassifierPage:
    """The page, in front."""
    page = window.classifier.page
    window.tabs.setCurrentWidget(page)
    return page


def load(window: MainWindow, source: ClassifierSource, qtbot: QtBot) -> None:
    controller = controller_of(window)
    controller.project.load_classifier(source)
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=LONG_MS)


def measured(page: ClassifierPage, qtbot: QtBot, *splits: str) -> None:
    wanted = set(splits or ("train", "val", "test"))
    qtbot.waitUntil(lambda: set(page.measuring.found) == wanted and not page.measuring.doing, timeout=LONG_MS)


def texts(page: ClassifierPage, row: int) -> list[str]:
    model = page.classes.model()
    return [str(model.index(row, column).data()) for column in range(len(CLASS_COLUMNS))]


def test_each_split_is_measured_when_the_page_is_opened(
    window: MainWindow, classifier: Classifier, digits: ImageDataset, qtbot: QtBot
) -> None:
    page = window.classifier.page
    assert set(page.measuring.found) == {"test"}  # by whoever loaded the classifier
    opened(window)
    measured(page, qtbot)
    for name in ("val", "train"):
        page.choose(name)
        found = page.measuring.found[name]
        assert np.array_equal(found.labels, digits.split(name).labels)
        assert page.confusion._counts.tolist() == found.confusion.tolist()
        row = found.per_class()[3]
        assert texts(page, 3)[:3] == ["3", str(row["n"]), f"{100 * row['accuracy']:.1f} %"]
        assert not page.measure_button.isEnabled()
    arch = page.findChild(QLineEdit, "fact_architecture")
    assert isinstance(arch, QLineEdit)
    assert arch.text() == classifier.info.arch
    order = page.findChild(QLineEdit, "fact_channel_order")
    assert isinstance(order, QLineEdit)
    assert order.text() == "RGB"
    page.classes.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    rights = [page.classes.row_of(page.classes.model().index(row, 0))["accuracy"] for row in range(10)]
    assert rights == sorted(rights, reverse=True)


def test_what_takes_long_waits_for_the_button_which_says_how_long(window: MainWindow, qtbot: QtBot) -> None:
    page = window.classifier.page
    test = page.measuring.found["test"]
    page.measuring.take(replace(test, seconds=0.1 * len(test.labels)))  # 27 s for val
    opened(window)
    assert not page.measuring.doing
    page.choose("train")
    assert page.measure_button.text() == "&Measure train: 1,078 images, about 2 min"
    assert page._figures.currentWidget() is page.nothing
    assert "train is not measured yet" in page.nothing.text()
    page.measure_button.click()
    qtbot.waitUntil(lambda: "train" in page.measuring.found, timeout=LONG_MS)
    assert page._figures.currentWidget() is not page.nothing
    measured(page, qtbot)  # at the pace that it has now, val is cheap


def test_it_can_be_canceled(window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_args: Any, progress: Progress, **_options: Any) -> None:
        while True:
            progress(1, 100)

    monkeypatch.setattr("pgn_studio.core.evaluation.classifier_accuracy.classify_split", endless)
    page = opened(window)
    assert page.measuring.doing == "Measuring val"
    assert page.cancel_button.isVisible()
    qtbot.waitUntil(lambda: page.bar.value() == 1)
    page.cancel_button.click()
    assert not page.cancel_button.isVisible()
    page.choose("val")
    assert page.measure_button.isEnabled()  # and it does not begin again by itself
    assert set(page.measuring.found) == {"test"}


def test_a_failure_is_told_and_can_be_tried_again(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_options: Any) -> None:
        raise DataError("An image is gone.", hint="Load it again.")

    with monkeypatch.context() as patch:
        patch.setattr("pgn_studio.core.evaluation.classifier_accuracy.classify_split", broken)
        page = opened(window)
        qtbot.waitUntil(lambda: controller_of(window).reporter.dialog is not None)
    dialog = controller_of(window).reporter.dialog
    assert dialog is not None
    assert "An image is gone" in dialog.message.text()
    dialog.close()
    page.choose("val")
    page.measure_button.click()
    qtbot.waitUntil(lambda: "val" in page.measuring.found, timeout=LONG_MS)


def test_a_wrong_normalization_is_offered_to_be_mended_and_is(window: MainWindow, qtbot: QtBot) -> None:
    load(window, WRONG, qtbot)
    page = opened(window)
    measured(page, qtbot)
    assert page.banner.isVisible()
    text = page.banner.findChild(QLabel, "banner_text")
    assert isinstance(text, QLabel)
    assert "normalization" in text.text()
    with qtbot.waitSignal(page.measuring.diagnosed, timeout=LONG_MS):
        page.banner.action_clicked.emit()
    assert not page.banner.isVisible()
    assert page.trials.isVisible()
    assert "The data set's own is better" in page.trials.verdict.text()
    before = page.measuring.found["test"].accuracy.value or 1.0
    page.trials.use_button.click()
    controller = controller_of(window)
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=LONG_MS)
    measured(page, qtbot)
    after = page.measuring.found["test"].accuracy.value or 0.0
    assert before < 0.4 < 0.85 < after
    assert not page.trials.isVisible()
    assert not page.banner.isVisible()
    facts = controller.project.classifier.info.told  # what run.json will say
    classifier = controller.project.classifier
    assert classifier is not None
    assert facts["mean"] == pytest.approx(classifier.info.mean)
    assert classifier.info.mean != WRONG.mean
    shown = controller.setup.classifier.accuracy.text()
    assert shown == f"Test accuracy (clean): {100 * after:.1f}\N{NO-BREAK SPACE}%"


def test_a_good_one_is_left_alone(window: MainWindow, qtbot: QtBot) -> None:
    load(window, ClassifierSource(str(FILE)), qtbot)
    page = opened(window)
    measured(page, qtbot)
    assert not page.banner.isVisible()
    with qtbot.waitSignal(page.measuring.diagnosed, timeout=LONG_MS):
        page.try_button.click()
    assert "own normalization is the right one" in page.trials.verdict.text()
    chosen = page.trials.table.chosen
    assert chosen is not None
    assert chosen["trial"].own
    assert not page.trials.use_button.isEnabled()
    page.trials.table.choose(len(page.trials.table.rows.rows) - 1)
    assert page.trials.use_button.isEnabled()  # somebody may know better


def test_it_is_not_loaded_anew_under_a_run(window: MainWindow, qtbot: QtBot) -> None:
    from pgn_studio.core.classifiers import Normalization

    controller = controller_of(window)
    controller.start()
    qtbot.waitUntil(lambda: controller.training.active)
    page = opened(window)
    with qtbot.waitSignal(controller.reporter.refused) as said:
        page.use_requested.emit(Normalization())
    assert "run" in said.args[0]
    assert not controller.project.busy
    controller.training.stop()
    qtbot.waitUntil(lambda: not controller.training.active, timeout=20_000)


@pytest.fixture
def black_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClassifierSource:
    from pgn_studio.core.classifiers import Access

    (tmp_path / "page_window_box.py").write_text(
        "def predict(images):\n    return images.mean((1, 2, 3)).astype('int64') % 10\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    access = Access(trust_code=True)
    return ClassifierSource("python:page_window_box:predict", image_size=16, access=access)


def test_a_black_box_is_asked_only_by_the_button_which_says_what_it_costs(
    window: MainWindow, qtbot: QtBot, black_box: ClassifierSource
) -> None:
    load(window, black_box, qtbot)
    page = opened(window)
    box = controller_of(window).project.classifier
    assert box is not None
    assert box.queries is not None
    assert box.queries.used == 3  # to see how it answers
    assert not page.measuring.found
    assert not page.measuring.doing
    assert page.measure_button.text() == "&Measure test: up to 450 queries"
    assert not page.try_button.isEnabled()
    assert "8-bit images" in page.try_button.toolTip()
    page.measure_button.click()
    measured(page, qtbot, "test")
    assert 440 < box.queries.used <= 453
    assert "Test accuracy" in controller_of(window).setup.classifier.accuracy.text()
    assert not page.banner.isVisible()  # though it is poor: nothing can be chosen


def test_a_click_leads_to_the_images_where_inspect_has_them(
    make_window: Callable[..., MainWindow], qtbot: QtBot
) -> None:
    window = make_window()
    controller = controller_of(window)
    controller.opener.open_demo()
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=LONG_MS)
    page = opened(window)
    measured(page, qtbot)
    page.choose("test")
    page.confusion.chosen.emit(8, 1)
    assert window.tabs.currentWidget() is controller.inspect_page
    image = controller.inspect_page._subject.evaluation.per_image  # type: ignore[union-attr]
    expected = np.flatnonzero((image.labels == 8) & (image.clean_prediction == 1))
    assert controller.inspect_page.gallery.model.shown.tolist() == expected.tolist() != []
    opened(window)
    cell = page.classes.visualRect(page.classes.model().index(3, 0))
    qtbot.mouseClick(page.classes.viewport(), Qt.MouseButton.LeftButton, pos=cell.center())
    expected = np.flatnonzero(image.labels == 3)
    assert controller.inspect_page.gallery.model.shown.tolist() == expected.tolist()
    opened(window)
    page.choose("train")
    with qtbot.waitSignal(controller.reporter.message) as said:
        page.confusion.chosen.emit(8, 1)
    assert "open or train one" in said.args[0]
    assert window.tabs.currentWidget() is page


def test_a_thousand_classes_keep_the_layout(window: MainWindow, classifier: Classifier, qtbot: QtBot) -> None:
    page = opened(window)
    measured(page, qtbot)
    width = page.minimumSizeHint().width()
    many = tuple(f"a class with a rather long name, number {number}" for number in range(1000))
    rng = np.random.default_rng(0)
    found = replace(
        page.measuring.found["test"], classes=many, labels=rng.integers(0, 1000, 5000),
        predictions=rng.integers(0, 1000, 5000),
    )  # fmt: skip
    other = type(classifier)(classifier.net, replace(classifier.info, classes=many))
    page.show_subject(other, page.measuring.dataset, lambda: ("cpu", "fp32"), told=False, problem="")
    page.measuring.take(found)
    page.choose("test")
    assert page.classes.model().rowCount(QModelIndex()) == 1000
    assert page.minimumSizeHint().width() <= width + 10
    assert not page.grab().isNull()


def test_without_anything_it_says_what_to_do(
    make_window: Callable[..., MainWindow], digits: ImageDataset, classifier: Classifier
) -> None:
    window = make_window()
    page = opened(window)
    assert "Load a data set and a classifier" in page.nothing.text()
    assert not page.measure_button.isEnabled()
    assert not page.try_button.isEnabled()
    project = controller_of(window).project
    project._set_dataset(DataSettings(), replace(digits, classes=tuple("abcdefghij")))
    project.use_classifier(project.source, classifier)
    assert "number 0 is '0' for the classifier, 'a' in the data set" in page.nothing.text()
    assert not page.measure_button.isEnabled()


def test_a_lone_pgn_brings_back_how_its_classifier_was_given_images(
    make_window: Callable[..., MainWindow], qtbot: QtBot, tmp_path: Path
) -> None:
    from pgn_studio.core.perturbation.pgn import load_pgn, save_pgn

    pgn = load_pgn(trained_folder() / "digits-enhance.safetensors")
    path = tmp_path / "lone.safetensors"
    info = replace(pgn.info, mean=(0.25,) * 3, channels="bgr", classifier_path=str(FILE))
    save_pgn(path, pgn.generator, info)
    window = make_window()
    controller = controller_of(window)
    controller.opener.open_path(path)
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=LONG_MS)
    classifier = controller.project.classifier
    assert classifier is not None
    assert (classifier.info.mean, classifier.info.channels) == ((0.25,) * 3, "bgr")
    assert controller.project.source.normalization_given
    controller.opener.open_demo()
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=LONG_MS)
    assert not controller.project.source.normalization_given
