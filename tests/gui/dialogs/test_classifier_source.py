"""The dialog that asks whose weights a file holds."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from pgn_studio.gui.dialogs.open_classifier import ClassifierSourceDialog


@pytest.mark.parametrize(
    ("arch", "typed", "expected"),
    [
        ("vit_tiny_patch16_224", 32, 224),
        ("vit_tiny_patch16_224", 48, 48),
        ("resnet18", 32, 32),
        ("?", 32, 32),
    ],
)
def test_a_size_that_nobody_chose_is_the_networks_where_it_takes_no_other(
    qtbot: QtBot, arch: str, typed: int, expected: int
) -> None:
    dialog = ClassifierSourceDialog("net.pth", 32)
    qtbot.addWidget(dialog)
    dialog.arch.setCurrentText(arch)
    dialog.image_size.setValue(typed)
    assert dialog.source().image_size == expected
