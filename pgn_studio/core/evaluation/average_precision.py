"""Macro average precision in one pass, in memory that does not grow with the images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pgn_studio.core.evaluation.metrics import Scores, macro_average_precision
from pgn_studio.core.protocols import Labels

_MOST_SCORES = 2**16  # kept as they are, 256 KiB; beyond it they are counted in bins
_BINS = 2048  # of equal width in log odds: 1/64 each, with p = 1e-7 and 1 - 1e-7 near the ends
_LOG_ODDS = 16.0


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
