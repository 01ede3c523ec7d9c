"""One PGN on one split at several γ: what does not depend on γ is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.device import to_pixels
from pgn_studio.core.evaluation.batch import answers
from pgn_studio.core.evaluation.clean import check_labels
from pgn_studio.core.evaluation.evaluate import (
    Evaluation,
    check_queries,
    clean_scores,
    evaluate,
    evaluate_perturber,
    place,
)
from pgn_studio.core.evaluation.metrics import Scores
from pgn_studio.core.perturbation.pgn import Perturbation, Pgn
from pgn_studio.core.protocols import LabelledImages, Progress

BATCH = 64
MOST_BYTES = 512 * 2**20  # of the encoder's features, and of f's probabilities


def evaluate_along(
    pgn: Pgn,
    gammas: Sequence[float],
    classifier: Classifier,
    split: LabelledImages,
    *,
    split_name: str,
    dataset_name: str,
    batch_size: int = 64,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> list[Evaluation]:
    """`evaluate` at each of `gammas`, in that order; the clean images are asked about once.

    Raises ConfigError, before anything is measured, for a γ that the PGN does not serve, and what
    `evaluate` raises. `progress(images done, images)` counts those of all γ.
    """
    settings = [pgn.at(gamma) for gamma in gammas]
    check_labels(split.labels, tuple(classifier.info.classes), split_name)
    device = place(pgn, classifier, device)
    check_queries(classifier, split, batch_size, passes=len(settings))
    clean = clean_scores(classifier, split, batch_size=batch_size)
    total = len(split) * len(settings)

    def part(number: int) -> Progress | None:
        return None if progress is None else lambda done, _: progress(number * len(split) + done, total)

    return [
        evaluate(
            one,
            classifier,
            split,
            split_name=split_name,
            dataset_name=dataset_name,
            batch_size=batch_size,
            device=device,
            progress=part(number),
            clean=clean,
        )
        for number, one in enumerate(settings)
    ]


class AlongGamma:
    """Remembers the encoder's features of the images, and what f says of them. For one thread at a time.

    `first` is the evaluation of this PGN on this split at any γ.
    """

    def __init__(
        self,
        pgn: Pgn,
        classifier: Classifier,
        split: LabelledImages,
        first: Evaluation,
        *,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._pgn, self._classifier, self._split, self._first = pgn, classifier, split, first
        self._most_bytes = most_bytes
        self._clean: Scores | None = None
        self._features: dict[int, Tensor] = {}  # by the number of a batch's first image

    def measure(self, gamma: float, progress: Progress | None = None) -> Evaluation:
        """As `evaluate` at this γ. `progress(images done, images)`; its Cancelled passes through."""
        place(self._pgn, self._classifier, None)
        clean = self._known_clean(progress)
        pgn = self._pgn.at(gamma).asking(self._classifier)
        facts = {name: value for name, value in self._first.facts.items() if name != "queries"}
        found = evaluate_perturber(
            _InOrder(pgn, clean, self._features, most_bytes=self._most_bytes, images=len(self._split)),
            self._classifier,
            self._split,
            split_name=self._first.split_name,
            dataset_name=self._first.dataset_name,
            space=pgn.space,
            batch_size=BATCH,
            progress=progress,
            clean=clean,
            facts={**facts, "gamma": pgn.gamma},
        )
        return replace(found, leakage=self._first.leakage)

    def _known_clean(self, progress: Progress | None) -> Scores | None:
        """f's probabilities (N, K) of the images; None where they are too many to be kept."""
        count = len(self._split)
        if 4 * count * len(self._classifier.info.classes) > self._most_bytes:
            return None
        if self._clean is None:
            parts, device = [], self._classifier.mean.device
            for start in range(0, count, BATCH):
                chosen = np.arange(start, min(start + BATCH, count))
                pixels = to_pixels(self._split.images(chosen), device)
                parts.append(answers(self._classifier, pixels).cpu().numpy())
                if progress is not None:
                    progress(0, count)
            self._clean = np.concatenate(parts)
        return self._clean


class _InOrder:
    """A PGN that is asked for all images of a split, one batch after another."""

    def __init__(
        self, pgn: Pgn, clean: Scores | None, features: dict[int, Tensor], *, most_bytes: int, images: int
    ) -> None:
        self._pgn, self._clean, self._features = pgn, clean, features
        self._most_bytes, self._images = most_bytes, images
        self._seen = 0

    @torch.no_grad()
    def perturb(self, pixels: Tensor, labels: Tensor) -> Perturbation:
        start, count = self._seen, len(pixels)
        self._seen += count
        features = self._features.get(start)
        if features is None:
            features = self._pgn.generator.encode(pixels)
            if features[0].nbytes * self._images <= self._most_bytes:
                self._features[start] = features
        if self._clean is None:
            return self._pgn.perturb_encoded(pixels, features)
        known = torch.from_numpy(self._clean[start : start + count]).to(pixels.device)
        return self._pgn.perturb_encoded(pixels, features, self._pgn.as_told(known))
