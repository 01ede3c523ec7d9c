"""A run that another process trains: the window shows it, says who trains it, and leaves it alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.locks import Lock
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.perturbation.pgn import read_pgn_info
from pgn_studio.core.runs import LOCK, RunFolder
from pgn_studio.gui.controller import Controller
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.project import DEMO_PGN

PATIENCE_MS = 60_000


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run whose result is the demo's PGN, after one step."""
    pgn = trained_folder() / DEMO_PGN
    made = RunFolder.create(tmp_path / "run", TrainingSettings.make(**read_pgn_info(pgn).settings))
    shutil.copyfile(pgn, made.pgn_path)
    return made


@pytest.fixture
def held(run: RunFolder) -> Iterator[RunFolder]:
    """Held through another open file, as by another process."""
    lock = Lock(run.path / LOCK)
    yield run
    lock.release()


def open_run(qtbot: QtBot, window: MainWindow, run: RunFolder) -> Controller:
    controller = window.controller
    assert controller is not None
    with qtbot.waitSignal(controller.project.pgn_opened, timeout=PATIENCE_MS):
        controller.opener.open_path(run.path)
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=PATIENCE_MS)
    return controller


def test_it_is_opened_to_be_read_only(
    qtbot: QtBot, make_window: Callable[..., MainWindow], held: RunFolder
) -> None:
    window = make_window()
    before = sorted(path.name for path in held.path.iterdir())
    controller = open_run(qtbot, window, held)
    assert window.tabs.currentWidget() is controller.train_page
    assert controller.train_page.banner.isVisible()
    banner = controller.train_page.findChild(QLabel, "banner_text").text()
    assert f"Read-only: {held.holder}" in banner
    assert not window.findChild(QAction, "action_continue_the_shown_run").isEnabled()
    assert controller.inspect_page.isEnabled()
    assert controller.shown.folder == str(held.path)  # its curves can be exported
    assert sorted(path.name for path in held.path.iterdir()) == before


def test_a_free_run_can_be_continued(
    qtbot: QtBot, make_window: Callable[..., MainWindow], run: RunFolder
) -> None:
    window = make_window()
    controller = open_run(qtbot, window, run)
    assert window.tabs.currentWidget() is controller.inspect_page
    assert not controller.train_page.banner.isVisible()
    assert window.findChild(QAction, "action_continue_the_shown_run").isEnabled()


def test_what_was_taken_meanwhile_is_not_continued(
    qtbot: QtBot, make_window: Callable[..., MainWindow], run: RunFolder
) -> None:
    window = make_window()
    controller = open_run(qtbot, window, run)
    lock = Lock(run.path / LOCK)
    controller.continuation.ask()
    assert not controller.training.active
    assert controller.reporter.dialog is not None
    assert "is being trained by process" in controller.reporter.dialog.message.text()
    controller.reporter.dialog.close()
    lock.release()


def test_before_its_first_pgn_the_window_says_who_makes_it(
    qtbot: QtBot, make_window: Callable[..., MainWindow], held: RunFolder
) -> None:
    held.pgn_path.unlink()
    controller = make_window().controller
    assert controller is not None
    with qtbot.waitSignal(controller.project.failed, timeout=PATIENCE_MS):
        controller.opener.open_path(held.path)
    assert controller.reporter.dialog is not None
    assert "is being trained by process" in controller.reporter.dialog.message.text()
    controller.reporter.dialog.close()
    qtbot.waitUntil(lambda: not controller.project.busy, timeout=PATIENCE_MS)
