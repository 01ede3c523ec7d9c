"""A PGN that abstains on the images that it perturbs least: it breaks fewer, and fixes fewer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pgn_studio.core.advice import Advice, Argument, Command, Setting
from pgn_studio.core.errors import ConfigError, DataError
from pgn_studio.core.evaluation import metrics as measures
from pgn_studio.core.evaluation.evaluate import Evaluation
from pgn_studio.core.perturbation.pgn import Pgn


@dataclass(frozen=True)
class Abstention:
    """Where a PGN begins to perturb, and what that does to the images that it was measured on."""

    abstain_below_rms: float  # of p in the PGN's input space
    abstained: int
    clean_accuracy: float
    perturbed_accuracy: float
    perturbed_accuracy_8bit: float
    fixed: int  # before 8-bit rounding, as in Metrics
    broken: int
    fixed_8bit: int
    broken_8bit: int
    rms_mean: float

    def applied(self, pgn: Pgn, *, name: str) -> Pgn:
        """The same network as a PGN of that name which abstains; its figures are these.

        It serves the γ that it served; the one at which it was measured is its own from now on.
        """
        figures = measures.figures_kept(self)
        info = replace(
            pgn.info, name=name, gamma=pgn.gamma, abstain_below_rms=self.abstain_below_rms, metrics=figures
        )
        return Pgn(pgn.generator, info).eval()


def without_abstention(pgn: Pgn) -> Pgn:
    """The PGN as it was trained. Raises ConfigError for one that attacks."""
    if pgn.info.problem != "enhance":
        raise ConfigError(
            "Only a PGN that enhances can abstain; this one attacks.",
            hint=Advice(
                "For a weaker attack use {}, or train with a larger {}.",
                Command("perturb", (Argument("strength"),)),
                Setting("gamma"),
            ),
        )
    return Pgn(pgn.generator, replace(pgn.info, abstain_below_rms=0.0), path=pgn.path).eval().at(pgn.gamma)


def abstain(evaluation: Evaluation, *, share: float) -> Abstention:
    """Abstain on this share (0…1) of the images, those with the least p.

    `evaluation` is of a PGN that does not abstain, on images that it did not learn from. Which they
    are does not depend on the labels. Raises DataError where all of their p are alike.
    """
    image = evaluation.per_image
    count = min(round(share * len(image)), len(image) - 1)
    ascending = np.sort(image.rms).astype(np.float64)
    least = float(ascending[count - 1 : count + 1].mean()) if count else 0.0  # between two images
    used = image.rms >= least
    if count and used.all():
        raise DataError(
            "All perturbations are of one size: there is nothing to choose by.",
            hint="A PGN that perturbs all images alike cannot abstain.",
        )
    clean = image.clean_prediction == image.labels

    def outcome(predictions: npt.NDArray[np.signedinteger[npt.NBitBase]]) -> tuple[float, int, int]:
        right = np.where(used, predictions == image.labels, clean)
        return float(right.mean()), *measures.fixed_and_broken(clean, right)

    accuracy, fixed, broken = outcome(image.perturbed_prediction)
    accuracy_8bit, fixed_8bit, broken_8bit = outcome(image.perturbed_prediction_8bit)
    return Abstention(
        abstain_below_rms=least,
        abstained=int((~used).sum()),
        clean_accuracy=float(clean.mean()),
        perturbed_accuracy=accuracy,
        perturbed_accuracy_8bit=accuracy_8bit,
        fixed=fixed,
        broken=broken,
        fixed_8bit=fixed_8bit,
        broken_8bit=broken_8bit,
        rms_mean=float(np.where(used, image.rms, 0).mean(dtype=np.float64)),
    )
