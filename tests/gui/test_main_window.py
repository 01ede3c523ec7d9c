"""The window with a trainer that only tells: buttons, plots, drops, errors, closing, memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import (
    QApplication,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QWidget,
)
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import DataSettings, TrainingSettings
from pgn_studio.core.errors import DataError
from pgn_studio.gui.dialogs.error import show_error
from pgn_studio.gui.dialogs.questions import ClosingDialog
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.plots.series_plot import SeriesPlot
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.project import OTHER_DATA
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.training.controller import RunState
from pgn_studio.gui.widgets.compact import Collapsible
from tests.gui.driving import child, controller_of

if TYPE_CHECKING:
    from conftest import FakeTrainer

    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset

FOREVER = 1_000_000


def press(qtbot: QtBot, window: QWidget, name: str) -> None:
    qtbot.mouseClick(child(window, QPushButton, name), Qt.MouseButton.LeftButton)


def points_of(plot: SeriesPlot) -> int:
    """How many points its first curve has drawn."""
    x, _ = plot.curves[0].getOriginalDataset()
    return 0 if x is None else len(x)


def last_of(plot: SeriesPlot) -> float:
    _, y = plot.curves[0].getOriginalDataset()
    return math.nan if y is None else float(y[-1])


@pytest.fixture(autouse=True)
def _no_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake run leaves no PGN that could be measured."""
    monkeypatch.setattr("pgn_studio.gui.project.Project.measure_run", lambda *_: None)


def test_start_needs_data_and_a_classifier(make_window: Callable[..., MainWindow]) -> None:
    window = make_window()
    start = child(window, QPushButton, "start_button")
    assert not start.isEnabled()
    assert start.toolTip() == "Load a data set first."


def test_the_cards_say_what_is_loaded(window: MainWindow) -> None:
    assert "10 classes, 16 px" in child(window, QLabel, "dataset_summary").text()
    assert "untrained.safetensors" in child(window, QLabel, "classifier_summary").text()
    assert "Test accuracy (clean)" in child(window, QLabel, "clean_accuracy").text()


def test_a_run_fills_plots_strip_and_progress(qtbot: QtBot, window: MainWindow) -> None:
    controller = controller_of(window)
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=10_000):
        press(qtbot, window, "start_button")
    plots = controller.train_page.plots
    qtbot.waitUntil(lambda: {points_of(plot) for plot in plots.plots} == {40}, timeout=5000)
    assert len(plots.by_name["accuracy"].points[1].getData()[0]) == 4
    assert len(plots.gamma.curve.getData()[0]) == 40
    assert controller.train_page.strip.preview is not None
    assert "Completed after 40 steps" in child(window, QLabel, "run_position").text()
    assert "94.0 % after 8-bit" in child(controller.train_page, QLabel, "banner_text").text()
    assert child(window, QPushButton, "start_button").isEnabled()


def test_log_scale_and_smoothing_apply_to_the_plots(qtbot: QtBot, window: MainWindow) -> None:
    controller = controller_of(window)
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=10_000):
        press(qtbot, window, "start_button")
    plots = controller.train_page.plots
    controller.train_page.controls.smoothing.setValue(1)
    qtbot.waitUntil(lambda: last_of(plots.losses) == 1 / 40, timeout=5000)
    controller.train_page.controls.logarithmic.setChecked(True)
    assert plots.losses.plot.getAxis("left").logMode
    assert plots.l2.plot.getAxis("left").logMode
    assert not plots.by_name["accuracy"].plot.getAxis("left").logMode


def test_gamma_moves_while_it_trains_and_the_rest_is_locked(
    qtbot: QtBot, window: MainWindow, trainer: type[FakeTrainer]
) -> None:
    trainer.steps = FOREVER
    controller = controller_of(window)
    controller.setup.fill({"gamma": 3.0})
    with qtbot.waitSignal(controller.training.bridge.steps, timeout=10_000):
        press(qtbot, window, "start_button")
    assert not controller.setup.main.editor("encoder").isEnabled()
    slider = child(window, QSlider, "gamma_slider")
    assert slider.isEnabled()
    slider.setValue(0)
    history = controller.train_page.history
    qtbot.waitUntil(lambda: history.steps.column("gamma")[-1] == 0.0, timeout=5000)
    assert "γ = 0" in child(window, QPlainTextEdit, "messages").toPlainText()
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=10_000):
        press(qtbot, window, "stop_button")


