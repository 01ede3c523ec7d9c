"""Classifiers from files: what a file does not say itself is asked once, and remembered."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.gui.dialogs.classifier_source import ask_whose_weights
from pgn_studio.gui.opening import Kind
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.workspace import Workspace


class ClassifierOpening(QObject):
    def __init__(self, workspace: Workspace, state: Preferences, window: QWidget) -> None:
        super().__init__(workspace)
        self._workspace, self._state, self._window = workspace, state, window
        workspace.known = state.sources

    def open(self, path: Path, kind: Kind) -> None:
        if kind is Kind.WEIGHTS:
            known = self._state.sources().get(str(path.absolute()))
            ask_whose_weights(path, self._workspace, known, self._window)
        else:  # a program knows its size
            self._workspace.load_classifier(ClassifierSource(str(path)))

    def open_as_before(self, path: str) -> bool:
        """Without being asked; False where it was never opened."""
        known = self._state.sources().get(path)
        if known is not None:
            self._workspace.load_classifier(known)
        return known is not None

    def remember(self, source: ClassifierSource) -> None:
        """For the list of recent ones, which has no place for addresses and code."""
        if Path(source.path).is_file():
            self._state.remember_source(source)
