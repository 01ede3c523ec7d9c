"""The curves of the run that is shown: to a file in the background, or as a command."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QWidget

from pgn_studio.core.errors import RunError
from pgn_studio.gui.operations import run_in_background
from pgn_studio.gui.reporter import Reporter
from pgn_studio.gui.training.shown_run import ShownRun

CURVE_FILES = "PNG image (*.png);;SVG (*.svg);;PDF (*.pdf);;CSV table (*.csv)"
FILE_NAME = "curves.png"


class CurvesExport(QObject):
    def __init__(self, shown: ShownRun, reporter: Reporter, window: QWidget) -> None:
        super().__init__(window)
        self._shown, self._reporter, self._window = shown, reporter, window

    @Slot()
    def ask(self) -> None:
        if self._there_is_a_run():
            name, _ = QFileDialog.getSaveFileName(self._window, "Export curves", FILE_NAME, CURVE_FILES)
            if name:
                self.save(Path(name))

    def save(self, path: Path) -> None:
        """PNG, SVG, PDF or CSV by the suffix."""
        work = partial(_export, path, Path(self._shown.folder))
        run_in_background(self, work, self._saved, self._failed)

    @Slot()
    def copy_command(self) -> None:
        """The command line's twin, to the clipboard."""
        if self._there_is_a_run():
            folder = self._shown.folder
            words = ["pgn-studio", "export", folder, "--what", "curves", "--out", FILE_NAME]
            QGuiApplication.clipboard().setText(shlex.join(words))
            self._reporter.say("The command is copied.")

    def _there_is_a_run(self) -> bool:
        if not self._shown.folder:
            error = RunError("There is no run to export.", hint="Train, or open a run folder.")
            self._reporter.show_problem("Export curves", error)
        return bool(self._shown.folder)

    def _saved(self, path: Path) -> None:
        self._reporter.say(f"Saved {path}")

    def _failed(self, error: Exception) -> None:
        self._reporter.show_problem("The curves could not be saved", error)


def _export(path: Path, run_folder: Path, _progress: Any) -> Path:
    from pgn_studio.core.export.curves import export_curves
    from pgn_studio.core.runs import RunFolder

    export_curves(path, RunFolder.open(run_folder))
    return path
