"""The window says what core names as its forms, pages and menus do."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from pgn_studio.core.advice import Advice, Argument, Command, Part, Setting
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import ConfigError, PgnStudioError
from pgn_studio.core.training.events import Notice
from pgn_studio.gui.dialogs.error import show_error
from pgn_studio.gui.pages.train.health_strip import HealthStrip
from pgn_studio.gui.wording import error_text, in_the_window


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (Setting("gamma"), "γ"),
        (Setting("gamma", (0.3, 30.0)), "γ 0.3..30"),
        (Setting("batch_size"), "“Batch size”"),
        (Setting("image_size", 32), "“Image size” 32"),
        (Setting("download", True), "“Download”"),
        (Setting("discriminator", "blackbox"), "“Discriminator: Black box (labels only)”"),
        (Setting("learning_rate_d"), "learning_rate_d (with “Further settings”)"),
        (Setting("head", "mlp"), "“Further settings: head=mlp”"),
        (Setting("image_conditioning", True), "“Further settings: image_conditioning=yes”"),
        (Argument("query_budget"), "“Query budget”"),
        (Argument("resume", "runs/first"), "“Continue”"),
        (Argument("queries_per_second"), "--queries-per-second (on the command line)"),
        (Command("runs"), "the page Runs"),
        (Command("sweep"), "`pgn-studio sweep` (on the command line)"),
    ],
)
def test_each_part_as_it_is_labeled(part: Part, said: str) -> None:
    assert in_the_window(Advice("See {}.", part)) == f"See {said}."


def test_a_refused_setting_has_its_label() -> None:
    with pytest.raises(ConfigError) as caught:
        TrainingSettings.make(test_fraction=2)
    assert error_text(caught.value).startswith("“Test fraction”: ")
    assert error_text(ValueError("a plain one")) == "a plain one"
    assert in_the_window("images: none found") == "images: none found"


def test_health_and_errors_name_no_options(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    health = HealthStrip(parent)
    hint = Advice("Raise {} or {}.", Setting("gamma"), Setting("learning_rate_d"))
    health.show_notices([Notice(60, "g-ahead", "G outran D.", hint, "severe")])
    said = "Raise γ or learning_rate_d (with “Further settings”)."
    assert said in health.accessibleName()
    assert said in str(health.model.item(0).text())
    error = PgnStudioError("Too small.", hint=Advice("Use {}.", Setting("image_size", 32)))
    dialog = show_error(parent, "Title", error)
    assert dialog.hint.text() == "Use “Image size” 32."
    dialog.close()
