"""The start: the window before torch, then the working pages, or what went wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from pgn_studio.gui import app
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.state import SessionState

SLOW = ("torch", "pyqtgraph", "matplotlib", "sklearn")


def test_the_first_window_needs_nothing_slow() -> None:
    code = f"import sys, pgn_studio.gui.app; print([name for name in {SLOW} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_working_pages_follow_the_imports(qtbot: QtBot, state: SessionState) -> None:
    window = MainWindow(state)
    qtbot.addWidget(window)
    window.show()
    assert window.findChild(QLabel, "start_message").isVisible()
    launcher = app.Launcher(window, demo=False)
    launcher.start()
    qtbot.waitUntil(lambda: window.tabs.isVisible(), timeout=60_000)
    assert not window.start_page.isVisible()
    launcher.imports.wait()


def test_a_broken_torch_is_said_with_the_way_out(
    qtbot: QtBot, state: SessionState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "SLOW_IMPORTS", ("no_such_torch",))
    window = MainWindow(state)
    qtbot.addWidget(window)
    window.show()
    launcher = app.Launcher(window, demo=False)
    launcher.start()
    message = window.findChild(QLabel, "start_message")
    qtbot.waitUntil(lambda: "no_such_torch" in message.text(), timeout=20_000)
    assert "pip install torch torchvision" in message.text()
    assert window.studio is None
    launcher.imports.wait()


def test_pyside_reads_no_sources_while_torch_is_imported() -> None:
    feature = sys.modules["shibokensupport.feature"]
    scan = feature._mod_uses_pyside
    with app.without_source_scan():
        assert feature._mod_uses_pyside is not scan
    assert feature._mod_uses_pyside is scan
