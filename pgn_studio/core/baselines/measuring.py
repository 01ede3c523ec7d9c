"""A baseline measured as the PGN is: the same metrics, against the same frozen f."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgn_studio.core.baselines.context import Baseline, BaselineContext
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.evaluation.evaluate import Evaluation, evaluate_perturber
from pgn_studio.core.protocols import Progress


def measure_baseline(
    baseline: Baseline,
    context: BaselineContext,
    dataset: ImageDataset,
    split_name: str,
    *,
    batch_size: int = 64,
    progress: Progress | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Evaluation:
    """On a split of `dataset`; f itself answers for the clean images. Raises as `evaluate_perturber` does."""
    return evaluate_perturber(
        baseline.perturber,
        baseline.classifier,
        dataset.split(split_name),
        split_name=split_name,
        dataset_name=dataset.name,
        space=context.space,
        batch_size=batch_size,
        device=context.device,
        progress=progress,
        clean_classifier=context.classifier,
        facts=facts,
    )
