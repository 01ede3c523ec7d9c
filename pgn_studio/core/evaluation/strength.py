"""One image at every strength: what the classifier says of x + αp, and where its prediction changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.device import full_precision, to_pixels
from pgn_studio.core.evaluation.batch import ClassifiedBatch, classify_batch
from pgn_studio.core.evaluation.evaluate import place
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.core.protocols import Progress

_BATCH = 8  # strengths at a time: a request that is no longer wanted ends soon
_HALVINGS = 6  # a change is found to 1/64 of the grid's step

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Flip:
    """At `alpha` the predicted class changes, as α grows."""

    alpha: float
    before: int
    after: int


@dataclass(frozen=True)
class StrengthCurve:
    """Class probabilities along α; `flips` in rising order, empty where the prediction never changes."""

    alphas: Floats  # (A,), rising, the first is 0
    probabilities: npt.NDArray[np.float32]  # (A, K); one-hot where the classifier gives labels only
    flips: tuple[Flip, ...]

    def row(self, alpha: float) -> npt.NDArray[np.float32]:
        """The probabilities (K,) at the grid's α nearest to `alpha`."""
        row: npt.NDArray[np.float32] = self.probabilities[int(np.abs(self.alphas - alpha).argmin())]
        return row


def strength_curve(
    pgn: Pgn,
    classifier: Classifier,
    image: npt.NDArray[np.uint8],
    *,
    alphas: Sequence[float] | Floats,
    refine: bool = True,
    progress: Progress | None = None,
) -> StrengthCurve:
    """Ask the classifier about x + αp for one image (H, W, 3), before 8-bit rounding.

    `alphas` rise from 0. α = 0 and α = 1 come out exactly as in `evaluate`. With `refine` each
    change of class is narrowed down by bisection, at six more questions each; without, it is put at
    the first grid point behind it. `progress(strengths done, strengths)`; its Canceled passes through.
    """
    device = place(pgn, classifier, None)
    pixels = to_pixels(image[None], device)  # (1, 3, H, W)
    batch = classify_batch(pgn, classifier, pixels)
    line = _Line(pgn, classifier, pixels, batch)
    grid = np.asarray(alphas, dtype=np.float64)
    parts = []
    for start in range(0, len(grid), _BATCH):
        parts.append(line.probabilities(grid[start : start + _BATCH]))
        if progress is not None:
            progress(min(start + _BATCH, len(grid)), len(grid))
    probabilities = np.concatenate(parts)
    return StrengthCurve(grid, probabilities, _flips(line, grid, probabilities.argmax(1), refine=refine))


class _Line:
    """The straight line from x through x + p in the PGN's input space."""

    def __init__(self, pgn: Pgn, classifier: Classifier, pixels: Tensor, batch: ClassifiedBatch) -> None:
        self._pgn, self._classifier, self._batch = pgn, classifier, batch
        self._entered = pgn.space.enter(pixels)

    @torch.inference_mode()
    def probabilities(self, alphas: Floats) -> npt.NDArray[np.float32]:
        """(A, K) for `alphas` (A,)."""
        result = np.empty((len(alphas), self._batch.clean.shape[1]), dtype=np.float32)
        known = {0.0: self._batch.clean, 1.0: self._batch.perturbed}
        for number, alpha in enumerate(alphas.tolist()):
            if alpha in known:
                result[number] = known[alpha][0].cpu().numpy()
        asked = [number for number, alpha in enumerate(alphas.tolist()) if alpha not in known]
        if asked:
            factors = torch.from_numpy(alphas[asked]).to(self._entered).view(-1, 1, 1, 1)
            with full_precision(self._entered.device):
                perturbed = self._entered + factors * self._batch.perturbation
                logits = self._pgn.logits(self._classifier, perturbed).float()
            scores = torch.softmax(logits, dim=1) if self._batch.has_probabilities else logits
            result[asked] = scores.cpu().numpy()
        return result

    def predictions(self, alphas: Floats) -> npt.NDArray[np.int64]:
        return np.asarray(self.probabilities(alphas).argmax(1), dtype=np.int64)


def _flips(line: _Line, grid: Floats, said: npt.NDArray[np.int64], *, refine: bool) -> tuple[Flip, ...]:
    """Where neighbors on the grid disagree; all of them are narrowed down together."""
    places = np.flatnonzero(said[1:] != said[:-1])
    low, high = grid[places].copy(), grid[places + 1].copy()
    before, after = said[places], said[places + 1].copy()
    for _ in range(_HALVINGS if refine and len(places) else 0):
        middle = (low + high) / 2
        predicted = line.predictions(middle)
        same = predicted == before
        low = np.where(same, middle, low)
        high, after = np.where(same, high, middle), np.where(same, after, predicted)
    return tuple(Flip(float(a), int(b), int(c)) for a, b, c in zip(high, before, after, strict=True))


def perturbed_at(
    original: npt.NDArray[np.uint8], perturbation: npt.NDArray[np.float32], alpha: float
) -> npt.NDArray[np.uint8]:
    """x + αp as a saved picture (H, W, 3); `perturbation` in pixel values of 0…1."""
    values = original.astype(np.float32) + np.float32(255 * alpha) * perturbation
    return np.asarray(np.rint(np.clip(values, 0, 255)), dtype=np.uint8)
