"""What is being inspected: a PGN, its classifier, one split and what the evaluation found on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset, Split
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.gamma import GammaRange
    from pgn_studio.core.perturbation.pgn import Pgn


@dataclass(frozen=True)
class Subject:
    pgn: Pgn
    classifier: Classifier
    dataset: ImageDataset
    split_name: str
    evaluation: Evaluation

    @property
    def gammas(self) -> GammaRange | None:
        """The γ that the PGN serves; None where it has one alone."""
        return self.pgn.generator.gammas

    def at(self, gamma: float) -> Subject:
        """With the PGN at another γ; the evaluation is of the one before until it is measured anew."""
        return replace(self, pgn=self.pgn.at(gamma))

    @property
    def is_measured(self) -> bool:
        """Whether the evaluation is of the γ that is shown."""
        return same_gamma(float(self.evaluation.facts.get("gamma", self.pgn.gamma)), self.pgn.gamma)

    @property
    def gamma_note(self) -> str:
        """ "γ 3" where the PGN could be at another."""
        return "" if self.gammas is None else f"γ {self.pgn.gamma:g}"

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
        gamma = "" if self.gammas is None else f"-gamma-{self.pgn.gamma:g}"
        return f"{self.pgn.info.name or 'pgn'}{gamma}-{self.split_name}".replace("/", "-")


def same_gamma(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-5)