def test_space_pauses_and_goes_on(qtbot: QtBot, window: MainWindow, trainer: type[FakeTrainer]) -> None:
    trainer.steps = FOREVER
    controller = controller_of(window)
    child(window, QAction, "action_start").trigger()
    qtbot.waitUntil(lambda: controller.training.state is RunState.RUNNING, timeout=5000)
    pause = child(window, QAction, "action_pause_or_resume")
    window.setFocus()
    pause.trigger()
    assert controller.training.state is RunState.PAUSED
    assert child(window, QPushButton, "pause_button").text() == "Resume"
    pause.trigger()
    assert controller.training.state is RunState.RUNNING


def test_the_settings_of_the_forms_reach_the_trainer(
    qtbot: QtBot, window: MainWindow, trainer: type[FakeTrainer], classifier: Classifier
) -> None:
    jobs = []
    monkey = trainer.__init__

    def noting(self: Any, job: Any, sink: Any) -> None:
        jobs.append(job)
        monkey(self, job, sink)

    trainer.__init__ = noting  # type: ignore[method-assign]
    controller = controller_of(window)
    controller.setup.fill({"encoder": "small", "epochs": 3, "gamma": 0.5, "learning_rate_g": 1e-3})
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=10_000):
        press(qtbot, window, "start_button")
    assert jobs[0].settings == TrainingSettings.make(
        image_size=16,
        classifier=classifier.info.path,
        encoder="small",
        epochs=3,
        gamma=0.5,
        learning_rate_g=1e-3,
    )


def test_a_failed_run_opens_a_dialog_that_says_what_to_do(
    qtbot: QtBot, window: MainWindow, trainer: type[FakeTrainer]
) -> None:
    trainer.fails_at = 5
    controller = controller_of(window)
    with qtbot.waitSignal(controller.training.bridge.failed, timeout=10_000):
        press(qtbot, window, "start_button")
    dialog = controller.reporter.dialog
    assert dialog is not None
    assert dialog.isVisible()
    assert dialog.message.text() == "The losses are no longer finite."
    assert dialog.hint.text() == "Raise gamma."
    dialog.close()
    assert child(window, QPushButton, "start_button").isEnabled()


