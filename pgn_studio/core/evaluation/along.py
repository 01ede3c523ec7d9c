"""One PGN on one split at several γ: what does not depend on γ is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.evaluation.classifier_accuracy import check_labels
from pgn_studio.core.evaluation.evaluate import (
    Evaluation,
    check_queries,
    clean_scores,
    evaluate,
    place,
)
from pgn_studio.core.evaluation.metrics import Scores
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.core.protocols import LabeledImages, Progress

BATCH = 64
MOST_BYTES = 512 * 2**20  # of the encoder's features, and of f's probabilities


def evaluate_along(
    pgn: Pgn,
    gammas: Sequence[float],
    classifier: Classifier,
    split: LabeledImages,
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
    encode = EncodedOnce(pgn, len(split)) if len(settings) > 1 else None

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
            encode=encode,
        )
        for number, one in enumerate(settings)
    ]


class EncodedOnce:
    """The encoder's features of a split's images by the number of a batch's first one, where they are few."""

    def __init__(self, pgn: Pgn, images: int, *, most_bytes: int = MOST_BYTES) -> None:
        self._generator, self._images, self._most_bytes = pgn.generator, images, most_bytes
        self._kept: dict[int, Tensor] = {}

    def __call__(self, pixels: Tensor, start: int) -> Tensor:
        features = self._kept.get(start)
        if features is None:
            features = self._generator.encode(pixels)
            if features[0].nbytes * self._images <= self._most_bytes:
                self._kept[start] = features
        return features


class AlongGamma:
    """Remembers the encoder's features of the images, and what f says of them. For one thread at a time.

    `first` is the evaluation of this PGN on this split at any γ.
    """

    def __init__(
        self,
        pgn: Pgn,
        classifier: Classifier,
        split: LabeledImages,
        first: Evaluation,
        *,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._pgn, self._classifier, self._split, self._first = pgn, classifier, split, first
        self._most_bytes = most_bytes
        self._clean: Scores | None = None
        self._encode = EncodedOnce(pgn, len(split), most_bytes=most_bytes)

    def measure(self, gamma: float, progress: Progress | None = None) -> Evaluation:
        """As `evaluate` at this γ. `progress(images done, images)`; its Canceled passes through."""
        facts = {name: value for name, value in self._first.facts.items() if name != "queries"}
        place(self._pgn, self._classifier, None)
        found = evaluate(
            self._pgn.at(gamma),
            self._classifier,
            self._split,
            split_name=self._first.split_name,
            dataset_name=self._first.dataset_name,
            batch_size=BATCH,
            progress=progress,
            clean=self._known_clean(progress),
            encode=self._encode,
            facts={**facts, "gamma": gamma},
        )
        return replace(found, leakage=self._first.leakage)

    def _known_clean(self, progress: Progress | None) -> Scores | None:
        """f's probabilities (N, K) of the images; None where they are too many to be kept."""
        count = len(self._split)
        if 4 * count * len(self._classifier.info.classes) > self._most_bytes:
            return None
        if self._clean is None:  # so far no image is measured, but what is canceled ends soon
            told = None if progress is None else lambda _done, total: progress(0, total)
            self._clean = clean_scores(self._classifier, self._split, batch_size=BATCH, progress=told)
        return self._clean
