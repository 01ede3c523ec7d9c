"""Every export of the window copies a command; here each is run as it was copied, by the command line."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QComboBox, QFileDialog, QPushButton, QTabWidget, QToolButton
from pytestqt.qtbot import QtBot

from pgn_studio.cli.main import main
from pgn_studio.gui.inspection.export_dialog import WHATS
from tests.core.export.test_curves import run  # noqa: F401 - a fixture: a run folder with curves

if TYPE_CHECKING:
    from pgn_studio.core.runs import RunFolder
    from pgn_studio.gui.main_window import MainWindow

LONG_MS = 60_000
# Files below the folder that the command wrote into, by what is exported.
WRITTEN = {
    "figure": "digits-enhance-gamma-3-test-figure.png",
    "table": "digits-enhance-gamma-3-test-table.csv",
    "list": "digits-enhance-gamma-3-test-list.csv",
    "images": "digits-enhance-gamma-3-test-images/manifest.csv",
    "model": "digits-enhance-gamma-3-test-model.pt2",
    "abstaining": "digits-enhance-gamma-3-test-abstaining.safetensors",
    "report": "digits-enhance-gamma-3-test-report/report.html",
}


@pytest.fixture
def demo(make_window: Callable[..., MainWindow], qtbot: QtBot) -> MainWindow:
    """The demo, of which the fixed images are shown."""
    window = make_window()
    assert window.studio is not None
    with qtbot.waitSignal(window.studio.inspection.sample_shown, timeout=LONG_MS):
        window.studio.open_demo()
    button = window.studio.inspection.findChild(QToolButton, "outcome-fixed")
    assert isinstance(button, QToolButton)
    button.click()
    return window


def run_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the clipboard, in `folder`."""
    words = shlex.split(QGuiApplication.clipboard().text())
    assert words[0] == "pgn-studio"
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PGN_STUDIO_HOME", str(folder / "home"))
    assert main(words[1:]) == 0


def choose(parent: object, name: str, data: str) -> None:
    combo = parent.findChild(QComboBox, name)  # type: ignore[attr-defined]
    assert isinstance(combo, QComboBox)
    combo.setCurrentIndex(combo.findData(data))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", list(WHATS))
def test_the_copied_command_of_each_kind_runs_as_it_is(
    what: str, demo: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert demo.studio is not None
    page = demo.studio.inspection
    page.findChild(QPushButton, "export-figure").click()
    dialog = page.export_flow.dialog
    assert dialog is not None
    choose(dialog, "export-what", what)
    if what == "list":
        choose(dialog, "export-which", "shown")
    dialog.findChild(QPushButton, "copy-command").click()
    dialog.reject()
    run_copied(tmp_path, monkeypatch)
    assert (tmp_path / WRITTEN[what]).is_file()
    if what == "list":
        with (tmp_path / WRITTEN[what]).open(newline="", encoding="utf-8") as stream:
            found = [int(row["index"]) for row in csv.DictReader(stream)]
        assert found == page.gallery.model.shown.tolist() != []


def test_the_copied_strip_runs_as_it_is(
    demo: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgn_studio.core.paths import trained_folder

    assert demo.studio is not None
    demo.show_inspection()
    page = demo.studio.inspection
    page.findChild(QTabWidget, "image-tabs").setCurrentWidget(page.beside)
    page.beside.others.open([trained_folder() / "digits-adversarial.safetensors"])
    qtbot.waitUntil(lambda: page.beside.others.first is not None, timeout=LONG_MS)
    page.beside.ticks["fgsm-oracle"].click()
    page.beside.copy_button.click()
    run_copied(tmp_path, monkeypatch)
    assert (tmp_path / "digits-enhance-gamma-3-test-strip.png").is_file()


def test_the_copied_curves_run_as_they_are(
    make_window: Callable[..., MainWindow],
    run: RunFolder,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = make_window()
    studio = window.studio
    assert studio is not None
    action = window.findChild(QAction, "action_copy_curves_as_command")
    assert isinstance(action, QAction)
    QGuiApplication.clipboard().setText("nothing")
    action.trigger()  # no run yet: said, not copied
    assert studio.error_dialog is not None
    studio.error_dialog.close()
    assert QGuiApplication.clipboard().text() == "nothing"
    studio.shown.show_run(str(run.path), "stopped", None)
    action.trigger()
    run_copied(tmp_path, monkeypatch)
    assert (tmp_path / "curves.png").is_file()


def test_the_report_is_among_the_exports(
    demo: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    assert demo.studio is not None
    page = demo.studio.inspection
    monkeypatch.setattr(page._exporter, "report", lambda path, _subject: asked.append(path))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_args: str(tmp_path))
    page.findChild(QPushButton, "export-figure").click()
    dialog = page.export_flow.dialog
    assert dialog is not None
    choose(dialog, "export-what", "report")
    assert not dialog._which.isEnabled()
    dialog.findChild(QPushButton, "export-now").click()
    assert asked == [tmp_path / "digits-enhance-gamma-3-test-report"]