def test_an_error_can_be_copied_with_its_details(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    error = DataError("Expected images, got none.", hint="Choose another.", details="line 1\nline 2")
    dialog = show_error(parent, "Loading failed", error)
    press(qtbot, dialog, "copy_error_button")
    text = QGuiApplication.clipboard().text()
    assert "Expected images, got none." in text
    assert "line 2" in text
    press(qtbot, dialog, "error_details_button")
    assert dialog.details.isVisible()
    dialog.close()


def test_a_fault_of_the_program_is_shown_as_one(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = show_error(parent, "Loading failed", KeyError("x"))
    assert dialog.message.text() == "KeyError: 'x'"
    assert "KeyError" in dialog.details.toPlainText()
    dialog.close()


def drop(window: MainWindow, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    rest = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(5, 5), *rest)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(QPointF(5, 5), *rest))


@pytest.mark.parametrize(
    ("name", "typed", "expected"),
    [
        ("gamma_number", "abc", "got “abc”"),
        ("gamma_number", "-3", "from 0"),
        ("gamma_number", "0,5", "Write a point"),
        ("gamma_number", "nan", "got “nan”"),
        ("gamma_number", "", "got “”"),
        ("gamma_dial_number", "31", "to 30"),
        ("gamma_low", "30", "30 stays"),
        ("batch_size_field", "1", "got “1”"),
        ("val_fraction_field", "7", "got “7”"),
        ("val_fraction_field", "1e99x", "Val fraction"),
    ],
)
def test_what_a_field_puts_back_is_said(
    qtbot: QtBot, shown: MainWindow, name: str, typed: str, expected: str
) -> None:
    for part in shown.findChildren(Collapsible):
        part.toggle.setChecked(True)
    if name == "gamma_number":
        controller_of(shown).setup.gamma.set_value(3.0)
    field = child(shown, QWidget, name)
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    before = field.text()
    field.selectAll()
    qtbot.keyClick(field, Qt.Key.Key_Backspace)
    qtbot.keyClicks(field, typed)
    with qtbot.waitSignal(controller_of(shown).reporter.refused) as told:
        qtbot.keyClick(field, Qt.Key.Key_Return)
    assert expected in told.args[0]
    assert field.text() == before
    assert expected.split()[-1] in shown.statusBar().currentMessage()


def test_a_pause_is_said_across_the_page(
    qtbot: QtBot, window: MainWindow, trainer: type[FakeTrainer]
) -> None:
    trainer.steps = FOREVER
    controller = controller_of(window)
    page = controller.train_page
    with qtbot.waitSignal(controller.training.bridge.steps, timeout=10_000):
        press(qtbot, window, "start_button")
    press(qtbot, window, "pause_button")
    assert page.banner.isVisible()
    assert "Paused" in child(page, QLabel, "banner_text").text()
    assert not page.bar.isEnabled()
    press(qtbot, window, "pause_button")
    assert page.banner.isHidden()
    assert page.bar.isEnabled()
    press(qtbot, window, "pause_button")
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=10_000):
        press(qtbot, window, "stop_button")
    assert "Stopped and kept" in child(page, QLabel, "banner_text").text()
    assert "epoch" in child(page, QLabel, "banner_text").text()
    assert page.bar.isEnabled()


def test_a_dropped_folder_without_images_is_an_error_in_a_dialog(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    controller = controller_of(window)
    with qtbot.waitSignal(controller.project.failed, timeout=10_000):
        drop(window, tmp_path / "empty")
    assert controller.reporter.dialog is not None
    assert controller.reporter.dialog.hint.text()
    controller.reporter.dialog.close()
    assert controller.project.dataset is not None  # what was loaded stays, and is named
    combo = controller.setup.data.combo
    qtbot.waitUntil(lambda: combo.currentText() == "Digits (bundled)")
    assert combo.findText("empty") >= 0  # kept for another try
    assert child(window, QLabel, "dataset_summary").text().startswith("<b>Digits (bundled)</b>")
    qtbot.waitUntil(lambda: not controller.project.busy)


def test_a_size_that_came_with_a_run_is_not_that_of_other_images(
    qtbot: QtBot, window: MainWindow, digits: ImageDataset, tmp_path: Path
) -> None:
    make_photos(tmp_path / "photos")
    controller = controller_of(window)
    data, size = controller.setup.data, child(window, QSpinBox, "image_size_field")
    of_the_run = DataSettings(image_size=16, num_classes=9)
    controller.project._set_dataset(of_the_run, digits)  # as opening a run shows it
    loaded(qtbot, window)
    assert size.value() == 16
    drop(window, tmp_path / "photos")
    loaded(qtbot, window)
    assert controller.project.data_settings.image_size is None
    assert controller.project.data_settings.num_classes is None
    assert size.text() == "Automatic"
    assert not data.own_size.isHidden()

    by_run = controller.project.data_settings.updated(image_size=16)
    controller.project._set_dataset(by_run, controller.project.dataset)  # a run on these very images
    press(qtbot, window, "load_dataset_button")
    loaded(qtbot, window)
    assert not data.own_size.isHidden()
    size.setValue(20)  # by hand: that is wanted
    for _ in range(2):
        press(qtbot, window, "load_dataset_button")
        loaded(qtbot, window)
        assert controller.project.data_settings.image_size == 20
        assert data.own_size.isHidden()


def test_another_size_than_the_classifier_s_is_told_beside_the_accuracy(
    qtbot: QtBot, window: MainWindow
) -> None:
    controller, size = controller_of(window), child(window, QSpinBox, "image_size_field")
    note = child(window, QLabel, "sizes_note")
    assert note.isHidden()
    size.setValue(8)
    press(qtbot, window, "load_dataset_button")
    loaded(qtbot, window)
    assert not note.isHidden()
    assert "8 px" in note.text()
    assert "trained at 16 px" in note.text()
    press(qtbot, window, "read_at_classifier_size_button")
    loaded(qtbot, window)
    assert controller.project.dataset is not None
    assert controller.project.dataset.image_size == 16
    assert note.isHidden()


def loaded(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: not controller_of(window).project.busy, timeout=20_000)


def make_photos(folder: Path) -> None:
    for name, shade in (("dark", 20), ("light", 220)):
        (folder / name).mkdir(parents=True)
        for number in range(6):
            picture = Image.new("RGB", (64, 48), (shade, number, shade))
            picture.save(folder / name / f"{number}.png")


def test_photographs_are_not_reduced_to_the_classifier_s_size_without_a_word(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    make_photos(tmp_path / "photos")
    controller = controller_of(window)
    data = controller.setup.data
    assert data.reduced.isHidden()
    with qtbot.waitSignal(controller.project.dataset_changed, timeout=20_000):
        drop(window, tmp_path / "photos")
    assert controller.project.dataset is not None
    assert controller.project.dataset.image_size == 16  # the digits' classifier is still open
    assert "16 px" in data.reduced.text()
    assert not data.reduced.isHidden()
    assert "48 px" in window.statusBar().currentMessage()
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=20_000)
    with qtbot.waitSignal(controller.project.dataset_changed, timeout=20_000):
        press(qtbot, window, "own_size_button")
    assert controller.project.dataset.image_size == 48
    assert data.reduced.isHidden()
    assert data.own_size.isHidden()
    assert data.combo.currentText() == "photos"
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=20_000)


