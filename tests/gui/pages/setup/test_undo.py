"""Undo and redo of the set-up's settings: by keyboard, by menu, beside what is being typed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QLineEdit, QSlider, QSpinBox
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.encoder_base import ENCODERS
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.pages.setup.panel import SetupPanel
from pgn_studio.gui.training.controller import RunState
from tests.gui.driving import child
from tests.gui.opened import opens_quickly

if TYPE_CHECKING:
    from conftest import FakeTrainer

    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset

CONTROL = Qt.KeyboardModifier.ControlModifier
FOREVER = 1_000_000


def setup_of(window: MainWindow) -> SetupPanel:
    assert window.controller is not None
    for section in (window.controller.setup.advanced, window.controller.setup.data.form):
        section.show()
    return window.controller.setup


def action(window: MainWindow, name: str) -> QAction:
    found: QAction = child(window, QAction, f"action_{name}")
    return found


def focus(qtbot: QtBot, widget: Any) -> None:
    widget.setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is widget)


def undo(qtbot: QtBot) -> None:
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Z, CONTROL)


def redo(qtbot: QtBot) -> None:
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Z, CONTROL | Qt.KeyboardModifier.ShiftModifier)


def test_an_encoder_is_chosen_or_typed_and_a_typed_name_is_one_step(qtbot: QtBot, shown: MainWindow) -> None:
    setup = setup_of(shown)
    box = setup.main.editor("encoder")
    assert isinstance(box, QComboBox)
    assert [box.itemText(index) for index in range(box.count())] == ["small", *ENCODERS]
    line = box.lineEdit()
    assert line is not None
    before = line.text()
    focus(qtbot, box)
    line.selectAll()
    qtbot.keyClicks(box, "vgg11")
    assert setup.main.values()["encoder"] == "vgg11"
    undo(qtbot)
    assert setup.main.values()["encoder"] == before
    redo(qtbot)
    assert setup.main.values()["encoder"] == "vgg11"


def test_what_is_typed_in_one_field_is_one_step(qtbot: QtBot, shown: MainWindow) -> None:
    setup = setup_of(shown)
    batch, seed = setup.main.editor("batch_size"), setup.main.editor("seed")
    assert isinstance(batch, QSpinBox)
    assert isinstance(seed, QSpinBox)
    before = (batch.value(), seed.value())
    assert not action(shown, "undo").isEnabled()
    focus(qtbot, batch)
    batch.selectAll()
    qtbot.keyClicks(batch, "128")
    focus(qtbot, seed)
    seed.selectAll()
    qtbot.keyClicks(seed, "77")
    assert (batch.value(), seed.value()) == (128, 77)
    assert action(shown, "undo").text() == "&Undo: Seed"
    undo(qtbot)
    assert (batch.value(), seed.value()) == (128, before[1])
    assert shown.statusBar().currentMessage() == "Undone: Seed"
    assert action(shown, "undo").text() == "&Undo: Batch size"
    undo(qtbot)
    assert (batch.value(), seed.value()) == before
    assert not action(shown, "undo").isEnabled()
    redo(qtbot)
    redo(qtbot)
    assert (batch.value(), seed.value()) == (128, 77)
    assert not action(shown, "redo").isEnabled()


def test_the_same_field_visited_twice_makes_two_steps(qtbot: QtBot, shown: MainWindow) -> None:
    setup = setup_of(shown)
    seed, batch = setup.main.editor("seed"), setup.main.editor("batch_size")
    assert isinstance(seed, QSpinBox)
    for text in ("11", "22"):
        focus(qtbot, seed)
        seed.selectAll()
        qtbot.keyClicks(seed, text)
        focus(qtbot, batch)
    undo(qtbot)
    assert seed.value() == 11


def test_typed_and_put_back_is_no_step(qtbot: QtBot, shown: MainWindow) -> None:
    seed = setup_of(shown).main.editor("seed")
    assert isinstance(seed, QSpinBox)
    focus(qtbot, seed)
    value = seed.value()
    seed.stepUp()
    seed.stepDown()
    assert seed.value() == value
    assert not action(shown, "undo").isEnabled()


def test_a_recipe_and_what_it_sets_are_one_step(qtbot: QtBot, shown: MainWindow) -> None:
    setup = setup_of(shown)
    recipe = setup.main.editor("recipe")
    assert isinstance(recipe, QComboBox)
    before = {**setup.main.values(), **setup.advanced.values()}
    focus(qtbot, recipe)
    qtbot.keyClick(recipe, Qt.Key.Key_Down)
    after = {**setup.main.values(), **setup.advanced.values()}
    assert sum(before[name] != after[name] for name in before) > 3
    assert action(shown, "undo").text() == "&Undo: Recipe"
    undo(qtbot)
    assert {**setup.main.values(), **setup.advanced.values()} == before
    redo(qtbot)
    assert {**setup.main.values(), **setup.advanced.values()} == after


def test_an_untouched_gamma_follows_the_problem_in_the_same_step(qtbot: QtBot, shown: MainWindow) -> None:
    setup = setup_of(shown)
    setup.fill(TrainingSettings().model_dump(mode="json"))
    problem, discriminator = setup.main.editor("problem"), setup.main.editor("discriminator")
    focus(qtbot, problem)
    qtbot.keyClick(problem, Qt.Key.Key_Down)
    assert setup.main.values()["problem"] == "adversarial"
    assert setup.gamma.value == (1.0, 100.0)
    focus(qtbot, discriminator)
    qtbot.keyClick(discriminator, Qt.Key.Key_End)
    assert setup.gamma.value == (1.8, 180.0)
    assert action(shown, "undo").text() == "&Undo: Discriminator"
    undo(qtbot)
    assert setup.gamma.value == (1.0, 100.0)
    undo(qtbot)
    assert setup.main.values()["problem"] == "enhance"
    assert setup.gamma.value == (0.3, 30.0)
    redo(qtbot)
    assert setup.gamma.value == (1.0, 100.0)
    setup.gamma.user_set(7.0)  # a γ that somebody chose stays
    focus(qtbot, problem)
    qtbot.keyClick(problem, Qt.Key.Key_Up)
    assert setup.main.values()["problem"] == "enhance"
    assert setup.gamma.value == 7


def test_half_typed_text_is_undone_first_and_by_its_field(qtbot: QtBot, shown: MainWindow) -> None:
    setup = setup_of(shown)
    rate, seed = setup.data.form.editor("val_fraction"), setup.main.editor("seed")
    assert isinstance(rate, QLineEdit)
    assert isinstance(seed, QSpinBox)
    start = seed.value()
    focus(qtbot, seed)
    seed.stepUp()
    focus(qtbot, rate)
    told = rate.text()
    qtbot.keyClicks(rate, "9")
    assert rate.text() != told
    undo(qtbot)  # the text's own
    assert rate.text() == told
    assert seed.value() == start + 1
    undo(qtbot)  # nothing half typed: the settings'
    assert seed.value() == start
    assert rate.text() == told


def test_half_typed_text_is_a_step_when_the_menu_undoes(qtbot: QtBot, shown: MainWindow) -> None:
    setup = setup_of(shown)
    further = setup.advanced.editor("further_settings")
    assert isinstance(further, QLineEdit)
    told = further.text()
    seed = setup.main.editor("seed")
    assert isinstance(seed, QSpinBox)
    seed.stepUp()
    further.setFocus()
    qtbot.keyClicks(further, ", what")  # cannot be read as settings
    action(shown, "undo").trigger()
    assert further.text() == told
    action(shown, "redo").trigger()
    assert further.text() == f"{told}, what"


def test_other_fields_keep_their_own_undo(qtbot: QtBot, shown: MainWindow) -> None:
    setup = setup_of(shown)
    box = setup.data.form.findChild(QCheckBox)
    assert isinstance(box, QCheckBox)
    box.toggle()
    checked = box.isChecked()
    search = shown.findChild(QLineEdit, "runs_search")
    assert isinstance(search, QLineEdit)
    shown.tabs.setCurrentWidget(shown.runs.page)
    focus(qtbot, search)
    qtbot.keyClicks(search, "abc")
    undo(qtbot)
    assert search.text() != "abc"
    undo(qtbot)
    assert box.isChecked() == checked  # a search is no setting: its keys stay its own


def test_a_run_s_settings_are_one_named_step(
    qtbot: QtBot, shown: MainWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, digits: ImageDataset,
    classifier: Classifier,
) -> None:  # fmt: skip
    opens_quickly(monkeypatch, digits, classifier)
    setup, controller = setup_of(shown), shown.controller
    assert controller is not None
    before = setup.undo._shown()
    controller.project.open_pgn(tmp_path)
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=60_000)
    assert setup.undo._shown() != before
    assert action(shown, "undo").text() == "&Undo: Settings of greener"
    action(shown, "undo").trigger()
    assert setup.undo._shown() == before
    assert not action(shown, "undo").isEnabled()


def test_a_drag_of_gamma_is_one_step_and_a_run_follows_its_undo(
    qtbot: QtBot, window: MainWindow, trainer: type[FakeTrainer]
) -> None:
    trainer.steps = FOREVER
    controller = window.controller
    assert controller is not None
    setup = controller.setup
    seed = setup.main.editor("seed")
    assert isinstance(seed, QSpinBox)
    setup.fill({"gamma": 3.0})
    seed.stepUp()
    with qtbot.waitSignal(controller.training.bridge.steps, timeout=10_000):
        controller.start()
    assert not action(window, "undo").isEnabled()  # the seed of a run under way stays
    slider = window.findChild(QSlider, "gamma_slider")
    assert isinstance(slider, QSlider)
    start, place = setup.gamma.value, slider.value()
    for target in (20, 40):
        slider.setSliderDown(True)
        for step in range(1, target):
            slider.setValue(place + step)
        slider.setSliderDown(False)
    assert action(window, "undo").text() == "&Undo: γ"
    with qtbot.waitSignal(controller.training.bridge.gamma_changed, timeout=10_000):
        action(window, "undo").trigger()
    assert setup.gamma.value > start  # back to the end of the first drag
    action(window, "undo").trigger()
    assert setup.gamma.value == start
    qtbot.waitUntil(lambda: controller.train_page.history.steps.column("gamma")[-1] == start, timeout=10_000)
    assert action(window, "undo").text() == "&Undo: Seed"
    assert not action(window, "undo").isEnabled()
    controller.training.stop()
    qtbot.waitUntil(lambda: controller.training.state is RunState.IDLE, timeout=20_000)
    qtbot.waitUntil(lambda: action(window, "undo").isEnabled(), timeout=10_000)


def test_the_device_goes_back_too(shown: MainWindow) -> None:
    setup, controller = setup_of(shown), shown.controller
    assert controller is not None
    device = setup.main.editor("device")
    assert isinstance(device, QComboBox)
    device.setCurrentIndex(device.findData("cpu"))
    assert controller.project.device == "cpu"
    action(shown, "undo").trigger()
    assert controller.project.device == "auto"


def test_the_chosen_normalization_can_be_taken_back(qtbot: QtBot, window: MainWindow) -> None:
    from pgn_studio.core.classifiers import Normalization

    controller = window.controller
    assert controller is not None
    project = controller.project
    file = trained_folder() / "digits-classifier.safetensors"

    def loaded() -> tuple[float, ...]:
        qtbot.waitUntil(lambda: not project.busy, timeout=60_000)
        assert project.classifier is not None
        return tuple(project.classifier.info.mean)

    project.load_classifier(ClassifierSource(str(file)))
    own = loaded()
    window.classifier.page.use_requested.emit(Normalization((0.25,) * 3, (0.5,) * 3))
    assert not action(window, "undo").isEnabled()  # while it loads
    assert loaded() == (0.25,) * 3
    assert action(window, "undo").text() == "&Undo: Use this normalization"
    action(window, "undo").trigger()
    assert loaded() == own
    action(window, "redo").trigger()
    assert loaded() == (0.25,) * 3
    project.load_classifier(ClassifierSource(str(file)))
    assert loaded() == own
    action(window, "undo").trigger()  # of a classifier that is gone
    assert not project.busy
    assert "Another classifier" in window.statusBar().currentMessage()
