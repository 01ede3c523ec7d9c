"""The start: the window before torch, then the working pages, or what went wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from pgn_studio.gui import app, lazy_imports
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.operations import run_in_background
from pgn_studio.gui.preferences import Preferences

SLOW = ("torch", "pyqtgraph", "matplotlib", "sklearn")


def test_the_first_window_needs_nothing_slow() -> None:
    code = f"import sys, pgn_studio.gui.app; print([name for name in {SLOW} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_working_pages_follow_the_imports(qtbot: QtBot, preferences: Preferences) -> None:
    window = MainWindow(preferences)
    qtbot.addWidget(window)
    window.show()
    assert window.findChild(QLabel, "start_message").isVisible()
    launcher = app.Launcher(window, demo=False)
    launcher.start()
    qtbot.waitUntil(lambda: window.tabs.isVisible(), timeout=60_000)
    assert not window.start_page.isVisible()
    launcher.wait()


PAGES = """
import sys, torch
from PySide6.QtCore import QSettings
from pgn_studio.gui.app import make_application
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.operations import run_in_background
from pgn_studio.gui.preferences import Preferences
application = make_application([])
window = MainWindow(Preferences(QSettings(sys.argv[1], QSettings.Format.IniFormat)))
window.show()
window.build()
application.processEvents()
print([name for name in ("torchvision", "timm", "scipy", "sklearn", "torch._dynamo") if name in sys.modules])
window.close()
"""


def test_the_working_pages_need_nothing_slow_but_torch(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PAGES, str(tmp_path / "window.ini")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_work_waits_for_the_later_imports(
    qtbot: QtBot, preferences: Preferences, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = MainWindow(preferences)
    qtbot.addWidget(window)
    done: list[object] = []
    thread = lazy_imports.ImportThread((), window, holds_work=True)
    run_in_background(window, lambda _progress: 1, done.append, done.append)
    qtbot.wait(100)
    assert done == []
    thread.start()
    qtbot.waitUntil(lambda: done == [1])
    thread.wait()


def test_a_broken_part_is_said_once_the_pages_are_there(
    qtbot: QtBot, preferences: Preferences, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy_imports, "LATER", ("no_such_torchvision",))
    window = MainWindow(preferences)
    qtbot.addWidget(window)
    window.show()
    launcher = app.Launcher(window, demo=False)
    launcher.start()
    qtbot.waitUntil(
        lambda: window.controller is not None and window.controller.reporter.dialog is not None,
        timeout=60_000,
    )
    assert window.controller is not None
    assert window.controller.reporter.dialog is not None
    assert "no_such_torchvision" in window.controller.reporter.dialog.message.text()
    assert "pip install torch torchvision" in window.controller.reporter.dialog.hint.text()
    window.controller.reporter.dialog.close()
    launcher.wait()


def test_a_broken_torch_is_said_with_the_way_out(
    qtbot: QtBot, preferences: Preferences, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy_imports, "FIRST", ("no_such_torch",))
    window = MainWindow(preferences)
    qtbot.addWidget(window)
    window.show()
    launcher = app.Launcher(window, demo=False)
    launcher.start()
    message = window.findChild(QLabel, "start_message")
    qtbot.waitUntil(lambda: "no_such_torch" in message.text(), timeout=20_000)
    assert "pip install torch torchvision" in message.text()
    assert window.controller is None
    launcher.wait()


def test_pyside_reads_no_sources_while_torch_is_imported() -> None:
    feature = sys.modules["shibokensupport.feature"]
    scan = feature._mod_uses_pyside
    with lazy_imports.without_source_scan():
        assert feature._mod_uses_pyside is not scan
    assert feature._mod_uses_pyside is scan