def test_a_dropped_classifier_is_loaded_and_remembered(
    qtbot: QtBot, window: MainWindow, classifier: Classifier, preferences: Preferences
) -> None:
    controller = controller_of(window)
    with qtbot.waitSignal(controller.project.accuracy_measured, timeout=20_000):
        drop(window, Path(classifier.info.path))
    assert preferences.recent("classifiers") == [classifier.info.path]
    recent = next(menu for menu in window.findChildren(QMenu) if menu.title() == "Recent")
    recent.aboutToShow.emit()
    assert classifier.info.path in [action.text() for action in recent.actions()]


def test_dropping_something_while_it_trains_is_refused(
    qtbot: QtBot, window: MainWindow, trainer: type[FakeTrainer], tmp_path: Path
) -> None:
    trainer.steps = FOREVER
    controller = controller_of(window)
    with qtbot.waitSignal(controller.training.bridge.started, timeout=10_000):
        controller.start()
    drop(window, tmp_path)
    assert not controller.project.busy
    assert "stop it before" in window.statusBar().currentMessage()


def closing_dialog(qtbot: QtBot, window: MainWindow) -> ClosingDialog:
    window.close()
    assert window.isVisible()
    dialog = child(window, ClosingDialog, "closing_dialog")
    qtbot.waitUntil(dialog.isVisible)
    assert isinstance(dialog, ClosingDialog)
    return dialog


def test_closing_while_it_trains_stops_and_keeps_then_closes(
    qtbot: QtBot, window: MainWindow, trainer: type[FakeTrainer]
) -> None:
    trainer.steps = FOREVER
    controller = controller_of(window)
    with qtbot.waitSignal(controller.training.bridge.steps, timeout=10_000):
        controller.start()
    dialog = closing_dialog(qtbot, window)
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=10_000) as end:
        dialog.stop_button.click()
    assert end.args[0].reason == "stopped"
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=10_000)


