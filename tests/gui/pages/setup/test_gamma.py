"""γ of a run in the window: a range with a dial for what is shown, or one value; the real trainer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QSlider
from pytestqt.qtbot import QtBot
from safetensors.numpy import load_file

from pgn_studio.core.config import DataSettings, TrainingSettings
from pgn_studio.core.training.events import AtGamma, EpochCompleted
from pgn_studio.gui.controller import Controller
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.pages.setup.panel import SetupPanel
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.training.controller import RunState
from pgn_studio.gui.widgets.gamma_control import GammaControl
from tests.gui.driving import PATIENCE_MS, child, controller_of, press, train, until_step

RANGE = (0.3, 30.0)


@pytest.fixture
def control(qtbot: QtBot) -> GammaControl:
    made = GammaControl()
    qtbot.addWidget(made)
    made.show()
    return made


def typed(parent: Any, name: str, text: str) -> QLineEdit:
    field = child(parent, QLineEdit, name)
    field.setText(text)
    field.editingFinished.emit()
    return field


# ---------------------------------------------------------------------- the set-up


def test_a_new_run_is_a_dial_and_can_be_one_value(qtbot: QtBot) -> None:
    panel = SetupPanel()
    qtbot.addWidget(panel)
    assert panel.settings(DataSettings(), "f") == TrainingSettings(classifier="f")
    assert panel.gamma.shown == 3.0
    kind = child(panel, QComboBox, "gamma_kind")
    kind.setCurrentText("One value")
    assert panel.settings(DataSettings(), "f").gamma == 3.0
    panel.gamma.user_set(100.0)
    kind.setCurrentText("Range")  # one around it, since the last one does not have it
    assert panel.gamma.value == (10.0, 1000.0)
    assert panel.gamma.shown == 100.0


def test_a_range_that_is_none_is_put_back_and_said(control: GammaControl) -> None:
    said: list[str] = []
    control.refused.connect(said.append)
    for name, text in (
        *(("gamma_low", text) for text in ("30", "31", "0", "-1", "nan", "inf", "")),
        *(("gamma_high", text) for text in ("0.3", "0.1", "1e9", "3..30")),
    ):
        typed(control, name, text)
        assert control.value == RANGE, text
    assert len(said) == 11
    typed(control, "gamma_high", "300")
    assert control.value == (0.3, 300.0)
    assert control.shown == 3.0  # it is still served
    typed(control, "gamma_low", "5")
    assert control.shown == pytest.approx((5 * 300) ** 0.5, rel=1e-3)


def test_the_dial_turns_by_key_and_number_and_changes_no_setting(qtbot: QtBot, control: GammaControl) -> None:
    shown: list[float] = []
    edited: list[bool] = []
    control.changed.connect(shown.append)
    control.edited.connect(lambda: edited.append(True))
    dial = child(control, QSlider, "gamma_dial")
    qtbot.keyClick(dial, Qt.Key.Key_End)
    qtbot.keyClick(dial, Qt.Key.Key_Home)
    typed(control, "gamma_dial_number", "0.42")
    assert typed(control, "gamma_dial_number", "0.2").text() == "0.42"
    assert shown == [30.0, 0.3, 0.42]
    assert edited == []
    assert control.value == RANGE


@pytest.mark.parametrize("ends", [(0.3, 30.0), (1.8, 180.0), (1.004, 1.006), (1e-6, 1e6), (3.0, 3.001)])
def test_every_position_is_a_gamma_that_is_served(control: GammaControl, ends: tuple[float, float]) -> None:
    control.set_value(ends)
    dial = control.dial
    gammas = [dial.gamma_at(position) for position in range(dial.steps + 1)]
    assert gammas == sorted(gammas)
    assert (gammas[0], gammas[-1]) == ends
    assert dial.slider.value() == dial.steps // 2


@pytest.mark.parametrize("gamma", [[30.0, 0.3], [1.0], [1.0, 2.0, 3.0], "wide", None, [0, 3], -1.0])
def test_a_gamma_of_the_last_session_that_is_none_is_left_out(
    make_window: Any, preferences: Preferences, gamma: Any
) -> None:
    settings = {**TrainingSettings.make().model_dump(mode="json"), "gamma": gamma}
    preferences.session = json.dumps({"settings": settings})
    window = make_window()
    assert window.session_restore is not None
    window.session_restore.restore()
    assert controller_of(window).setup.gamma.value == RANGE


@pytest.mark.parametrize(("gamma", "shown"), [(2.5, 2.5), ([0.5, 50.0], (0.5, 50.0))])
def test_a_gamma_of_the_last_session_comes_back(
    make_window: Any, preferences: Preferences, gamma: Any, shown: Any
) -> None:
    settings = {**TrainingSettings.make().model_dump(mode="json"), "gamma": gamma}
    preferences.session = json.dumps({"settings": settings})
    window = make_window()
    window.session_restore.restore()
    assert controller_of(window).setup.gamma.value == shown


# ---------------------------------------------------------------------- while it trains


def weights(controller: Controller) -> dict[str, Any]:
    return load_file(Path(controller.shown.folder) / "pgn.safetensors")


@pytest.mark.timeout(900)
def test_turning_the_dial_changes_what_is_shown_and_nothing_that_is_learned(
    qtbot: QtBot, real: MainWindow
) -> None:
    controller = controller_of(real)
    controller.setup.fill({"gamma": RANGE, "epochs": 3})
    train(qtbot, real)
    untouched = weights(controller)

    slider = child(real, QSlider, "gamma_dial")
    press(qtbot, real, "start_button")
    until_step(qtbot, controller, 1)
    strip, history = controller.train_page.strip, controller.train_page.history
    assert not child(real, QLineEdit, "gamma_low").isEnabled()
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    qtbot.waitUntil(lambda: strip.preview is not None and strip.preview.gamma == 0.3, timeout=PATIENCE_MS)
    if controller.training.state is RunState.RUNNING:
        press(qtbot, real, "pause_button")
        qtbot.keyClick(slider, Qt.Key.Key_End)  # while it pauses, too
        qtbot.waitUntil(lambda: strip.preview.gamma == 30.0, timeout=PATIENCE_MS)
        with qtbot.waitSignal(controller.training.bridge.finished, timeout=PATIENCE_MS):
            press(qtbot, real, "pause_button")
    turned = weights(controller)
    assert turned.keys() == untouched.keys()
    assert all((turned[name] == untouched[name]).all() for name in turned)
    assert set(history.epochs.column("gamma")) == {history.epochs.column("gamma")[0]}

    for key, gamma in ((Qt.Key.Key_Home, 0.3), (Qt.Key.Key_End, 30.0)):  # all epochs so far
        qtbot.keyClick(slider, key)
        assert history.epochs.column("gamma").tolist() == [gamma] * 3
        assert f"γ {gamma:g}" in child(real, QLabel, "validation_figures").text()
        assert f"Validation at γ {gamma:g}" in controller.train_page.plots.accuracies.heading.text()
    assert not controller.train_page.plots.gamma_switch.isVisible()
    assert "0.3..30" in controller.train_page.plots.losses.heading.text()


def at(gamma: float, accuracy: float) -> AtGamma:
    return AtGamma(gamma, accuracy, accuracy, 10, 1, accuracy / 10, 1.0, fixed=int(gamma), broken=1)


def test_curves_follow_the_dial_to_the_nearest_measured_gamma(qtbot: QtBot, make_window: Any) -> None:
    page = controller_of(make_window()).train_page
    told = [
        EpochCompleted(
            number, 10 * number, 3.0, 0.9, 0.95, 0.95, 6, 2, 0.5, 0.03, 0.2, 0.1, 1.0, True,
            at_gamma=(at(0.3, 0.96 + number / 100), at(3.0, 0.95), at(30.0, 0.94)),
        )
        for number in (1, 2)
    ]  # fmt: skip
    lines = [
        {"event": "EpochCompleted", **vars(epoch), "at_gamma": [vars(one) for one in epoch.at_gamma]}
        for epoch in told
    ]
    page.replay(lines, TrainingSettings().gammas)  # of a run from disk
    for gamma, column in ((0.2, [0.97, 0.98]), (0.9, [0.97, 0.98]), (1.0, [0.95, 0.95]), (12, [0.94, 0.94])):
        page.show_gamma(gamma)
        assert page.history.epochs.column("perturbed_accuracy").tolist() == pytest.approx(column)
    assert page.history.epochs.column("fixed").tolist() == [30, 30]
    page.history.keep_until(10)  # it goes on from there
    page.history.add_epoch(told[1])
    assert page.history.epochs.column("gamma").tolist() == [30.0, 30.0]
    page.replay([{**lines[0], "at_gamma": "torn"}, {**lines[1], "at_gamma": [{"gamma": None}, 3]}])
    page.show_gamma(3.0)
    assert page.history.epochs.column("fixed").tolist() == [6, 6]


def test_a_run_of_one_gamma_is_shown_as_ever(make_window: Any) -> None:
    page = controller_of(make_window()).train_page
    line = {"event": "EpochCompleted", "epoch": 1, "step": 10, "gamma": 3.0, "clean_accuracy": 0.9}
    page.replay([line])
    page.show_gamma(0.5)
    assert page.history.epochs.column("gamma").tolist() == [3.0]
    assert page.figures.isHidden()
    assert not page.plots.gamma_switch.isHidden()
    assert "γ" not in page.plots.accuracies.heading.text() + page.plots.losses.heading.text()


def test_a_dial_run_goes_on_over_its_range(qtbot: QtBot, real: MainWindow) -> None:
    controller = controller_of(real)
    controller.setup.fill({"gamma": RANGE, "epochs": 1})
    train(qtbot, real)
    controller.setup.fill({"gamma": 3.0, "epochs": 2})
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=PATIENCE_MS) as end:
        press(qtbot, real, "continue_button")
    assert end.args[0].epoch == 2
    assert controller.setup.gamma.value == RANGE
