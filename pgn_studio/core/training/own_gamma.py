"""At which γ a PGN that serves a range of it perturbs unless told otherwise, and whether it does at all.

The middle of the range suits a classifier that knows less than the encoder. Where both know much, a larger γ
overrules f less often; validation says so. Where no γ helps, the PGN that is kept leaves every image alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pgn_studio.core.amounts import percent
from pgn_studio.core.evaluation.evaluate import Evaluation, Metrics
from pgn_studio.core.evaluation.metrics import figures_kept
from pgn_studio.core.perturbation.pgn import ABSTAINS_ALWAYS, Pgn
from pgn_studio.core.training.events import Kept, Notice
from pgn_studio.core.training.model_selection import kept_of

TRIED_GAMMAS = 5  # γ, the ends and the middle among them


@dataclass(frozen=True)
class OwnGamma:
    """The PGN as it is kept, and what it does on validation at its γ, were it to act."""

    pgn: Pgn
    metrics: Metrics

    @property
    def abstains(self) -> bool:
        return self.pgn.abstains_always

    def applied(self, kept: Kept) -> Kept:
        """What `kept` says of the same epoch, as it is now."""
        if self.abstains:
            clean = self.metrics.clean_accuracy
            return Kept(kept.epoch, self.pgn.gamma, clean, clean, 0.0, 0.0, 0, 0)
        return kept_of(self.metrics, epoch=kept.epoch, gamma=self.pgn.gamma)


def choose_gamma(pgn: Pgn, measure: Callable[[Pgn], Evaluation]) -> OwnGamma:
    """Of an enhancing PGN that serves a range, by `measure` on validation: accuracy after 8 bits.

    The γ at which it is stays unless another is better by more than a standard error of the difference on
    these images, or it is worse than no PGN.
    """
    gammas = pgn.generator.gammas
    assert gammas is not None
    candidates = [pgn.at(gamma) for gamma in dict.fromkeys((pgn.gamma, *gammas.spaced(TRIED_GAMMAS)))]
    measured = [(candidate, measure(candidate)) for candidate in candidates]
    own = measured[0]
    clean = own[1].metrics.clean_accuracy  # f's, on the same images
    best = max(measured, key=lambda one: one[1].metrics.perturbed_accuracy_8bit)
    below = own[1].metrics.perturbed_accuracy_8bit < clean
    chosen = best if below or _is_better(_right(best[1]), _right(own[1])) else own
    metrics = chosen[1].metrics
    info = replace(pgn.info, gamma=chosen[0].gamma, metrics=figures_kept(metrics))
    if metrics.perturbed_accuracy_8bit < clean:
        info = replace(info, abstain_below_rms=ABSTAINS_ALWAYS)
    return OwnGamma(Pgn(pgn.generator, info, path=pgn.path), metrics)


def _right(evaluation: Evaluation) -> npt.NDArray[np.bool_]:
    image = evaluation.per_image
    return np.equal(image.perturbed_prediction_8bit, image.labels)


def _is_better(right: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> bool:
    """By more than a standard error of the paired difference (McNemar's)."""
    gained, lost = int((right & ~other).sum()), int((~right & other).sum())
    return gained - lost > math.sqrt(gained + lost)


def abstention_notice(own: OwnGamma, *, step: int) -> Notice | None:
    """When the PGN that is kept perturbs nothing."""
    if not own.abstains:
        return None
    best, clean = own.metrics.perturbed_accuracy_8bit, own.metrics.clean_accuracy
    return Notice(
        step,
        "abstains-always",
        f"On validation the PGN is worse than none at every γ: at best {percent(best)} "
        f"(γ {own.pgn.gamma:g}), without it {percent(clean)}. "
        "The PGN that is kept leaves every image as it is.",
        "Train on more images that the classifier has not seen, or with an encoder that knows more than it.",
    )
