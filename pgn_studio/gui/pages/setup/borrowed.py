"""Settings that a PGN or a run brought into the set-up: they do not stay for other images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject

from pgn_studio.core.config import TrainingSettings
from pgn_studio.gui.pages.setup.panel import SetupPanel


class BorrowedSettings(QObject):
    def __init__(self, setup: SetupPanel) -> None:
        super().__init__(setup)
        self._setup = setup
        self._lent: tuple[str, dict[str, Any]] | None = None  # the data set, what the set-up then showed

    def bring(self, settings: Mapping[str, Any], *, dataset: str, name: str) -> None:
        """Show the settings of `name`, which was trained on `dataset`."""
        self._setup.fill(settings, name=f"Settings of {name}")
        self._lent = (dataset, self._setup.shown())

    def give_back(self, dataset: str) -> str:
        """Once other images are loaded, unless somebody changed the settings; what to say about it."""
        if self._lent is None or self._lent[0] == dataset:
            return ""
        (_dataset, values), self._lent = self._lent, None
        if values != self._setup.shown():
            return ""
        self._setup.fill(TrainingSettings.make().model_dump(), name="Usual settings for other images")
        return "; the settings are the usual ones again (Ctrl+Z: those of the PGN)"
