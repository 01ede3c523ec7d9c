"""What is measured, each defined once: pure functions on arrays.

Predictions and labels are class numbers (N,); scores are class probabilities (N, K).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score

from pgn_studio.core.protocols import Labels

_KEPT = ("clean_accuracy", "perturbed_accuracy", "perturbed_accuracy_8bit", "fixed", "broken", "rms_mean")
Scores = npt.NDArray[np.float32]  # (N, K)
Flags = npt.NDArray[np.bool_]  # (N,)
Confusion = npt.NDArray[np.int64]  # (K, K): labeled, predicted
_MOST_SCORES = 2**16  # kept as they are, 256 KiB; beyond it they are counted in bins
_BINS = 2048  # of equal width in log odds: 1/64 each, with p = 1e-7 and 1 - 1e-7 near the ends
_LOG_ODDS = 16.0


def figures_kept(measured: object) -> dict[str, float]:
    """Of what has figures as attributes (Metrics): those that a PGN's file keeps."""
    return {figure: float(getattr(measured, figure)) for figure in _KEPT}


def accuracy(predictions: Labels, labels: Labels) -> float:
    """Share of predictions that are right."""
    return float(np.mean(predictions == labels))


def macro_average_precision(scores: Scores, labels: Labels) -> float:
    """Mean over classes of the average precision of that class's score, one against the rest.

    Classes with no image among `labels` have no average precision and are left out of the mean.
    """
    present = np.unique(labels)
    return float(np.mean([average_precision_score(labels == label, scores[:, label]) for label in present]))


def fixed_and_broken(clean_right: Flags, perturbed_right: Flags) -> tuple[int, int]:
    """Counts of false → correct and of correct → false."""
    fixed = int(np.count_nonzero(~clean_right & perturbed_right))
    broken = int(np.count_nonzero(clean_right & ~perturbed_right))
    return fixed, broken


def is_surer(clean_scores: Scores, perturbed_scores: Scores) -> Flags:
    """Where the perturbed image's class has at least the probability of the original's."""
    return np.asarray(perturbed_scores.max(axis=1) >= clean_scores.max(axis=1))


def mcnemar_p(fixed: int, broken: int) -> float:
    """Exact two-sided McNemar test: were fixed and broken equally likely? 1 when nothing flipped."""
    if fixed + broken == 0:
        return 1.0
    return float(binomtest(fixed, fixed + broken, 0.5).pvalue)


def fooling_rate(clean_predictions: Labels, perturbed_predictions: Labels) -> float:
    """Share of images whose prediction changed, rightly or wrongly."""
    return float(np.mean(clean_predictions != perturbed_predictions))


def attack_success(broken: int, clean_correct: int) -> float | None:
    """Broken as a share of the images that were right; None when none was."""
    return broken / clean_correct if clean_correct else None


def margins(scores: Scores, labels: Labels) -> npt.NDArray[np.float32]:
    """The labeled class's score less the largest of the others, (N,): above 0 where the label wins."""
    rows = np.arange(len(labels))
    others = scores.copy()
    others[rows, labels] = 0.0  # probabilities: no other can be below
    return np.asarray(scores[rows, labels] - others.max(axis=1), dtype=np.float32)


def confusion(labels: Labels, predictions: Labels, classes: int) -> Confusion:
    """How often images of class i (row) are taken for class j (column): (K, K)."""
    table = np.bincount(labels * classes + predictions, minlength=classes * classes)
    return table.reshape(classes, classes).astype(np.int64)


class RankedScores:
    """Class probabilities of `images` images as they come, and what macro average precision they have.

    Few are kept and ranked exactly. Of many only how often each class's probability fell into each
    of 2,048 bins is kept, which ranks those in one bin as equals.
    """

    def __init__(self, images: int, classes: int) -> None:
        self._exact = images * classes <= _MOST_SCORES
        self._scores: Scores = np.empty((images if self._exact else 0, classes), dtype=np.float32)
        self._labels: Labels = np.empty(images if self._exact else 0, dtype=np.int64)
        bins = 0 if self._exact else _BINS
        self._all = np.zeros((classes, bins), dtype=np.int64)
        self._own = np.zeros((classes, bins), dtype=np.int64)  # of the images that are of the class
        self._seen = 0

    def add(self, scores: Scores, labels: Labels) -> None:
        """Probabilities (B, K) of the next images and their labels (B,)."""
        rows = slice(self._seen, self._seen + len(labels))
        self._seen = rows.stop
        if self._exact:
            self._scores[rows], self._labels[rows] = scores, labels
            return
        bins = _bins(scores)
        np.add.at(self._all, (np.arange(scores.shape[1]), bins), 1)
        np.add.at(self._own, (labels, bins[np.arange(len(labels)), labels]), 1)

    def macro_average_precision(self) -> float:
        """Of all that was added, `metrics.macro_average_precision`."""
        if self._exact:
            return macro_average_precision(self._scores[: self._seen], self._labels[: self._seen])
        present = self._own.sum(axis=1) > 0
        own = np.cumsum(self._own[present, ::-1], axis=1)  # from the surest down
        every = np.cumsum(self._all[present, ::-1], axis=1)
        precision = own / np.maximum(every, 1)
        recalled = np.diff(own, axis=1, prepend=0) / own[:, -1:]
        return float((precision * recalled).sum(axis=1).mean())


def _bins(scores: Scores) -> npt.NDArray[np.int64]:
    with np.errstate(divide="ignore"):
        odds = np.log(scores) - np.log1p(-scores)
    place = (np.clip(odds, -_LOG_ODDS, _LOG_ODDS) + _LOG_ODDS) * (_BINS / (2 * _LOG_ODDS))
    return np.asarray(np.minimum(place.astype(np.int64), _BINS - 1), dtype=np.int64)
