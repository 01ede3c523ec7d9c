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
from pgn_studio.core.export import EXPORTS
from tests.core.export.test_curves import run  # noqa: F401 - a fixture: a run folder with curves

if TYPE_CHECKING:
    from pgn_studio.core.runs import RunFolder
    from pgn_studio.gui.main_window import MainWindow

LONG_MS = 60_000
# In the folder that an export writes.
INSIDE = {"images": "manifest.csv", "report": "report.html"}


@pytest.fixture
def demo(make_window: Callable[..., MainWindow], qtbot: QtBot) -> MainWindow:
    """The demo, of which the fixed images are shown."""
    window = make_window()
    assert window.controller is not None
    with qtbot.waitSignal(window.controller.inspect_page.sample_shown, timeout=LONG_MS):
        window.controller.opener.open_demo()
    button = window.controller.inspect_page.findChild(QToolButton, "outcome-fixed")
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
@pytest.mark.parametrize("what", [name for name in EXPORTS.built_in if EXPORTS.load(name).in_dialog])
def test_the_copied_command_of_each_kind_runs_as_it_is(
    what: str, demo: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert demo.controller is not None
    page = demo.controller.inspect_page
    page.findChild(QPushButton, "export-figure").click()
    dialog = page.export_flow.dialog
    assert dialog is not None
    choose(dialog, "export-what", what)
    if what == "list":
        choose(dialog, "export-which", "shown")
    dialog.findChild(QPushButton, "copy-command").click()
    dialog.reject()
    run_copied(tmp_path, monkeypatch)
    written = (
        tmp_path / f"digits-enhance-gamma-3-test-{EXPORTS.load(what).file_name()}" / INSIDE.get(what, "")
    )
    assert written.is_file()
    if what == "list":
        with written.open(newline="", encoding="utf-8") as stream:
            found = [int(row["index"]) for row in csv.DictReader(stream)]
        assert found == page.gallery.model.shown.tolist() != []


def test_the_copied_comparison_runs_as_it_is(
    demo: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgn_studio.core.paths import trained_folder

    assert demo.controller is not None
    demo.show_inspect_page()
    page = demo.controller.inspect_page
    page.findChild(QTabWidget, "image-tabs").setCurrentWidget(page.comparison)
    page.comparison.others.open([trained_folder() / "digits-adversarial.safetensors"])
    qtbot.waitUntil(lambda: page.comparison.others.first is not None, timeout=LONG_MS)
    page.comparison.ticks["fgsm-oracle"].click()
    page.comparison.copy_button.click()
    run_copied(tmp_path, monkeypatch)
    assert (tmp_path / "digits-enhance-gamma-3-test-comparison.png").is_file()


def test_the_copied_curves_run_as_they_are(
    make_window: Callable[..., MainWindow],
    run: RunFolder,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = make_window()
    controller = window.controller
    assert controller is not None
    action = window.findChild(QAction, "action_copy_curves_as_command")
    assert isinstance(action, QAction)
    QGuiApplication.clipboard().setText("nothing")
    action.trigger()  # no run yet: said, not copied
    assert controller.reporter.dialog is not None
    controller.reporter.dialog.close()
    assert QGuiApplication.clipboard().text() == "nothing"
    controller.shown.show_run(str(run.path), "stopped", None)
    action.trigger()
    run_copied(tmp_path, monkeypatch)
    assert (tmp_path / "curves.png").is_file()


def test_the_report_is_among_the_exports(
    demo: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    assert demo.controller is not None
    page = demo.controller.inspect_page
    monkeypatch.setattr(page._exporter, "write", lambda _export, path, *_: asked.append(path))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_args: str(tmp_path))
    page.findChild(QPushButton, "export-figure").click()
    dialog = page.export_flow.dialog
    assert dialog is not None
    choose(dialog, "export-what", "report")
    assert not dialog._which.isEnabled()
    dialog.findChild(QPushButton, "export-now").click()
    assert asked == [tmp_path / "digits-enhance-gamma-3-test-report"]
