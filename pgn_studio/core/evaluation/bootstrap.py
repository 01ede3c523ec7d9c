"""Percentile bootstrap over images: how far a figure would move with other images of the same kind.

Images are drawn with replacement, as many as there are; the q-quantiles of the figure over all draws
are the interval (Efron & Tibshirani 1993, §13.3). One seed gives the same draws to every figure of a
split, so differences between figures are paired over images.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pgn_studio.core.evaluation.metrics import Scores
from pgn_studio.core.protocols import Labels, Progress

RESAMPLES = 2000
_CHUNK = 2**21  # counts held at a time: 16 MiB as float64
_LARGEST_WORK = 4 * 10**9  # counts visited for average precision; beyond it fewer draws, then none
_FEWEST_DRAWS = 200

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure with its interval; None where it is undefined, or where it has no interval."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Bootstrap:
    """Draws of `n` images. The same n, resamples and seed are the same draws."""

    n: int
    resamples: int = RESAMPLES
    seed: int | tuple[int, ...] = 0
    confidence: float = 0.95

    def counts(self) -> Iterator[Values]:
        """How often each image is drawn, for some draws at a time: (draws, n), each row sums to n."""
        rng = np.random.default_rng(self.seed)
        rows = max(1, _CHUNK // self.n)
        for start in range(0, self.resamples, rows):
            size = min(rows, self.resamples - start)
            drawn = rng.integers(0, self.n, (size, self.n))
            drawn += self.n * np.arange(size)[:, None]  # each draw counts into a row of its own
            yield np.bincount(drawn.ravel(), minlength=size * self.n).reshape(size, self.n).astype(np.float64)

    def means(self, columns: Values) -> Values:
        """Means of the columns (n, M) in every draw: (resamples, M)."""
        return np.concatenate([counts @ columns / self.n for counts in self.counts()])

    def macro_average_precision(
        self, scores: Scores, labels: Labels, progress: Progress | None = None
    ) -> Values | None:
        """Macro average precision in every draw, as `metrics.macro_average_precision` has it.

        Sorts each class once; a draw only weighs the images. Takes fewer draws where images x classes
        are many; None where too few would be left.
        """
        wanted = min(self.resamples, _LARGEST_WORK // max(1, scores.size))
        if wanted < _FEWEST_DRAWS:
            return None
        orders = [_Order.of(scores[:, label], labels == label) for label in np.unique(labels)]
        parts: list[Values] = []
        for counts in self.counts():
            # (classes, draws); NaN where a draw holds no image of a class
            parts.append(_nan_mean(np.stack([order.average_precision(counts) for order in orders])))
            done = sum(map(len, parts))
            if progress is not None:
                progress(min(done, wanted), wanted)
            if done >= wanted:
                break
        return np.concatenate(parts)[:wanted]

    def interval(self, value: float | None, draws: Values | None) -> Interval:
        """`value` with the quantiles of its draws (resamples,); draws where it is undefined are left out."""
        if value is None or draws is None:
            return Interval(value)
        known = draws[np.isfinite(draws)]
        if len(known) == 0:
            return Interval(value)
        tail = (1 - self.confidence) / 2
        low, high = np.quantile(known, (tail, 1 - tail))
        return Interval(value, float(low), float(high))


@dataclass(frozen=True)
class _Order:
    """One class's images by falling score, and where a group of equal scores ends."""

    order: npt.NDArray[np.int64]
    positive: npt.NDArray[np.bool_]  # in that order
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, scores: npt.NDArray[np.float32], positive: npt.NDArray[np.bool_]) -> _Order:
        order = np.argsort(-scores, kind="stable")
        changes = np.flatnonzero(np.diff(scores[order]))
        return cls(order, positive[order], np.append(changes, len(scores) - 1))

    def average_precision(self, counts: Values) -> Values:
        """Sum over thresholds of (recall gained) x precision, for each row of counts (draws, n)."""
        ordered = counts[:, self.order]
        found = np.cumsum(ordered * self.positive, axis=1)[:, self.ends]
        seen = np.cumsum(ordered, axis=1)[:, self.ends]
        gained = np.diff(found, axis=1, prepend=0.0)
        total = found[:, -1]
        weighed = (gained * found / np.maximum(seen, 1.0)).sum(axis=1)
        return np.where(total > 0, weighed / np.maximum(total, 1.0), np.nan)


def _nan_mean(values: Values) -> Values:
    """Mean over the first axis of what is no NaN; NaN where nothing is left."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
