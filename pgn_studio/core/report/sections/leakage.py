"""Leakage: which images the classifier and the PGN had seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pgn_studio.core.evaluation.leakage import Leakage, find_leakage
from pgn_studio.core.report.section import Measured, Section, Tidy

if TYPE_CHECKING:
    from pgn_studio.core.report.report import Report


@dataclass(frozen=True)
class LeakageSection(Section):
    key = "leakage"
    title = "Who saw what"
    head = ("What", "Images")
    texts = 2
    in_terminal = False

    leakage: Leakage

    @classmethod
    def compute(cls, measured: Measured) -> LeakageSection:
        found = find_leakage(measured.pgn, measured.classifier, measured.dataset, measured.split_name)
        return cls(found.rows, found)

    def cells(self, report: Report) -> list[list[str]]:
        return [list(row) for row in self.rows]

    def tidy(self, report: Report) -> Iterator[Tidy]:
        """Words only."""
        yield from ()

    def to_json(self, report: Report) -> dict[str, Any]:
        return {"who_saw_what": dict(self.rows)}
