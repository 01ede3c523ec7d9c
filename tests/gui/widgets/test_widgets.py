"""γ's two views, generated forms, the preview's triptychs."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtWidgets import QComboBox, QLineEdit, QSlider
from pytestqt.qtbot import QtBot

from pgn_studio.core.assignments import experimental_names
from pgn_studio.core.config import PAPER_RECIPE, ClassifierSettings, DataSettings, Settings, TrainingSettings
from pgn_studio.core.errors import ConfigError
from pgn_studio.gui.pages.setup.panel import SetupPanel
from pgn_studio.gui.pages.train.preview_strip import PreviewStrip
from pgn_studio.gui.pictures import preview_images, to_qimage
from pgn_studio.gui.widgets.gamma_control import LAST_POSITION, GammaControl, gamma_at, position_of
from pgn_studio.gui.widgets.settings_form import SettingsForm
from tests.gui.conftest import preview_event


def test_gamma_runs_from_zero_over_seven_decades() -> None:
    values = [gamma_at(position) for position in range(LAST_POSITION + 1)]
    assert values[:2] == [0.0, 1e-4]
    assert values[-1] == 1000.0
    assert values == sorted(set(values))
    assert [position_of(value) for value in values] == list(range(LAST_POSITION + 1))


def test_slider_and_number_follow_each_other(qtbot: QtBot) -> None:
    control = GammaControl()
    qtbot.addWidget(control)
    told: list[float] = []
    control.set_value(3.0)
    control.changed.connect(told.append)
    slider = control.findChild(QSlider, "gamma_slider")
    number = control.findChild(QLineEdit, "gamma_number")
    slider.setValue(0)
    assert (control.value, number.text()) == (0.0, "0")
    number.setText("5000")  # beyond the slider's end
    number.editingFinished.emit()
    assert (control.value, slider.value()) == (5000.0, LAST_POSITION)
    number.setText("-3")
    number.editingFinished.emit()
    assert number.text() == "5000"
    control.set_value(3.3)
    assert told == [0.0, 5000.0]  # what is set from outside is no edit


@pytest.mark.parametrize("model", [DataSettings, ClassifierSettings, TrainingSettings])
def test_every_field_has_an_editor_that_shows_and_gives_its_default(
    qtbot: QtBot, model: type[Settings]
) -> None:
    left_out = {"gamma", *experimental_names(model)}  # GammaControl, and the row of further settings
    fields = {name: field for name, field in model.model_fields.items() if name not in left_out}
    form = SettingsForm(model, list(fields))
    qtbot.addWidget(form)
    assert model.make(**form.values()) == model()
    for name, field in fields.items():
        assert str(field.description) in form.editor(name).toolTip()
        assert form.editor(name).accessibleName()


def test_a_filled_form_gives_back_what_it_was_filled_with(qtbot: QtBot) -> None:
    settings = TrainingSettings.make(
        problem="adversarial", encoder_training="frozen", image_size=64, data_range=4095.0, seed=9
    )
    names = [name for name in TrainingSettings.model_fields if not TrainingSettings.is_experimental(name)]
    form = SettingsForm(TrainingSettings, [name for name in names if name != "gamma"])
    qtbot.addWidget(form)
    edits: list[str] = []
    form.edited.connect(edits.append)
    form.fill(settings.model_dump(mode="json"))
    assert TrainingSettings.make(**form.values()) == settings
    assert edits == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("head", "Expected NAME=VALUE"),
        ("head=cubic", "head: Input should be"),
        ("haed=linear", "Did you mean head"),
        ("decoder_widths=64,wide", "decoder_widths"),
        ("clip=no, clip=yes", "set twice"),
        ("epochs=3", "has its own field"),
    ],
)
def test_further_settings_that_cannot_be_are_clear_errors(qtbot: QtBot, typed: str, said: str) -> None:
    panel = SetupPanel()
    qtbot.addWidget(panel)
    panel.advanced.fill({"further_settings": typed})
    with pytest.raises(ConfigError, match=said):
        panel.settings(DataSettings(), "")


def test_further_settings_are_read_and_show_what_differs(qtbot: QtBot) -> None:
    panel = SetupPanel()
    qtbot.addWidget(panel)
    row = panel.findChild(QLineEdit, "further_settings_field")
    assert "learning_rate_g" in row.toolTip()
    row.setText("head = linear, decoder-widths=64,32 clip=false; soft_targets=none")
    settings = panel.settings(DataSettings(), "")
    assert settings == TrainingSettings(head="linear", decoder_widths=(64, 32), clip=False)
    panel.fill(TrainingSettings().model_dump(mode="json"))
    assert row.text() == ""
    panel.fill(settings.model_dump(mode="json"))
    assert panel.settings(DataSettings(), "") == settings
    assert "soft_targets" not in row.text()
    panel.fill(TrainingSettings.make(recipe="paper", clip=True).model_dump(mode="json"))
    assert row.text() == "clip=yes"  # what the recipe sets does not differ


def test_the_paper_s_discriminator_follows_the_problem(qtbot: QtBot) -> None:
    panel = SetupPanel()
    qtbot.addWidget(panel)
    recipe, problem, discriminator = (
        panel.findChild(QComboBox, f"{name}_field") for name in ("recipe", "problem", "discriminator")
    )
    recipe.setCurrentIndex(recipe.findData("paper"))
    problem.setCurrentIndex(problem.findData("adversarial"))
    assert panel.settings(DataSettings(), "") == TrainingSettings(recipe="paper", problem="adversarial")
    recipe.setCurrentIndex(recipe.findData("recommended"))
    assert panel.settings(DataSettings(), "") == TrainingSettings(problem="adversarial")
    discriminator.setCurrentIndex(discriminator.findData("blackbox"))  # one that somebody chose stays
    recipe.setCurrentIndex(recipe.findData("paper"))
    assert panel.settings(DataSettings(), "").discriminator == "blackbox"


def test_the_paper_recipe_is_shown_in_the_fields_that_it_sets(qtbot: QtBot) -> None:
    panel = SetupPanel()
    qtbot.addWidget(panel)
    recipe = panel.findChild(QComboBox, "recipe_field")
    recipe.setCurrentIndex(recipe.findData("paper"))
    settings = panel.settings(DataSettings(), "clf.safetensors")
    assert settings == TrainingSettings(recipe="paper", classifier="clf.safetensors")
    assert {name: getattr(settings, name) for name in PAPER_RECIPE} == PAPER_RECIPE
    recipe.setCurrentIndex(recipe.findData("recommended"))
    assert panel.settings(DataSettings(), "") == TrainingSettings()


def test_images_whose_rows_are_no_multiple_of_four_bytes_stay_straight(qtbot: QtBot) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    image = to_qimage(pixels)
    expected = pixels.copy()
    pixels[:] = 0  # the image owns its memory
    shown = [[image.pixelColor(x, y).getRgb()[:3] for x in range(5)] for y in range(7)]
    assert np.array_equal(np.array(shown), expected)


LONG = ("great white shark", "black swan", "redshank", "spotted salamander")


@pytest.mark.parametrize("width", [1600, 700, 420])
def test_a_preview_s_label_keeps_the_class_that_an_image_has_become(qtbot: QtBot, width: int) -> None:
    strip = PreviewStrip()
    qtbot.addWidget(strip)
    strip.set_classes(LONG)
    strip.resize(width, 180)
    strip.show_preview(preview_images(preview_event(1)))  # 1 → 0, 1 → 0, 2 → 2, 0 → 1
    room = strip.cells()[0].width()
    for column, (before, after) in enumerate([(1, 0), (1, 0), (2, 2), (0, 1)][: len(strip.cells())]):
        shown = strip.shown_caption(column)
        assert strip.fontMetrics().horizontalAdvance(shown) <= room + 1
        if before != after and room > strip.fontMetrics().horizontalAdvance(f"✓ → {LONG[after]}"):
            assert shown.endswith(f"→ {LONG[after]}")
        for name in (LONG[before], LONG[after]):
            assert name in strip.tip(column)
