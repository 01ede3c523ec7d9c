"""The page with a small study on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pgn_studio.gui.pages.inspect.page import InspectPage

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from tests.studies import Study


@pytest.fixture
def page(qtbot: QtBot, study: Study) -> InspectPage:
    """A shown page on which the first image has arrived."""
    page = InspectPage()
    qtbot.addWidget(page)
    page.resize(1100, 700)
    page.show()
    with qtbot.waitSignal(page.sample_shown, timeout=20_000):
        study.show_on(page)
    return page
