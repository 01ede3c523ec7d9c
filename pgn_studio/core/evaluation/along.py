"""One PGN measured at several γ: how accuracy trades against the size of the perturbation."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.evaluation.clean import check_labels
from pgn_studio.core.evaluation.evaluate import Evaluation, check_queries, clean_scores, evaluate, place
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.core.protocols import LabelledImages, Progress


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
