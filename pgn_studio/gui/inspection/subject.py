"""What is being inspected: a PGN, its classifier, one split and what the evaluation found on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset, Split
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.perturbation.pgn import Pgn


@dataclass(frozen=True)
class Subject:
    pgn: Pgn
    classifier: Classifier
    dataset: ImageDataset
    split_name: str
    evaluation: Evaluation

    @property
    def split(self) -> Split:
        return self.dataset.split(self.split_name)

    def same_images(self, other: Subject | None) -> bool:
        return (
            other is not None
            and other.split_name == self.split_name
            and other.dataset.fingerprint == self.dataset.fingerprint
        )

    @property
    def stem(self) -> str:
        """The beginning of the names proposed for exported files."""
        return f"{self.pgn.info.name or 'pgn'}-{self.split_name}".replace("/", "-")

    @property
    def can_hold_back(self) -> bool:
        """Whether the evaluation can say where to: the PGN enhances, and does not hold back already."""
        return self.pgn.info.problem == "enhance" and self.pgn.info.least_rms == 0
