"""Asks, in the background, how the classifier answers along α for the image that is shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject

from pgn_studio.gui.inspection.detail import DetailPanel
from pgn_studio.gui.inspection.latest import LatestRequest
from pgn_studio.gui.inspection.sample import Sample
from pgn_studio.gui.inspection.strength import LARGEST, STEPS
from pgn_studio.gui.inspection.subject import Subject
from pgn_studio.gui.wording import error_text

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.strength import StrengthCurve
    from pgn_studio.core.protocols import Progress

DELAY_MS = 250  # whoever walks through the gallery does not wait for it


class StrengthSearch(QObject):
    """Searches by itself; of a black box, whose answers cost queries, only once α is moved."""

    def __init__(self, detail: DetailPanel, parent: QObject) -> None:
        super().__init__(parent)
        self._detail = detail
        self._wanted: tuple[Subject, Sample] | None = None
        self._asked = False
        self._latest = LatestRequest(self, delay_ms=DELAY_MS)
        self._latest.succeeded.connect(detail.show_curve)
        self._latest.failed.connect(self._show_failure)
        detail.strength_wanted.connect(self._ask)

    def search(self, subject: Subject, sample: Sample) -> None:
        """For the image now shown."""
        self._wanted, self._asked = (subject, sample), False
        if subject.classifier.queries is None or self._detail.strength.alpha != 1.0:
            self._ask()

    def forget(self) -> None:
        """Another image is on its way, or none."""
        self._wanted = None
        self._latest.cancel()

    def _ask(self) -> None:
        if self._wanted is not None and not self._asked:
            self._asked = True
            self._latest.request(partial(_search, *self._wanted))
            self._detail.strength.show_asking()

    def _show_failure(self, error: Exception) -> None:
        self._detail.strength.show_failure(error_text(error))


def _search(subject: Subject, sample: Sample, progress: Progress) -> StrengthCurve:
    from pgn_studio.core.evaluation.strength import strength_curve

    return strength_curve(
        subject.pgn,
        subject.classifier,
        sample.original,
        alphas=np.linspace(0.0, LARGEST, STEPS + 1).round(6),
        refine=subject.classifier.queries is None,
        progress=progress,
    )