def test_closing_can_be_thought_better_of(
    qtbot: QtBot, window: MainWindow, trainer: type[FakeTrainer]
) -> None:
    trainer.steps = FOREVER
    controller = controller_of(window)
    with qtbot.waitSignal(controller.training.bridge.steps, timeout=10_000):
        controller.start()
    closing_dialog(qtbot, window).continue_button.click()
    count = len(controller.train_page.history.steps)
    qtbot.waitUntil(lambda: len(controller.train_page.history.steps) > count, timeout=5000)
    assert window.isVisible()
    assert controller.training.state is RunState.RUNNING


def test_a_run_that_ends_by_itself_takes_the_question_with_it(
    qtbot: QtBot, window: MainWindow, trainer: type[FakeTrainer]
) -> None:
    trainer.steps = 200
    controller = controller_of(window)
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=10_000) as end:
        controller.start()
        closing_dialog(qtbot, window)
    assert end.args[0].reason == "completed"
    qtbot.waitUntil(lambda: window.findChild(ClosingDialog) is None)
    assert window.isVisible()


def test_what_is_refused_stands_in_the_status_bar_for_a_while(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgn_studio.gui.main_window.REFUSAL_MS", 50)
    controller_of(window).reporter.message.emit("Run 1 · Finished")
    child(window, QLineEdit, "gamma_number").setText("-1")
    bar = window.statusBar()
    with qtbot.waitSignal(bar.messageChanged):
        child(window, QLineEdit, "gamma_number").editingFinished.emit()
    assert "-1" in bar.currentMessage()
    qtbot.waitUntil(lambda: bar.currentMessage() == "Run 1 · Finished")


def test_a_warning_goes_with_what_it_is_about(qtbot: QtBot, window: MainWindow) -> None:
    project = controller_of(window).project
    for change in (project.dataset_changed, project.classifier_changed):
        project.warned.emit(OTHER_DATA, "Half of them.")
        assert window.notice.isVisible()
        change.emit(project.dataset if change is project.dataset_changed else project.classifier)
        assert not window.notice.isVisible()
    window.notice.show_message("Another")
    project.classifier_changed.emit(project.classifier)
    assert window.notice.isVisible()
    loaded(qtbot, window)


def test_themes_recolor_everything(window: MainWindow, preferences: Preferences) -> None:
    controller = controller_of(window)
    for name in ("dark", "light"):
        child(window, QAction, f"theme_{name}").trigger()
        assert current_theme().is_dark == (name == "dark")
        background = controller.train_page.plots.losses.plot.backgroundBrush().color().name()
        assert background == current_theme().colors.background
    assert preferences.theme == "light"


def test_the_layout_comes_back(make_window: Callable[..., MainWindow]) -> None:
    first = make_window()
    first._messages_dock.show()
    first._setup_dock.hide()
    first.close()
    second = make_window()
    assert second._messages_dock.isVisible()
    assert not second._setup_dock.isVisible()
    child(second, QAction, "action_reset_layout").trigger()
    assert second._setup_dock.isVisible()


def test_recent_lists_are_short_newest_first_and_without_what_is_gone(
    preferences: Preferences, tmp_path: Path
) -> None:
    for number in range(15):
        (tmp_path / f"{number}").mkdir()
        preferences.add_recent("datasets", tmp_path / f"{number}")
    preferences.add_recent("datasets", tmp_path / "7")
    (tmp_path / "14").rmdir()
    recent = preferences.recent("datasets")
    assert recent[:2] == [str(tmp_path / "7"), str(tmp_path / "13")]
    assert len(recent) == 9


def test_important_controls_have_accessible_names(window: MainWindow) -> None:
    for kind, name in ((QSlider, "gamma_slider"), (QWidget, "preview_strip"), (QWidget, "losses_plot")):
        assert child(window, kind, name).accessibleName()


def test_a_dropped_image_without_a_pgn_is_told_and_the_page_stays(window: MainWindow, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (9, 9), "red").save(tmp_path / "a.png")
    controller = controller_of(window)
    drop(window, tmp_path / "a.png")
    assert window.tabs.currentWidget() is controller.train_page
    assert controller.reporter.dialog is not None
    assert "a.png" in controller.reporter.dialog.message.text()
    controller.reporter.dialog.close()
